"""The benchmark of COMP in small: its plain form is the definition, and each figure is measured."""

from pathlib import Path

import comp as benchmark
import pytest
import torch

from sing_compute.linalg.comp import comp


def test_the_plain_form_gives_the_picks_of_comp() -> None:
    x, atoms = benchmark.world(20, 3000)
    assert torch.equal(benchmark.dense(x, atoms, 4), comp(x, atoms, (4,)).picks)


def test_each_peer_is_measured_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seconds = (6.5, 1.5, 6.0, 1.75)
    sizes = (40.0, 4.0) * 2
    answers = iter(
        {"seconds": time, "mib": size, "picks": [[1, 2]] * 4} for time, size in zip(seconds, sizes, strict=True)
    )
    monkeypatch.setattr(benchmark, "fastest_screen", lambda device: torch.float32)
    monkeypatch.setattr(benchmark.subprocess, "check_output", lambda *_, **__: benchmark.json.dumps(next(answers)))
    speed, memory = benchmark.measured(((1024, 100_000, 5),))
    assert (speed.value, speed.least, memory.value, memory.least) == (4.0, 3, 10.0, 10)
    assert "same picks 100.00%" in speed.note


def test_memory_beside_a_map_is_watched() -> None:
    found = benchmark.million(64, 4000)
    assert 0 <= found.value < 1
    assert found.most == 2
