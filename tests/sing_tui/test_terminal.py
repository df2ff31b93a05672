"""The real program in a pseudo-terminal: bytes, frames, imports, what of a file's text gets out, the terminal afterwards."""

import json
import re
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stores import write_store
from terminal import Terminal, sent

from sing_compute.store import Store

ANSI = {"NO_COLOR": "1"}
SEQUENCES = {
    rb"\x1b\[[0-9;]*m": "colour",
    rb"\x1b\[\d+;\d+H": "place",
    rb"\x1b\[\?\d+[hl]|\x1b\[\?\d+\$p": "mode",
    rb"\x1b\[>\d+u|\x1b\[<u": "keyboard",
    rb"\x1b\]22;[a-z]*\x07": "pointer",
    rb"\r\n": "line",
}
"""All that Textual writes besides text."""


@contextmanager
def running(
    path: Path, folder: Path, *options: str, theme: dict[str, str] | None = None, status: str = " 1 of "
) -> Iterator[Terminal]:
    """The explorer on a file, remembering nothing, once this is on its screen (tables below are painted before)."""
    state = folder / "state" / "sing-tui" / "state.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    state.write_text(json.dumps({"version": 1, "hint_seen": True, "places": {}}))
    own = {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}
    command = [sys.executable, "-m", "sing_tui", str(path), *options]
    with Terminal(command, size=(80, 24), environment=own | (theme or {})) as app:
        app.wait_screen(lambda text: status in text)
        yield app


@pytest.fixture(scope="module")
def long_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose image table fills many screens."""
    return write_store(tmp_path_factory.mktemp("long") / "long.h5", models=("alpha",), images_per_class=(300, 12, 1, 0))


def bytes_a_key(app: Terminal, rows: range) -> float:
    """Bytes written for each `j` on average, sent one at a time, each once the screen shows the row that the last led to.

    Two keys do not count: on a busy machine they meet the last frames of the start.
    """
    sizes = []
    for row in rows:
        since = app.here
        app.send("j")
        app.wait_screen(lambda text, row=row: f" {row} of " in text)
        sizes.append(app.here - since)
    return sum(sorted(sizes)[:-2]) / (len(sizes) - 2)


@pytest.mark.parametrize(("theme", "cursor", "row"), [({}, 400, 4000), (ANSI, 300, 2800)], ids=["default", "ansi"])
def test_keys_stay_within_their_bytes(
    long_path: Path, tmp_path: Path, theme: dict[str, str], cursor: int, row: int
) -> None:
    with running(long_path, tmp_path, "--class", "cat", "--table", "images", theme=theme, status=" 1 of 300") as app:
        moved = bytes_a_key(app, range(2, 13))
        app.send("j" * 17)
        app.wait_screen(lambda text: " 29 of " in text)
        scrolled = bytes_a_key(app, range(30, 40))
    assert 0 < moved <= cursor
    assert cursor < scrolled <= row


def test_without_colour_nothing_but_emphasis_is_sent(store_path: Path, tmp_path: Path) -> None:
    with running(store_path, tmp_path, "--model", "alpha", theme=ANSI) as app:
        app.send("j")
        app.wait_screen(lambda text: " 2 of " in text)
        sent = b";".join(re.findall(rb"\x1b\[([0-9;]*)m", bytes(app.output))).split(b";")
    assert set(sent) <= {
        b"",
        *b"0 1 2 3 4 7 39 49".split(),
    }  # bold, faint, italic, underline, reverse, the terminal's own
    assert b"7" in sent  # the cursor is seen all the same


def test_rows_are_shown_before_anything_heavy_is_imported(store_path: Path, tmp_path: Path) -> None:
    listing = tmp_path / "imports.txt"
    told = f"import atexit, sys; atexit.register(lambda: open({str(listing)!r}, 'w').write(' '.join(sys.modules)))"
    (tmp_path / "sitecustomize.py").write_text(told)
    with running(store_path, tmp_path, "--model", "alpha", theme={"PYTHONPATH": str(tmp_path)}) as app:
        app.send("j")
        app.wait_screen(lambda text: " 2 of " in text and "\n cat " in text)
        app.send("Q")
        assert app.wait_end() == 0
    loaded = {name.partition(".")[0] for name in listing.read_text().split()}
    assert {"textual", "h5py"} <= loaded
    assert loaded.isdisjoint({"torch", "pandas", "PIL", "plotext", "textual_plotext", "timm", "open_clip", "scipy"})


@pytest.mark.parametrize("options", [("--model", "a"), ("--class", "3", "--model", "a", "--table", "images")])
def test_text_of_a_file_never_reaches_the_terminal_raw(
    awkward_path: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    with Store(awkward_path) as store:
        names = [str(name) for name in store.class_names]
    assert any("\x1b[31m" in name and "\x07" in name and "\t" in name for name in names)
    with running(awkward_path, tmp_path, *options) as app:
        for keys, seen, gone in (
            (("j", "j", "j"), " 4 of ", "back to the table"),
            (("d",), "back to the table", "enter open"),
            (("escape",), " 4 of ", "back to the table"),
            (("x",), " in words", "back to the table"),
            (("escape",), " 4 of ", " in words"),
            (("p",), "back to the table", "enter open"),
        ):
            for key in keys:
                app.send(sent(key))
            app.wait_screen(lambda text, seen=seen, gone=gone: seen in text and gone not in text)
        shown, output = app.text(), bytes(app.output[: app.frames[-1][1]])
    assert "bell" in shown
    for name in names:
        for piece in re.findall(r"[\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]+", name):
            assert piece.encode() not in output
    rest = re.sub(b"|".join(SEQUENCES), b"", output).decode()  # it is UTF-8 throughout
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", rest)


def test_quitting_leaves_the_terminal_as_it_was(store_path: Path, tmp_path: Path) -> None:
    with running(store_path, tmp_path) as app:
        during, since = app.settings(), app.here
        app.send("Q")
        assert app.wait_end() == 0
        after, output = app.settings(), bytes(app.output)
    assert not during & (termios.ECHO | termios.ICANON)
    assert after & termios.ECHO
    assert after & termios.ICANON
    switched = dict(re.findall(rb"\x1b\[\?(\d+)([hl])", output))  # the last word on every mode
    for mode in (b"1049", b"1000", b"1003", b"1006", b"1004", b"2004"):  # other screen, mouse, focus, paste
        assert switched[mode] == b"l"
    assert switched[b"25"] == b"h"  # the cursor is seen again
    assert b"Traceback" not in output[since:]


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_the_screen_back(store_path: Path, tmp_path: Path) -> None:
    own = {"PS1": "ready$ ", "XDG_CONFIG_HOME": str(tmp_path / "config"), "ENV": "", "SING_TUI_FILE": str(store_path)}
    with Terminal(["/bin/sh", "-i"], size=(80, 24), environment=own) as shell:
        shell.wait_for("ready$")
        shell.send(f"{sys.executable} -m sing_tui --no-state $SING_TUI_FILE\n")
        shell.wait_screen(lambda text: " 1 of " in text)
        since = shell.here
        shell.send(sent("ctrl+z"))
        shell.wait_for("ready$", since=since)
        shell.send("echo the shell $((6 * 7))\n")
        shell.wait_for("the shell 42", since=since)
        since = shell.here
        shell.send("fg\n")
        shell.wait_for(" 1 of ", since=since)
        shell.send("j")
        shell.wait_screen(lambda text: " 2 of " in text)
        since = shell.here
        shell.send("Q")
        shell.wait_for("ready$", since=since)
        assert b"Traceback" not in shell.output
