"""Settings are refused in one line or taken whole; what is remembered survives damage, other explorers and full disks."""

import json
import math
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from sing_compute.errors import SingError
from sing_tui.settings import (
    FILES,
    Config,
    State,
    config_path,
    file_key,
    read_config,
    read_state,
    state_path,
    write_state,
)

ACTIONS = ("sort", "filter", "export")
PLACE: dict[str, Any] = {
    "model": "vit", "class": 207, "level": "images", "sort": "image_score", "reverse": True, "filter": 'name ~ "ネコ"',
    "row": 12, "ratio": 0.5, "nothing": None, "columns": {"images": ["name", "image_score"], "models": []},
}  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "config", "state"),
    [
        ({"HOME": "/h"}, "/h/.config", "/h/.local/state"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c", "/s"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "relative/s"}, "/h/.config", "/h/.local/state"),
    ],
)
def test_files_stand_in_the_xdg_folders(environ: dict[str, str], config: str, state: str) -> None:
    assert config_path(environ) == Path(config, "sing-tui", "config.toml")
    assert state_path(environ) == Path(state, "sing-tui", "state.json")


def test_without_any_environment_the_home_folder_is_asked_for() -> None:
    assert config_path({}) == Path("~/.config/sing-tui/config.toml").expanduser()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_no_file_and_an_empty_one_are_the_defaults(config: Path) -> None:
    assert read_config(config, ACTIONS) == Config(None, None, None, None, None, {})
    config.write_text("# nothing\n")
    assert read_config(config, ACTIONS) == Config()


def test_every_setting_is_read(config: Path) -> None:
    config.write_text(
        'theme = "ansi"\nmouse = false\nascii = true\ngraphics = "sixel"\nimages = "/data/val"\n'
        '[keys]\nsort = " s , f2"\nexport = "comma"\n'
    )
    assert read_config(config, ACTIONS) == Config(
        "ansi", False, True, "sixel", Path("/data/val"), {"sort": "s,f2", "export": "comma"}
    )


