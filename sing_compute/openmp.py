"""Set how long the threads of OpenMP spin when they wait for each other, before torch loads OpenMP."""

import os
import sys

SPINS = 10_000
"""Turns that a waiting thread spins before it sleeps (GOMP_SPINCOUNT): a tenth of a millisecond or more. libgomp's own 300,000
are some milliseconds, in which it takes a core from the thread that is waited for, if the machine has other work
(benchmarks/results/busy.md)."""
CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user chooses how threads wait; if one of them is set, nothing is changed."""


def wait_briefly() -> None:
    """Let waiting threads spin only for a moment, unless the user has chosen how they wait.

    It changes no result, only times. It has no effect in a process that has loaded torch already.
    """
    if "torch" not in sys.modules and not any(name in os.environ for name in CHOICES):
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)


def waiting() -> str:
    """Return how threads wait, as it is stored with the results: the variables that say so, or that none is set."""
    found = [f"{name}={os.environ[name]}" for name in CHOICES if name in os.environ]
    return ", ".join(found) or "the default of OpenMP"
