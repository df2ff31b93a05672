"""Processes that decode: one that hangs or cannot hand over is noticed and named, one that is slow is waited for."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import wait_for
from PIL import Image
from small_images import listed, picture, to_tensor
from torch import Tensor
from torch.utils.data import dataloader

from sing_compute.errors import ImagesError, SingError
from sing_compute.images import decoding, workers
from sing_compute.images.decoding import decode_batches
from sing_compute.images.listing import ImageList


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of a hundredth: ours, and torch's between two looks for dead workers."""
    monkeypatch.setattr(workers, "STILL_SECONDS", 0.4)
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(dataloader._MultiProcessingDataLoaderIter._try_get_data, "__defaults__", (0.05,))


def at_value(value: int, act: Callable[[], object]) -> Callable[[Image.Image], Tensor]:
    """A transform that does something else first in the image of this value."""

    def transform(image: Image.Image) -> Tensor:
        if image.getpixel((0, 0))[0] == value:
            act()
        return to_tensor(image)

    return transform


DECODES = """
import sys
from pathlib import Path
from small_images import listed, to_tensor
from sing_compute.images.decoding import decode_batches
paths = [Path(path) for path in sys.argv[1:]]
print([len(batch.tensors[0]) for batch in decode_batches(listed(paths), [to_tensor], [[0, 1], [2]], workers=1)])
"""


def test_images_are_handed_over_where_tmpdir_has_a_long_path(folder: list[Path], tmp_path: Path) -> None:
    """A socket's path has 107 bytes at most, of which its own name takes 32."""
    long = tmp_path / ("j" * 100)
    long.mkdir()
    environment = os.environ | {"TMPDIR": str(long), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", DECODES, *map(str, folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[2, 1]\n"), done.stderr
    assert list(long.iterdir()) == []


def values(batches: Iterator[Any]) -> list[float]:
    return [value for batch in batches for value in batch.tensors[0][:, 0, 0, 0].tolist()]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("act", "seen"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGSTOP), "was stopped"),
        (signal.pause, "waits for something that does not come"),
    ],
    ids=["stopped", "waiting"],
)
@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_hangs_is_ended_and_named(
    act: Callable[[], object], seen: str, count: int, folder: list[Path]
) -> None:
    batches = decode_batches(listed(folder), [at_value(10, act)], [[0], [1], [2]], workers=count)
    before = time.monotonic()
    with pytest.raises(SingError) as caught:
        list(batches)
    assert str(caught.value) == (
        f"a process that decodes images has done nothing for 0.4 s (it {seen}) and was ended; finished work is kept, the same "
        "command goes on; --workers 1 needs least memory, --workers 0 shares none"
    )
    assert time.monotonic() - before >= 0.3


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_is_slow_is_waited_for(folder: list[Path]) -> None:
    def compute() -> None:
        end = time.process_time() + 0.8
        while time.process_time() < end:
            pass

    assert values(decode_batches(listed(folder), [at_value(10, compute)], [[0], [1], [2]], workers=1)) == [0, 10, 20]


ENOUGH_LOOKS = 60
"""Three times as many looks as end a worker that hangs."""


@pytest.mark.usefixtures("impatient")
def test_a_worker_whose_disk_is_slow_is_waited_for(
    folder: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its threads sleep, apart from one that the kernel says waits for a disk."""
    seen, pipe = [0], tmp_path / "pipe"
    os.mkfifo(pipe)

    def states(pid: int) -> list[str]:
        seen[0] += 1
        if seen[0] >= ENOUGH_LOOKS:
            with suppress(OSError):  # once the worker has read its end, or before it is there
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return ["S", "D"]

    monkeypatch.setattr(workers, "_states", states)
    wait = at_value(10, pipe.read_bytes)
    assert values(decode_batches(listed(folder), [wait], [[0], [1], [2]], workers=1)) == [0, 10, 20]
    assert seen[0] >= ENOUGH_LOOKS


@pytest.mark.usefixtures("impatient")
def test_workers_that_have_nothing_to_do_are_left_alone(folder: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The network may take as long as it likes; the workers wait for it."""
    found, seen, real = [], [0], workers._states

    def states(pid: int) -> list[str]:
        seen[0] += 1
        return real(pid)

    monkeypatch.setattr(workers, "_states", states)
    for batch in decode_batches(listed(folder), [to_tensor], [[0], [1], [2]], workers=1):
        wanted = seen[0] + ENOUGH_LOOKS
        wait_for(lambda wanted=wanted: seen[0] >= wanted)
        found += batch.tensors[0][:, 0, 0, 0].tolist()
    assert found == [0, 10, 20]


def test_states_and_times_are_those_of_a_process() -> None:
    assert "R" in workers._states(os.getpid())
    before = workers._ticks(os.getpid())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert workers._ticks(os.getpid()) > before
    assert (workers._states(2**30), workers._ticks(2**30)) == ([], None)


def test_where_few_files_may_be_open_the_run_decodes_by_itself_and_says_so(folder: list[Path]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lines: list[str] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 30, hard))
    try:
        found = values(decode_batches(listed(folder), [to_tensor], [[0, 1], [2]], workers=2, say=lines.append))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == [0, 10, 20]
    assert lines == [
        "images are decoded in the process of the run, more slowly: no other can be started (Too many open files; ulimit -n)"
    ]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_an_image_that_cannot_be_opened_for_lack_of_files_is_not_skipped(
    number: int, folder: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(images: ImageList, row: int, *, ahead: bool = False) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(ImageList, "read", full)
    with pytest.raises(ImagesError, match=r"cannot be opened: Too many open files.*; finished work is kept, the same"):
        list(decode_batches(listed(folder), [to_tensor], [[0, 1]], workers=0))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Too many open files. Communication with the workers is no longer possible."),
        RuntimeError("received 0 items of ancdata"),
        OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    ],
)
def test_batches_that_cannot_be_taken_over_are_one_line(
    error: Exception, folder: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Tensor:
        raise error

    monkeypatch.setattr(decoding.WorkerWatch, "next_batch", fail)
    with pytest.raises(
        SingError, match=r"^decoded images cannot be handed over \(Too many open files.*\); finished work"
    ):
        list(decode_batches(listed(folder), [to_tensor], [[0, 1]], workers=1))


def test_a_limit_of_file_sizes_is_one_line(tmp_path: Path) -> None:
    """`ulimit -f` bounds shared memory, too."""
    paths: Sequence[Path] = [picture(tmp_path / f"{value}.bmp", value, (256, 256)) for value in range(4)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(
            SingError, match=r"^no memory for decoded images \(File too large; ulimit -f\); .*--workers 0"
        ):
            list(decode_batches(listed(paths), [to_tensor], [[0, 1, 2, 3]], workers=1))
        (batch,) = decode_batches(listed(paths), [to_tensor], [[0, 1, 2, 3]], workers=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert torch.equal(batch.tensors[0][:, 0, 0, 0], torch.arange(4.0))