@pytest.mark.parametrize(("given", "meant"), [("val", "{here}/val"), ("~/val", "/home/me/val"), ("/val", "/val")])
def test_the_image_folder_may_be_relative(
    config: Path, monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    config.write_text(f'images = "{given}"')
    assert read_config(config, ACTIONS).images == Path(meant.format(here=config.parent))


@pytest.mark.parametrize(
    ("text", "matter"),
    [
        ('thme = "ansi"', "no setting 'thme'; is theme meant?"),
        ("zzz = 1", "no setting 'zzz'; known are: ascii, graphics, images, keys, mouse, theme"),
        ("theme = 3", "theme is a text, not 3"),
        ('theme = ""', "theme is a text, not ''"),
        ('mouse = "yes"', "mouse is true or false, not 'yes'"),
        ("ascii = 1", "ascii is true or false, not 1"),
        ("images = []", "images is a folder, not []"),
        ('images = "~nobody-of-this-name/x"', "images is '~nobody-of-this-name/x'"),
        ('keys = "s"', """keys is a table of action = "keys", not 's'"""),
        ('[keys]\nsrt = "s"', "no action 'srt' for [keys]; is sort meant?"),
        ('[keys]\nq = "s"', "no action 'q' for [keys]; known are: export, filter, sort"),
        ("[keys]\nsort = 1", 'keys of sort are names with commas between, as in "s,f2,comma", not 1'),
        ('[keys]\nsort = ""', "keys of sort are"),
        ('[keys]\nsort = "a,,b"', "keys of sort are"),
        ("theme = ansi", "is no TOML: Invalid value (at line 1, column 9)"),
        ("theme = 'a'\ntheme = 'b'", "is no TOML: Cannot overwrite a value"),
        ("a = " + "[" * 3000, "is no TOML"),
        ("mouse = " + "9" * 5000, "is no TOML"),
        ('"\x7fa\\u001b[2J" = 1', "is no TOML"),
        ('"a\\u001b[2J\\u202e" = 1', "no setting"),
    ],
)
def test_a_mistake_is_one_line_with_the_file_and_the_matter(config: Path, text: str, matter: str) -> None:
    config.write_text(text)
    with pytest.raises(SingError) as caught:
        read_config(config, ACTIONS)
    said = str(caught.value)
    assert said.startswith(str(config))
    assert matter in said
    assert said.isprintable()
    assert len(said) <= 400


def test_a_file_that_cannot_be_read_says_so(config: Path) -> None:
    config.mkdir()
    with pytest.raises(SingError, match=r"cannot read .*config\.toml: it is a folder, not a regular file"):
        read_config(config, ACTIONS)
    config.rmdir()
    config.write_bytes(b"theme = '\xff'")
    with pytest.raises(SingError, match="is no TOML"):
        read_config(config, ACTIONS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "sing-tui" / "state.json"


def test_what_is_written_is_read(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link.h5").symlink_to(tmp_path / "real.h5")
    state = State("dark", True, {file_key(tmp_path / "real.h5"): PLACE})
    assert write_state(path, state)
    assert read_state(path) == state
    assert read_state(path).place(tmp_path / "link.h5") == PLACE
    assert read_state(path).place(tmp_path / "other.h5") == {}
    assert [file.name for file in path.parent.iterdir()] == ["state.json"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_only_what_changed_is_written_over(path: Path) -> None:
    write_state(path, State("dark", False, {"/a.h5": {"row": 1}, "/b.h5": {"row": 1}}))
    write_state(path, State(hint_seen=True, places={"/b.h5": {"row": 2}}))
    write_state(path, State(places={"/a.h5": {"row": 3}}))
    assert read_state(path) == State("dark", True, {"/a.h5": {"row": 3}, "/b.h5": {"row": 2}})
    write_state(path, State("light"))
    assert read_state(path) == State("light", True, {"/a.h5": {"row": 3}, "/b.h5": {"row": 2}})


def test_the_files_used_last_are_kept(path: Path) -> None:
    for first in (0, 150):
        write_state(path, State(places={f"/{number}.h5": {"row": number} for number in range(first, first + 150)}))
    write_state(path, State(places={"/120.h5": {"row": -1}}))
    places = read_state(path).places
    kept = [number for number in range(300 - FILES, 300) if number != 120]
    assert list(places) == [*(f"/{number}.h5" for number in kept), "/120.h5"]
    assert places["/120.h5"] == {"row": -1}


def test_readers_see_a_whole_file_while_it_is_replaced(path: Path) -> None:
    write_state(path, State(places={f"/{number}.h5": PLACE for number in range(100)}))
    over, counts = threading.Event(), set()

    def hammer() -> None:
        while not over.is_set():
            counts.add(len(read_state(path).places))

    reader = threading.Thread(target=hammer)
    reader.start()
    for row in range(100):
        assert write_state(path, State(places={"/0.h5": {"row": row}}))
    over.set()
    reader.join()
    assert counts == {100}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff", b"null", b"[]", b"3", b"[" * 100_000, b'{"version": 2, "theme": "dark"}', b'{"theme": "dark"}',
        b'{"version": 1, "theme": 3, "hint_seen": "yes", "places": []}', b'{"version": 1, "theme": "' + b"x" * 101 + b'"}',
        b'{"version": 1, "theme": "dark", "x": "' + b"x" * 5_000_000 + b'"}', b'{"version": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda content: content[:30].decode("ascii", "replace"),
)  # fmt: skip
def test_a_broken_file_is_an_empty_state_and_is_written_over(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert read_state(path) == State()
    assert write_state(path, State("dark", places={"/a.h5": PLACE}))
    assert read_state(path) == State("dark", places={"/a.h5": PLACE})


def test_an_entry_that_cannot_be_one_is_left_out_alone(path: Path) -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    bad = [7, "text", [1], None, {"row": math.nan}, {"row": 2**60}, {"a": deep}, {"a": "x" * 20_000}]
    path.parent.mkdir(parents=True)
    entries = {f"/{number}.h5": place for number, place in enumerate(bad)} | {"/good.h5": PLACE, "/" + "x" * 20_000: {}}
    path.write_text(json.dumps({"version": 1, "theme": "dark", "places": entries}))
    assert read_state(path) == State("dark", places={"/good.h5": PLACE})


@pytest.mark.parametrize("place", [{"row": object()}, {"row": math.inf}, {1: 2}, {"a": "x" * 20_000}])
def test_what_cannot_be_remembered_is_said_and_harms_nothing(path: Path, place: dict[Any, Any]) -> None:
    write_state(path, State(places={"/a.h5": PLACE}))
    assert not write_state(path, State("dark", places={"/b.h5": place}))
    assert read_state(path) == State("dark", places={"/a.h5": PLACE})


def test_the_largest_state_can_be_read_again(path: Path) -> None:
    places = {f"/{number}.h5": {"filter": "ネ" * 2600} for number in range(FILES)}
    assert write_state(path, State(places=places))
    assert path.stat().st_size > 3_000_000
    assert read_state(path).places == places


def test_a_place_that_cannot_be_written_is_told_and_keeps_the_old(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_state(path, State("dark"))
    with monkeypatch.context() as broken:

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        broken.setattr(Path, "replace", full)
        assert not write_state(path, State("light"))
    assert [file.name for file in path.parent.iterdir()] == ["state.json"]
    assert read_state(path) == State("dark")
    assert not write_state(path / "below a file" / "state.json", State("light"))
    os.mkfifo(path.with_name("pipe"))
    assert read_state(path.with_name("pipe")) == State()
