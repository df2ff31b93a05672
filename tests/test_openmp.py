"""Waiting threads spin for a moment, not for milliseconds, unless the user has chosen how they wait."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sing_compute.openmp import CHOICES, SPINS, wait_briefly, waiting

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
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)


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
        ({}, f"GOMP_SPINCOUNT = '{SPINS}'"),
        ({"GOMP_SPINCOUNT": "77"}, "GOMP_SPINCOUNT = '77'"),
        ({"OMP_WAIT_POLICY": "passive"}, "GOMP_SPINCOUNT = '0'"),
    ],
)
def test_openmp_itself_has_the_setting_when_torch_loads_it(chosen: dict[str, str], expected: str) -> None:
    variables = os.environ | {"OMP_DISPLAY_ENV": "verbose"} | chosen
    line = [sys.executable, "-c", CODE, "--version", str(libgomp())]
    ended = subprocess.run(line, env=variables, capture_output=True, text=True, check=True)
    assert expected in ended.stderr


def test_a_users_choice_is_kept_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert waiting() == "the default of OpenMP"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    wait_briefly()
    assert "GOMP_SPINCOUNT" not in os.environ
    assert waiting() == "OMP_WAIT_POLICY=active"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    wait_briefly()
    assert waiting() == f"GOMP_SPINCOUNT={SPINS}"
    monkeypatch.delenv("GOMP_SPINCOUNT")


def test_nothing_is_set_where_torch_is_loaded_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    wait_briefly()
    assert waiting() == "the default of OpenMP"
