"""Commands `sing-compute render` in tests: their options, the pictures that they wrote, and how a refused one ends."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from ended_commands import Ended

from sing_compute.store import Store
from sing_compute.store.checks.look import Findings, Look
from sing_compute.store.definitions.renders import RENDERS
from sing_compute.store.value_checks import check_values, stored_fields

Command = Callable[..., Ended]
G = "models/first/renders/"
FEW = ("--class", "cat", "--top", "2", "--steps", "2", "--device", "cpu")


def jpegs(path: Path) -> list[bytes]:
    with Store(path) as store:
        edges, data = store.array(f"{G}pictures/edge"), store.array(f"{G}pictures/jpeg").tobytes()
    return [data[start:stop] for start, stop in pairwise(edges)]


def problems(path: Path) -> list[str]:
    """Return what the ranges and checks of the pictures find: the part of `verify` that is about them."""
    findings = Findings()
    with Store(path) as store:
        for stored in stored_fields(store, RENDERS):
            check_values(store, stored, findings)
        look = Look(store, "models/first/", "first", findings, full=True)
        for check in RENDERS.checks:
            if all(need.format(model="first") in store for need in check.needs):
                check.run(look)
    return findings.problems


def refused(ended: Ended, *words: str) -> None:
    """Check that a command has ended with one line that holds some words, and no traceback."""
    assert ended.code == 2, ended.err
    last = ended.err.strip().splitlines()[-1]
    assert "Traceback" not in ended.err
    for word in words:
        assert word in last, last
