"""The script for machines with a graphics card, in small and on the processor."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gpu
import gpu_parts
import pytest
from gpu import Part, Row, Setting, main, run_parts

PARTS = [part.name for part in gpu_parts.PARTS if part.name != "tests"]
"""Parts that are run here; the tests of the part "tests" are run among the other tests."""


def test_the_whole_script_runs_without_a_card(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["--device", "cpu", "--small", "--output", str(tmp_path), "--only", ",".join(PARTS)])
    said = capfd.readouterr()
    table = (tmp_path / "gpu-none-the-processor.md").read_text()
    assert code == 0, said.out + said.err
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line[:1] == "|"]
    parts = [row[1] for row in rows if row[0] == "time of this part"]
    assert parts == ["images", *PARTS]
    values = {(row[0], row[1]): row[2] for row in rows}
    assert values["a batch that does not fit is halved", "batch 64, then 16"] == "works"
    assert values["numbers in both files", "test_resnet"] == "same"
    speeds = [float(value) for (what, _), value in values.items() if what.startswith("ours over bare")]
    assert len(speeds) == 4  # two networks, float32 and bfloat16
    assert all(speed > 0 for speed in speeds)
    changes = [value for (what, _), value in values.items() if what.startswith("change at")]
    assert len(changes) == 3
    for change in changes:
        found = re.fullmatch(r"AS (\d+\.\d{4}), IS (\d+\.\d{4}) degrees", change)
        assert found
        assert 0 <= float(found[1]) < 5
    differences = [value for (what, _), value in values.items() if what.startswith("largest difference of any AS")]
    assert differences == ["0.0e+00 degrees"]  # the processor compared with itself
    assert re.search(r"\n- date: \d{4}-\d\d-\d\d \d\d:\d\d UTC\n", table)
    assert "torch " in table


@pytest.mark.parametrize(("device", "chosen"), [("cpu", "cpu"), ("cuda", "cuda or pinned")])
def test_the_tests_of_a_card_are_chosen_by_name(
    device: str, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: list[object], **_: object) -> SimpleNamespace:
        commands.append([str(word) for word in command])
        return SimpleNamespace(returncode=1, stdout="F\n1 failed, 2 passed in 3.00s\n", stderr="")

    monkeypatch.setattr(gpu_parts.subprocess, "run", run)
    rows = list(gpu_parts.run_tests(Setting(tmp_path, device, small=True)))
    assert [row.cells for row in rows] == [("tests", chosen, "failed", "1 failed, 2 passed in 3.00s")]
    ((*_, file, _, choice),) = commands
    assert choice == chosen
    assert f'"{device}"' in (gpu_parts.ROOT / file).read_text()  # a parameter of the tests, by which they are chosen


def setting(folder: Path) -> Setting:
    return Setting(folder, "cpu", small=True)


def good(_: Setting) -> Iterator[Row]:
    yield Row("good", "", "1")


def broken(_: Setting) -> Iterator[Row]:
    yield Row("first row", "", "2")
    raise RuntimeError("no kernel image\nmore lines")


def crashing(_: Setting) -> Iterator[Row]:
    yield Row("before the crash", "", "3")
    import os

    os.kill(os.getpid(), 9)


def endless(_: Setting) -> Iterator[Row]:
    yield Row("before the end", "", "4")
    time.sleep(600)


def test_a_part_that_fails_crashes_or_hangs_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    parts = [
        Part("broken", broken, 60), Part("crashing", crashing, 60), Part("endless", endless, 1), Part("good", good, 60),
    ]  # fmt: skip
    saved: list[int] = []
    rows = run_parts(parts, setting(tmp_path), 100, lambda rows: saved.append(len(rows)))
    found = [row.cells for row in rows if row.what != "time of this part"]
    assert found == [
        ("first row", "", "2", ""),
        ("broken", "", "failed", "RuntimeError: no kernel image"),
        ("before the crash", "", "3", ""),
        ("crashing", "", "failed", "its process ended with code -9"),
        ("before the end", "", "4", ""),
        ("endless", "", "stopped", "not finished after 1 s"),
        ("good", "", "1", ""),
    ]
    assert saved == [3, 6, 9, 11]  # the table is written after each part


def test_no_part_begins_when_the_time_is_used_up(tmp_path: Path) -> None:
    rows = run_parts([Part("good", good, 60)], setting(tmp_path), 4, lambda rows: None)
    assert [row.cells for row in rows] == [("good", "", "left out", "the 4 s of all parts are used up")]


def test_all_parts_together_are_planned_for_less_than_six_minutes() -> None:
    assert gpu.SECONDS < 360
