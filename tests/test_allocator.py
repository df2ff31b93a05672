import subprocess
import sys
from pathlib import Path

import pytest

PAGE = 4096
SIZE = 40 * 2**20
PROGRAM = f"""
import ctypes, resource, threading
from contextlib import nullcontext
from sing_compute.allocator import keeping_memory, share_one_heap

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        b"1" * {SIZE}
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def held():
    return int(open("/proc/self/statm").read().split()[1]) * {PAGE}

def in_a_thread(block):
    found = []
    def work():
        with block:
            faults()  # the first time the pages are new
            found.append(faults())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: pages of one size, whatever the machine is set to
share_one_heap()
before = held()
print(in_a_thread(nullcontext()), in_a_thread(keeping_memory()), in_a_thread(nullcontext()), held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux" or not Path("/lib64/ld-linux-x86-64.so.2").exists(), reason="needs glibc")
def test_memory_that_is_kept_is_not_asked_for_again_and_goes_back_afterwards() -> None:
    """Counted by the system: ten blocks of 40 MB, written to, take 10,240 pages each; larger than a thread's own heap."""
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    plain, kept, after, held = (int(word) for word in found.stdout.split())
    assert plain > 5 * SIZE / PAGE
    assert kept < 0.1 * SIZE / PAGE
    assert after > 5 * SIZE / PAGE
    assert held < SIZE / 2


COLUMNS = 8 * 2**20
COLUMN_PROGRAM = f"""
import resource, sys
from sing_compute.allocator import return_blocks_above

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        b"1" * {COLUMNS}
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1:]:
    return_blocks_above(2**22)
faults()  # the first time the pages are new
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux" or not Path("/lib64/ld-linux-x86-64.so.2").exists(), reason="needs glibc")
@pytest.mark.parametrize("returned", [False, True])
def test_large_blocks_go_back_at_once_where_that_is_asked_for(returned: bool) -> None:
    """Ten blocks of 8 MB, written to, take 2,048 pages each where the system has them back; else they reuse them."""
    command = [sys.executable, "-c", COLUMN_PROGRAM, *(["return"] if returned else [])]
    pages = int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert (pages > 9 * COLUMNS / PAGE) == returned
    assert (pages < COLUMNS / PAGE) != returned
