"""The tables of memory and growth, from numbers whose answers are known."""

from pathlib import Path

import growth
import memory
import pytest
from growth import AXES, BASE, Row, exponent
from memory import World


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_a_power_law(power: float) -> None:
    assert exponent([3, 6, 12, 24], [0.7 * size**power for size in (3, 6, 12, 24)]) == pytest.approx(power)


def test_growth_is_written_axis_by_axis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(growth, "RESULTS", tmp_path)
    powers = dict(zip(AXES, (1.0, 0.0, 2.0, 0.5), strict=True))
    rows = [Row(axis, 2**k, 10 * 2 ** (k * powers[axis]), 300.0) for axis in AXES for k in range(4)]
    growth.write(rows, BASE, 1)
    last = (tmp_path / "growth.md").read_text().splitlines()[-1]
    assert last == "| exponent | 1.00 | 0.00 | 0.00 | 0.00 | 2.00 | 0.00 | 0.50 | 0.00 |"
    assert (tmp_path / "growth.csv").read_text().splitlines()[4] == "images,8,80.0,300.0"


def test_memory_is_compared_with_the_smallest_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "RESULTS", tmp_path)
    monkeypatch.setattr(memory, "usage_of", lambda world: memory.Usage(1.0, 300.0, 400.0 + world.images / 2**20, 700.0))
    memory.main(["--images", "1048576", "11534336"])
    table = (tmp_path / "memory.csv").read_text().splitlines()
    assert table[1].endswith(",401.0,700.0,0.0,0.0")
    assert table[2].endswith(",411.0,700.0,0.0249,1.0")
    assert "| 11,534,336 | 1 | 300 | 411 | 700 | +2.5% | 1 |" in (tmp_path / "memory.md").read_text()


def test_a_world_that_cannot_be_measured_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="failed with code"):
        memory.usage_of(World(images=0), script="/nothing.py")
