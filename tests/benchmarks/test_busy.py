"""The benchmark of a busy machine, with a program in the place of the command."""

import math
import os
import sys
from pathlib import Path

import busy
import pytest
from busy import BEFORE, POLICIES, Times, environment, measure, read, read_facts, run_once, table, write

PROGRAM = """
import json, os, sys
names = sorted(name for name in os.environ if name.startswith(("OMP_", "GOMP_", "KMP_")))
open("said.txt", "a").write(json.dumps({name: os.environ[name] for name in names}) + "\\n")
"""


def children() -> int:
    return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_each_policy_runs_by_turns_with_its_own_variables_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KMP_BLOCKTIME", "5")
    command, alive, before = [sys.executable, "-S", "-c", PROGRAM], [], children()

    def run(policy: str) -> float:
        alive.append(children() - before)
        return run_once(command, environment(policy), tmp_path)

    found = measure("busy", 3, 2, run, lambda line: None)
    assert found.keys() == POLICIES.keys()
    assert all(len(times) == 2 and all(0 < value < 60 for value in times) for times in found.values())
    said = [eval(line) for line in (tmp_path / "said.txt").read_text().splitlines()]
    assert said == [*POLICIES.values()] * 2
    assert alive == [3] * 2 * len(POLICIES)
    assert children() == before
    assert measure("idle", 3, 1, lambda policy: 1.0, lambda line: None) == {policy: [1.0] for policy in POLICIES}


def test_a_run_that_fails_ends_the_benchmark_and_one_that_takes_too_long_is_infinite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match=r"code 3:\n.*no such model"):
        run_once(
            [sys.executable, "-S", "-c", "import sys; print('no such model', file=sys.stderr); sys.exit(3)"],
            {},
            tmp_path,
        )
    monkeypatch.setattr(busy, "LIMIT", 0.2)
    assert run_once([sys.executable, "-S", "-c", "while True: pass"], {}, tmp_path) == math.inf


def test_the_table_compares_the_shortest_times_and_keeps_the_other_half(tmp_path: Path) -> None:
    times: Times = {("idle", BEFORE): [20.0, 24.0], ("idle", "one thread"): [30.0, 25.0], ("busy", BEFORE): [math.inf]}
    times |= {("kernels, busy", BEFORE): [8.0], ("kernels, busy", "one thread"): [2.0, 3.0]}
    write(tmp_path / "busy.csv", times, {"date": "today"})
    assert read(tmp_path / "busy.csv") == times
    assert read_facts(tmp_path / "busy.csv") == {"date": "today"}
    rows = {row[0]: row[1:] for row in table(times)}
    nothing = ("not measured", "")
    assert rows[BEFORE] == ("20.0 s", "1.00", f"more than {busy.LIMIT:.0f} s", "", *nothing, "8.0 s", "1.00")
    assert rows["one thread"] == ("25.0 s", "1.25", *nothing, *nothing, "2.0 s", "0.25")
    assert "| one thread | 25.0 s | 1.25 | not measured |  | not" in (tmp_path / "busy.md").read_text()
