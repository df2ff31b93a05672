"""Terminals that can do little, or are none: one line, or the colours they have."""

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from driving import ended, environment
from terminal import Terminal

from sing_tui.cli import main
from sing_tui.settings import State, write_state


@pytest.mark.parametrize(
    ("more", "options", "part"),
    [
        ({"TERM": "dumb"}, (), "TERM=dumb"),
        ({"TERM": ""}, (), "cannot place text"),
        ({}, ("--theme", "pink"), "no theme 'pink'; there are: textual-dark, textual-light"),
    ],
)
def test_where_no_screen_can_be_a_line_says_what_can(
    store_path: Path, tmp_path: Path, more: dict[str, str], options: tuple[str, ...], part: str
) -> None:
    code, said = ended(tmp_path, store_path, *options, **more)
    assert code == 2
    assert part in said
    assert "\x1b" not in said
    assert len(said.strip().splitlines()) == 1


def test_without_a_terminal_a_line_names_the_headless_twin(store_path: Path) -> None:
    done = CliRunner().invoke(main, [str(store_path)])
    assert done.exit_code == 2
    assert "this is no terminal" in done.output
    command = re.search(r"use: sing-tui FILE (.*)", done.output)
    twin = CliRunner().invoke(main, [str(store_path), *command[1].split()])
    assert twin.exit_code == 0
    assert [line.partition(",")[0] for line in twin.output.splitlines()] == ["model", "alpha", "beta"]


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "xterm", "COLORTERM": ""}], ids=["none", "sixteen"])
def test_few_colours_or_none_are_the_terminals_own(store_path: Path, tmp_path: Path, more: dict[str, str]) -> None:
    write_state(tmp_path / "state" / "sing-tui" / "state.json", State(hint_seen=True))
    command = [sys.executable, "-m", "sing_tui", str(store_path)]
    with Terminal(command, size=(80, 24), environment=environment(tmp_path, **more)) as app:
        app.wait_screen(lambda text: " 1 of " in text and " alpha " in text)
        app.send("Q")
        assert app.wait_end() == 0
        codes = re.findall(rb"\x1b\[([0-9;]*)m", bytes(app.output))
    assert codes
    assert not [code for code in codes if b"38;" in code or b"48;" in code]
