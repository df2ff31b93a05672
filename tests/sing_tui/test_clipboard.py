"""Copying: what reaches a real tmux, what a terminal would decode, and the file beside it."""

import base64
import os
import re
import select
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sing_tui import clipboard
from sing_tui.clipboard import MOST, copy, through_tmux

LONG = 60.0
"""Seconds; a test that waits so long has failed."""
TEXT = "cat/00001.png\t21.5°\tネコ; $(rm -rf ~)\n"


class Terminal:
    """Takes what is written to it."""

    def __init__(self) -> None:
        self.read = ""

    def __call__(self, sequence: str) -> None:
        self.read += sequence


def decoded(sequence: str) -> str:
    """The text of one OSC 52 sequence, as a terminal takes it."""
    match = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert match is not None
    return base64.b64decode(match[1], validate=True).decode()


@pytest.fixture
def tmux(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment inside a private tmux server."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    monkeypatch.setattr(clipboard, "_PATIENCE", LONG)
    with tempfile.TemporaryDirectory(dir=os.sep + "tmp") as folder:  # the path of a socket has at most 107 bytes
        outside = {key: value for key, value in os.environ.items() if not key.startswith("TMUX")}
        outside["TMUX_TMPDIR"] = folder
        outside["SHELL"] = "/bin/sh"
        ask = ["tmux", "-L", "sing-clipboard", "-f", "/dev/null"]
        subprocess.run([*ask, "new-session", "-d", "-x", "80", "-y", "24", "cat"], check=True, env=outside)
        try:
            place = [*ask, "display-message", "-p", "#{socket_path},#{pid},0"]
            yield outside | {"TMUX": subprocess.check_output(place, text=True, env=outside).strip()}
        finally:
            subprocess.run([*ask, "kill-server"], check=False, env=outside)


def test_inside_tmux_its_buffer_holds_the_text(tmux: dict[str, str], tmp_path: Path) -> None:
    terminal = Terminal()
    said = copy(TEXT, write=terminal, environ=tmux, folder=tmp_path)
    assert subprocess.check_output(["tmux", "show-buffer"], env=tmux).decode() == TEXT
    assert terminal.read == ""
    assert said == f"copied {len(TEXT.encode())} bytes (tmux); also in {tmp_path}/clipboard.txt"


def test_tmux_as_it_comes_hands_the_text_on_to_the_terminal_outside(tmux: dict[str, str], tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    outside = {key: value for key, value in tmux.items() if key != "TMUX"} | {"TERM": "xterm-256color"}
    socket = tmux["TMUX"].partition(",")[0]
    client = subprocess.Popen(
        ["tmux", "-S", socket, "attach"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=outside,
        start_new_session=True,
    )
    try:
        os.close(theirs)
        _read_until(ours, b"[H")
        copy(TEXT, write=Terminal(), environ=tmux, folder=tmp_path)
        seen = _read_until(ours, b"\x07")
        assert base64.b64encode(TEXT.encode()) in seen
    finally:
        client.kill()
        client.wait()
        os.close(ours)


def _read_until(fd: int, end: bytes) -> bytes:
    seen = b""
    while end not in seen:
        assert select.select([fd], [], [], LONG)[0], f"{end!r} did not come: {seen!r}"
        seen += os.read(fd, 4096)
    return seen


def test_a_tmux_that_cannot_be_reached_falls_back_to_the_terminal(tmp_path: Path) -> None:
    terminal = Terminal()
    environ = {"TMUX": f"{tmp_path}/no-such-socket,1,0", "PATH": os.environ["PATH"]}
    assert "OSC 52" in copy(TEXT, write=terminal, environ=environ, folder=tmp_path)
    plain, wrapped = terminal.read.split("\x1bPtmux;")
    assert decoded(plain) == TEXT
    assert wrapped.endswith("\x1b\\")
    assert decoded(wrapped.removesuffix("\x1b\\").replace("\x1b\x1b", "\x1b")) == TEXT


@pytest.mark.parametrize("text", ["", "a", TEXT, "x" * MOST])
def test_a_terminal_decodes_the_text(text: str, tmp_path: Path) -> None:
    terminal = Terminal()
    said = copy(text, write=terminal, environ={}, folder=tmp_path)
    assert decoded(terminal.read) == text
    assert len(terminal.read) <= 100_000
    assert said.startswith(f"sent {len(text.encode()):,} byte")


def test_gnu_screen_passes_on_chunks_that_make_up_the_sequence(tmp_path: Path) -> None:
    terminal, text = Terminal(), "word " * 500
    copy(text, write=terminal, environ={"STY": "1.pts"}, folder=tmp_path)
    chunks = re.findall(r"\x1bP(.*?)\x1b\\", terminal.read, re.DOTALL)
    assert "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks) == terminal.read
    assert max(map(len, chunks)) <= 256
    assert decoded("".join(chunks)) == text


def test_what_a_terminal_would_cut_goes_to_the_file_alone(tmp_path: Path) -> None:
    terminal, text = Terminal(), "x" * (MOST + 1)
    said = copy(text, write=terminal, environ={"HOME": str(tmp_path)}, folder=tmp_path / "state")
    assert terminal.read == ""
    assert (tmp_path / "state" / "clipboard.txt").read_text() == text
    assert said.endswith("they are in ~/state/clipboard.txt")


def test_the_file_is_replaced_and_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    copy("the first, a longer text", write=Terminal(), environ={}, folder=folder)
    copy(TEXT, write=Terminal(), environ={}, folder=folder)
    assert [file.name for file in folder.iterdir()] == ["clipboard.txt"]
    assert (folder / "clipboard.txt").read_bytes() == TEXT.encode()
    assert stat.S_IMODE((folder / "clipboard.txt").stat().st_mode) == 0o600


def test_a_link_at_the_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "clipboard.txt").symlink_to(tmp_path / "precious")
    copy(TEXT, write=Terminal(), environ={}, folder=tmp_path / "state")
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_folder_that_cannot_be_written_does_not_stop_the_copy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    terminal = Terminal()
    said = copy(TEXT, write=terminal, environ={}, folder=tmp_path / "file" / "state")
    assert decoded(terminal.read) == TEXT
    assert "cannot be written" in said
    assert copy("x" * (MOST + 1), write=terminal, environ={}, folder=tmp_path / "file").startswith("not copied")


def test_every_sequence_passes_tmux_in_a_wrapper_of_its_own() -> None:
    assert through_tmux("\x1b_Ga\x1b\\\x1b_Gb\x1b\\") == "".join(
        f"\x1bPtmux;\x1b\x1b_G{letter}\x1b\x1b\\\x1b\\" for letter in "ab"
    )
