"""Waiting threads spin for a moment on an idle machine and sleep at once on a busy one, unless the user has chosen."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sing_compute import openmp
from sing_compute.openmp import BUSY_SPINS, CHOICES, IDLE_SPINS, settle_threads, waiting

CODE = """
import ctypes, sys
from sing_compute.cli import main
try:
    main()
except SystemExit:
    pass
ctypes.CDLL(sys.argv[2])  # what torch loads; it prints its settings when it is loaded
"""


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without a choice of the user, as if torch were not loaded, on four cores of four."""
    for name in (*CHOICES, "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(openmp, "QUOTA", Path("/nothing"))
    monkeypatch.setattr(openmp, "PAUSE", 0)


def libgomp() -> Path:
    """The OpenMP of torch, without loading torch."""
    torch = importlib.util.find_spec("torch")
    assert torch is not None
    assert torch.origin is not None
    found = sorted(Path(torch.origin).parent.glob("lib/libgomp*"))
    if not found:
        pytest.skip("this torch brings no libgomp of its own")
    return found[0]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, (f"GOMP_SPINCOUNT = '{IDLE_SPINS}'", f"GOMP_SPINCOUNT = '{BUSY_SPINS}'")),
        ({"GOMP_SPINCOUNT": "77"}, ("GOMP_SPINCOUNT = '77'",)),
        ({"OMP_WAIT_POLICY": "passive"}, ("GOMP_SPINCOUNT = '0'",)),
    ],
)
def test_openmp_itself_has_the_setting_when_torch_loads_it(chosen: dict[str, str], expected: tuple[str, ...]) -> None:
    variables = os.environ | {"OMP_DISPLAY_ENV": "verbose"} | chosen
    line = [sys.executable, "-c", CODE, "--version", str(libgomp())]
    ended = subprocess.run(line, env=variables, capture_output=True, text=True, check=True)
    assert any(text in ended.stderr for text in expected), ended.stderr


@pytest.mark.parametrize(
    ("running", "cores", "spins"),
    [
        (1, 4, IDLE_SPINS),
        (2, 4, IDLE_SPINS),
        (3, 4, BUSY_SPINS),
        (13, 4, BUSY_SPINS),
        (3, 2, IDLE_SPINS),
        (4, 2, BUSY_SPINS),
    ],
)
def test_threads_sleep_at_once_where_others_need_the_cores(
    running: int, cores: int, spins: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four cores, this process may use some; one of the running threads is its own."""
    (tmp_path / "stat").write_text(f"cpu 1 2 3\nprocs_running {running}\nprocs_blocked 0\n")
    monkeypatch.setattr(openmp, "STAT", tmp_path / "stat")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    settle_threads()
    assert waiting() == f"GOMP_SPINCOUNT={spins}"
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_system_that_does_not_say_what_is_running_counts_as_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "STAT", Path("/nothing"))
    settle_threads()
    assert waiting() == f"GOMP_SPINCOUNT={IDLE_SPINS}"


@pytest.mark.parametrize(
    ("quota", "threads"),
    [
        ("max 100000", None),
        ("200000 100000", "2"),
        ("50000 100000", "1"),
        ("250000 100000", "2"),
        ("900000 100000", None),
    ],
)
def test_a_container_of_few_cores_gets_no_more_threads(
    quota: str, threads: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(openmp, "QUOTA", tmp_path / "cpu.max")
    settle_threads()
    assert os.environ.get("OMP_NUM_THREADS") == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    settle_threads()
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_users_choice_is_kept_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waiting() == "the default of OpenMP"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    settle_threads()
    assert "GOMP_SPINCOUNT" not in os.environ
    assert waiting() == "OMP_WAIT_POLICY=active"


def test_nothing_is_set_where_torch_is_loaded_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    settle_threads()
    assert waiting() == "the default of OpenMP"
