"""Set how long the threads of OpenMP spin when they wait for each other, and how many there are, before torch loads OpenMP."""

import os
import statistics
import sys
import time
from contextlib import suppress
from pathlib import Path

IDLE_SPINS = 10_000
"""Turns that a waiting thread spins before it sleeps (GOMP_SPINCOUNT): about a tenth of a millisecond. libgomp's own 300,000
are some milliseconds, in which it takes a core from the thread that is waited for, if other work comes
(benchmarks/results/busy.md)."""
BUSY_SPINS = 0
"""The same where other programs are running already: a waiting thread sleeps at once."""
FREE_SHARE = 0.75
"""Share of this process's cores below which the machine is busy."""
SAMPLES, PAUSE = 5, 0.003
"""Number of looks at what is running, and seconds between them."""
CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user chooses how threads wait; if one of them is set, nothing is changed."""
STAT, QUOTA = Path("/proc/stat"), Path("/sys/fs/cgroup/cpu.max")


def settle_threads() -> None:
    """Choose how threads wait by what else is running, and no more threads than a container has cores, unless the user chose.

    How threads wait changes no result, only times. It has no effect in a process that has loaded torch already.
    """
    if "torch" in sys.modules:
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = _quota()
    if allowed is not None and allowed < cores and "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(max(1, int(allowed)))
    if not any(name in os.environ for name in CHOICES):
        free = (os.cpu_count() or 1) - _others_running()
        os.environ["GOMP_SPINCOUNT"] = str(BUSY_SPINS if free < FREE_SHARE * cores else IDLE_SPINS)


def waiting() -> str:
    """Return how threads wait, as it is stored with the results: the variables that say so, or that none is set."""
    found = [f"{name}={os.environ[name]}" for name in CHOICES if name in os.environ]
    return ", ".join(found) or "the default of OpenMP"


def _others_running() -> float:
    """Return the number of other threads that are running or wait for a core, the median of a few looks; 0 if not known."""
    counts = []
    with suppress(OSError, ValueError, IndexError):
        for look in range(SAMPLES):
            if look:
                time.sleep(PAUSE)
            line = next(line for line in STAT.read_text().splitlines() if line.startswith("procs_running"))
            counts.append(int(line.split()[1]) - 1)
    return statistics.median(counts) if counts else 0


def _quota() -> float | None:
    """Return the number of cores that a container may use; None if it is not limited."""
    with suppress(OSError, ValueError):
        quota, period = QUOTA.read_text().split()
        return int(quota) / int(period) if quota != "max" else None
    return None
