"""Handing batches over where there is little shared memory, as in a container."""

import errno
import gc
import multiprocessing.synchronize
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_images import listed, picture, to_tensor

from sing_compute.errors import SingError
from sing_compute.images import shared_memory
from sing_compute.images.decoding import decode_batches

LIMITED = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size="$0" tmpfs /dev/shm && exec "$@"']
"""Runs a command with so many bytes in /dev/shm."""
PROGRAM = """
import sys
from pathlib import Path
from small_images import listed, picture, to_tensor
from sing_compute.images.decoding import decode_batches
folder = Path(sys.argv[1])
paths = [picture(folder / f"{value}.bmp", value, (512, 512)) for value in range(40)]
total, lines = 0.0, []
for batch in decode_batches(listed(paths), [to_tensor], [range(20), range(20, 40)] * 2, workers=2, say=lines.append):
    total += batch.tensors[0][:, 0, 0, 0].sum().item()
print(total, *lines)
"""
"""Hands four batches of 63 MB over, and prints the sum of the first pixel of each image."""


def may_mount() -> bool:
    try:
        return subprocess.run([*LIMITED, "1m", "true"], capture_output=True).returncode == 0
    except OSError:
        return False


def run_limited(size: str, folder: Path) -> str:
    if not may_mount():
        pytest.skip("only root, where mounting is allowed, can limit /dev/shm")
    tests = Path(__file__).parents[1]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    command = [*LIMITED, size, sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_64_mb_of_shared_memory_are_enough(tmp_path: Path) -> None:
    assert run_limited("64m", tmp_path) == "1560.0"


def test_without_shared_memory_the_run_decodes_by_itself_and_says_so(tmp_path: Path) -> None:
    assert run_limited("4k", tmp_path) == (
        "1560.0 images are decoded in the process of the run, more slowly: no other can be started "
        "(No space left on device; /dev/shm?)"
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOENT, errno.ENOSYS])
def test_a_system_without_semaphores_is_said_in_one_line(
    number: int, folder: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", refuse)
    lines: list[str] = []
    batches = list(decode_batches(listed(folder), [to_tensor], [[0, 1], [2]], workers=2, say=lines.append))
    assert [batch.tensors[0][:, 0, 0, 0].tolist() for batch in batches] == [[0, 10], [20]]
    assert lines == [
        "images are decoded in the process of the run, more slowly: no other can be started "
        f"({os.strerror(number)}; /dev/shm?)"
    ]


@pytest.mark.parametrize("memory", ["memfd", "file"])
def test_tensors_arrive_as_they_were_and_can_be_written(
    memory: str, folder: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if memory == "file":
        monkeypatch.delattr(os, "memfd_create")
    kinds = [
        lambda image: to_tensor(image).half(),
        lambda image: to_tensor(image) > 15,
        lambda image: to_tensor(image)[0, 0, 0],
        lambda image: to_tensor(image)[:, :0],
        lambda image: to_tensor(image)[:, ::2].double(),
    ]
    here, there = (list(decode_batches(listed(folder), kinds, [[0, 1, 2]], workers=n)) for n in (0, 1))
    for left, right in zip(here[0].tensors, there[0].tensors, strict=True):
        assert torch.equal(left, right)
        assert (left.dtype, left.stride()) == (right.dtype, right.stride())
    there[0].tensors[0].mul_(2)
    assert there[0].tensors[0][:, 0, 0, 0].tolist() == [0, 20, 40]


def test_a_batch_may_outlive_its_worker(folder: list[Path]) -> None:
    batches = list(decode_batches(listed(folder), [to_tensor], [[0, 1], [2]], workers=1))
    assert [batch.tensors[0][:, 0, 0, 0].tolist() for batch in batches] == [[0, 10], [20]]


def test_memory_that_is_refused_is_an_error_and_no_endless_wait(
    folder: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(size: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shared_memory, "_memory", full)
    with pytest.raises(SingError, match=r"^no memory for decoded images \(No space left on device\); .*--workers 1"):
        list(decode_batches(listed(folder), [to_tensor], [[0, 1]], workers=1))


def memories() -> int:
    """Number of open descriptors of memory that was handed over; each mapped tensor holds one."""
    links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    return sum("sing-images" in os.readlink(link) for link in links if os.path.islink(link))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has memory without a name")
def test_memory_is_given_back_with_its_batch(tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{value}.png", value) for value in range(4)]
    before = memories()
    for batch in decode_batches(listed(paths), [to_tensor], [[row] for row in range(4)] * 10, workers=1):
        assert before < memories() <= before + 8  # this batch, the last one, and those on their way
        assert len(batch.rows) == 1
    del batch
    gc.collect()
    assert memories() == before
