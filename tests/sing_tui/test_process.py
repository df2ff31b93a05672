"""The explorer's process: one thread for numpy's algebra, and garbage collection as usual once the first table is there."""

import os
import subprocess
import sys

import pytest

STEPS = """
import gc, os
usual = gc.get_threshold()
from sing_tui.process import begin, settle
begin()
at_start = gc.get_threshold()[0]
settle()
print(os.environ["OPENBLAS_NUM_THREADS"], at_start > 100 * usual[0], gc.get_threshold() == usual, gc.get_freeze_count() > 0)
"""


@pytest.mark.parametrize(("threads", "kept"), [(None, "1"), ("3", "3")])
def test_the_start_is_not_held_up_by_garbage_or_idle_threads(threads: str | None, kept: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment |= {} if threads is None else {"OPENBLAS_NUM_THREADS": threads}
    found = subprocess.run([sys.executable, "-c", STEPS], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [kept, "True", "True", "True"]
