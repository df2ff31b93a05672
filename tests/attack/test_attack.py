"""A small part of the attack; `make attack` tries much more. What it is to notice is noticed."""

from collections.abc import Iterable
from pathlib import Path

import deaths
import hostile_inputs
import hostile_terminal
import mutated_stores
import pytest
import report
from attempts import Attempt, badly_ended
from forked import Runs

SEED = 0


def held(found: Iterable[Attempt], count: int) -> list[Attempt]:
    """Return the attempts; fail if one of them has a problem, or if there are fewer."""
    tried = list(found)
    assert not [f"{each.part}:{each.number} {each.problem}" for each in tried if each.problem]
    assert len(tried) == count
    return tried


def test_a_run_that_dies_or_whose_disk_fails_ends_in_the_undisturbed_file(runs: Runs, tmp_path: Path) -> None:
    world = deaths.World(runs, tmp_path / "world", SEED)
    held(deaths.attack("deaths", world, (1, 6)), 2)
    held(deaths.attack("errno", world, (1,)), 1)


def test_mutated_files_end_well_or_in_one_line() -> None:
    held(mutated_stores.attack(SEED, range(24), screens=8), 24)


def test_hostile_inputs_are_listed_or_one_line(runs: Runs, tmp_path: Path) -> None:
    kinds = range(len(hostile_inputs.KINDS))
    held(hostile_inputs.attack(runs, SEED, kinds, tmp_path / "world"), len(kinds))


def test_hostile_texts_do_not_control_a_terminal(runs: Runs, tmp_path: Path) -> None:
    held(hostile_terminal.attack(runs, SEED, (2, 1), tmp_path / "world"), 2)


@pytest.mark.parametrize(
    "output",
    [
        b"\x1b]52;c;aGk=\x07",
        b"\x1b]0;owned\x07",
        b"\x1bPq#0\x1b\\",
        b"\x1bc",
        b"\xc2\x9b2J",
        b"a\x07b",
        "\u202egnp".encode(),
        b"\x1b[3;4r",
    ],
)
def test_what_is_not_ours_is_seen(output: bytes) -> None:
    assert hostile_terminal.strange(b"good \x1b[31mred\x1b[0m\r\n" + output, hostile_terminal.COMMANDS)
    assert hostile_terminal.strange(b"\x1b[2Kbar " + output, hostile_terminal.BAR)


def test_what_is_ours_is_not_strange() -> None:
    for output in (b"\x1b[?1049h\x1b[1;1H\x1b[38;2;1;2;3m\xe2\x94\x81\x1b[?2026$p", b"\x1b]11;?\x07", b"plain\r\n"):
        assert hostile_terminal.strange(output, hostile_terminal.COMMANDS) == ""
    assert hostile_terminal.strange(b"\x1b]52;c;aGk=\x07", hostile_terminal.COMMANDS, copied=True) == ""


@pytest.mark.parametrize(
    ("code", "lines", "said"),
    [
        (0, [], ""),
        (2, ["sing-compute: error: x"], ""),
        (2, [], "0 lines of error"),
        (1, ["Traceback (most recent call last):"], "a traceback"),
        (-11, [], "exit code -11"),
        (0, ["\x1b[31mx"], "a control character"),
    ],
)
def test_a_bad_end_is_named(code: int, lines: list[str], said: str) -> None:
    assert badly_ended(code, lines).startswith(said) or said in badly_ended(code, lines)
    assert bool(badly_ended(code, lines)) == bool(said)


def test_every_kind_of_operation_has_its_turn_before_one_comes_again() -> None:
    order = deaths.in_turn({"read image": list(range(100)), "rename": [7], "fsync": [5, 6]}, SEED)
    assert {kind for _, kind in order[:3]} == {"read image", "rename", "fsync"}
    assert sorted(at for at, kind in order if kind == "fsync") == [5, 6]
    assert len(order) == 103


def test_seeds_add_up_and_a_seed_replaces_its_own_rows(tmp_path: Path) -> None:
    path, parts = tmp_path / "x.csv", {"deaths": (1.0, "a"), "stores": (1.0, "b")}
    first = [Attempt("stores", 0, "flip", "opened"), Attempt("stores", 1, "flip", "failed", "crash")]
    report.add(path, report.counted(first, 0, "old"), parts)
    report.add(path, report.counted([Attempt("stores", n, "flip", "opened") for n in range(3)], 1, "old"), parts)
    report.add(path, report.counted([Attempt("deaths", 0, "merge", "killed")], 0, "old"), parts)
    assert "| stores | b | 5 | 1 | opened 4, failed 1 |" in path.with_suffix(".md").read_text()
    report.add(path, report.counted([Attempt("stores", n, "flip", "opened") for n in (0, 1)], 0, "new"), parts)
    text = path.with_suffix(".md").read_text()
    assert "| stores | b | 5 | 0 | opened 5 |" in text
    assert "| deaths | a | 1 | 0 | killed 1 |" in text
    assert "| stores | 0 | new | 2 | 0 |" in text
    assert "| stores | 1 | old | 3 | 0 |" in text
