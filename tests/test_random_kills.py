"""A run that is killed at random moments ends in the numbers of an undisturbed one."""

import signal
import time
from pathlib import Path

import numpy as np
from forked import Runs, contents
from small_run import make_inputs

KILLS = 3


def test_kills_at_random_moments_cost_nothing(runs: Runs, tmp_path: Path) -> None:
    """kill -9 anywhere, then the same command: always the undisturbed result, and never a store that is neither old nor new."""
    runs.folder = tmp_path
    options = make_inputs(tmp_path, images=200)
    output = tmp_path / "out.h5"
    runs.finish([*options, "-o", "out.h5"])
    old = output.read_bytes()
    options[1] = "second=slow_net:slow"
    command = [*options, "-o", "out.h5"]
    start = time.monotonic()
    runs.finish(command)
    duration = time.monotonic() - start
    new = contents(output)
    rng = np.random.default_rng(0)
    killed, states = 0, set()
    while killed < KILLS:
        output.write_bytes(old)
        runs.start(command)
        time.sleep(rng.uniform(0, duration))
        runs.kill()
        if runs.end()[0] == -signal.SIGKILL:
            killed += 1
        else:  # the run ended first, as the machine has become faster: this try does not count, and later kills come earlier
            duration *= 0.9
        states.add("old" if output.read_bytes() == old else "new" if contents(output) == new else "neither")
        runs.finish(command)
        assert contents(output) == new
        assert not (tmp_path / "out.h5.work").exists()
    assert states <= {"old", "new"}
    assert not list(tmp_path.glob("*.tmp"))
