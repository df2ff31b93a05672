"""`--dry-run` says what the run then takes, and leaves nothing behind."""

import re
from pathlib import Path

import pytest
from forked import Runs
from small_run import IMAGES, make_inputs

UNITS = {"bytes": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}


def size(text: str) -> float:
    number, unit = text.split()
    return float(number) * UNITS[unit]


def written(folder: Path) -> list[Path]:
    """Files and folders, without what the test's driver and Python's cache of modules add."""
    return sorted(path for path in folder.rglob("*") if "told" not in path.name and "__pycache__" not in path.parts)


def test_a_dry_run_says_what_the_run_then_takes(runs: Runs, tmp_path: Path) -> None:
    runs.folder = tmp_path
    options = [*make_inputs(tmp_path), "-o", "out.h5"]
    before = written(tmp_path)
    runs.start([*options, "--dry-run"], slow=0.64)
    code, told = runs.end()
    assert code == 0, told
    assert written(tmp_path) == before
    said = "\n".join(told)
    assert re.search(r"^images +800 of 4 classes in images$", said, re.MULTILINE)
    assert re.search(r"^batches +25 of up to 32 images; work is kept every 256 images$", said, re.MULTILINE)
    seconds = re.search(r"networks ([\d.]+) ms an image", said)
    assert seconds
    assert 20 <= float(seconds[1]) < 25  # 640 ms a batch of 32
    time = re.search(r"^time +about 0:(\d\d) for the features, then [\d:]+ for the scores$", said, re.MULTILINE)
    assert time
    assert 16 <= int(time[1]) < 20  # 800 images
    disk = re.search(r"^disk +(.*) of unfinished work and (.*) of results", said, re.MULTILINE)
    assert disk

    runs.finish(options)
    assert size(disk[2]) == pytest.approx((tmp_path / "out.h5").stat().st_size, rel=0.25)
    assert size(disk[1]) == pytest.approx((IMAGES - 1) * (32 * 4 + 8), rel=0.01)


def test_a_mistake_is_found_by_a_dry_run(runs: Runs, tmp_path: Path) -> None:
    runs.folder = tmp_path
    runs.start([*make_inputs(tmp_path), "-o", "out.h5", "--dry-run", "--class-names", "words.npz"])
    code, told = runs.end()
    assert code == 2
    assert told[-1].startswith("sing-compute: error: --class-names words.npz")


def test_a_dry_run_refuses_an_output_that_the_run_would_refuse(runs: Runs, tmp_path: Path) -> None:
    runs.folder = tmp_path
    options = [*make_inputs(tmp_path, 80), "-o", "out.h5"]
    runs.finish(options)
    (tmp_path / "images/class3/0003.png").unlink()
    runs.start([*options, "--dry-run"])
    code, told = runs.end()
    assert code == 2
    assert told[-1].startswith("sing-compute: error: out.h5")
