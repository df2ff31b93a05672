"""Decoding images in batches: broken images, worker processes, disks that are gone."""

import errno
import itertools
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
import torch
from PIL import Image
from small_images import SIDE, Counting, decoded, listed, picture, to_tensor
from torch import Tensor

from sing_compute.errors import ImagesError, SingError
from sing_compute.images import listing
from sing_compute.images.decoding import decode_batches
from sing_compute.images.image_sources import list_images
from sing_compute.images.image_stamps import UNREAD
from sing_compute.images.listing import ImageList
from sing_compute.outside_files import open_file


def test_broken_images_are_reported_with_the_reason_and_the_others_survive_in_order(folder: list[Path]) -> None:
    first, second = decoded(folder, to_tensor, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    assert (first.rows, second.rows) == ([0, 1, 2], [6, 7, 8])
    assert first.tensors[0][:, 0, 0, 0].tolist() == [0, 10, 20]
    assert second.tensors[0][:, 0, 0, 0].tolist() == [60, 70, 80]
    reasons = dict(first.failed + second.failed)
    assert list(reasons) == [3, 4, 5, 9]
    assert "truncated" in reasons[3]
    assert "cannot identify image file" in reasons[4]
    assert "No such file" in reasons[5]
    assert "cannot identify image file" in reasons[9]
    assert not any("\n" in reason for reason in reasons.values())


def test_a_batch_of_broken_images_has_no_tensors(folder: list[Path]) -> None:
    (batch,) = decoded(folder, to_tensor, [[3, 4]])
    assert (batch.rows, batch.tensors) == ([], [])
    assert [row for row, _ in batch.failed] == [3, 4]


def test_a_worker_process_gives_the_same_batches_as_none(folder: list[Path]) -> None:
    batches = [[8, 2, 3], [1], [4], [9, 0, 7, 6]]
    here, there = decoded(folder, to_tensor, batches), decoded(folder, to_tensor, batches, workers=1)
    assert [batch.rows for batch in here] == [[8, 2], [1], [], [0, 7, 6]]
    assert [(batch.rows, batch.failed) for batch in here] == [(batch.rows, batch.failed) for batch in there]
    for left, right in zip(here, there, strict=True):
        assert len(left.tensors) == len(right.tensors)
        assert all(map(torch.equal, left.tensors, right.tensors))


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_lie_channels_last_in_memory(folder: list[Path], workers: int) -> None:
    (batch,) = decoded(folder, to_tensor, [[0, 1, 2]], workers=workers)
    assert batch.tensors[0].shape == (3, 3, SIDE, SIDE)
    assert batch.tensors[0].stride() == (3 * SIDE * SIDE, 1, 3 * SIDE, 3)


def test_the_images_of_a_batch_are_read_at_once(folder: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(6)
    real = ImageList.read

    def waiting(self: ImageList, row: int, *, ahead: bool = False) -> bytes | None:
        together.wait(timeout=30)
        return real(self, row, ahead=ahead)

    monkeypatch.setattr(ImageList, "read", waiting)
    (batch,) = decode_batches(listed(folder), [to_tensor], [[8, 7, 6, 2, 1, 0]], workers=0)
    assert batch.tensors[0][:, 0, 0, 0].tolist() == [80, 70, 60, 20, 10, 0]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_asked_for_a_few_ahead_only(workers: int, folder: list[Path]) -> None:
    asked: list[int] = []

    def endless() -> Iterator[range]:
        for number in itertools.count():
            asked.append(number)
            yield range(2)

    stream = decode_batches(listed(folder), [to_tensor], endless(), workers=workers)
    for _ in range(3):
        assert next(stream).rows == [0, 1]
    assert len(asked) <= 3 + 2 * workers
    stream.close()


def killed(image: Image.Image) -> Tensor:
    if image.getpixel((0, 0)) == (70, 70, 70):
        os.kill(os.getpid(), signal.SIGKILL)
    return to_tensor(image)


def test_a_worker_that_is_killed_ends_in_one_line_and_leaves_what_was_done(folder: list[Path]) -> None:
    stream = decode_batches(listed(folder), [killed], [[0, 1], [2], [7]], workers=1)
    assert next(stream).rows == [0, 1]
    with pytest.raises(
        SingError, match=r"^a process that decodes images was killed \(out of memory\?\); finished work is kept, .*"
    ) as caught:
        list(stream)
    assert "\n" not in str(caught.value)
    assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL


@pytest.mark.parametrize("kind", [RuntimeError, FileNotFoundError])
def test_an_error_of_a_worker_is_not_taken_for_its_death(
    kind: type[Exception], folder: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **options: object) -> None:
        raise kind("of the program itself")

    monkeypatch.setattr(torch, "stack", fail)
    with pytest.raises(kind, match="of the program itself"):
        list(decode_batches(listed(folder), [to_tensor], [[0, 1]], workers=1))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.ETIMEDOUT])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_disk_that_is_gone_ends_the_run_and_nothing_of_its_batch_is_kept(
    workers: int, number: int, folder: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Path, *, most: int) -> BinaryIO:
        if path.name == "7.png":
            raise OSError(number, os.strerror(number), str(path))
        return open_file(path, most=most)

    monkeypatch.setattr(listing, "open_file", opened)
    stream = decode_batches(listed(folder), [to_tensor], [[0, 5], [6, 7, 8]], workers=workers)
    assert next(stream).rows == [0]
    with pytest.raises(
        ImagesError, match=r"7.png cannot be read, the images' disk is gone \(.*\); finished work is kept"
    ):
        next(stream)


def test_an_error_of_one_file_is_not_the_disks(folder: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(path: Path, *, most: int) -> BinaryIO:
        if path.name == "7.png":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return open_file(path, most=most)

    monkeypatch.setattr(listing, "open_file", opened)
    (batch,) = decode_batches(listed(folder), [to_tensor], [[6, 7, 8, 3]], workers=0)
    assert (batch.rows, [row for row, _ in batch.failed]) == ([6, 8], [7, 3])
    assert batch.stamps[7] == UNREAD, "it would not be tried again"
    assert batch.stamps[3] != UNREAD, "it is broken, and would be tried again and again"


def test_a_folder_that_is_gone_is_a_disk_that_is_gone(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        picture(tmp_path / name / "1.png", 10)
        picture(tmp_path / name / "2.png", 20)
    images = list_images(tmp_path)
    (tmp_path / "cat" / "2.png").unlink()
    (tmp_path / "dog").rename(tmp_path / "away")
    (batch,) = decode_batches(images, [to_tensor], [[0, 1]], workers=0)
    assert (batch.rows, [row for row, _ in batch.failed]) == ([0], [1])
    assert [images.size(row) for row in (0, 1)] == [(tmp_path / "cat" / "1.png").stat().st_size, -1]
    gone = (
        rf"^3 of 4 images are missing, first {tmp_path}/cat/2.png: are the paths right \(.*\), and is their disk there\? "
        "Finished work is kept, the same command goes on$"
    )
    with pytest.raises(ImagesError, match=gone):
        list(decode_batches(images, [to_tensor], [[0, 2]], workers=0))
    with pytest.raises(ImagesError, match=gone):
        images.size(2)
    tmp_path.rename(tmp_path.with_name("unmounted"))
    with pytest.raises(
        ImagesError, match=r"dog/1.png cannot be read, the images' disk is gone \(.*/dog is not there\); "
    ):
        images.size(2)
    tmp_path.with_name("unmounted").rename(tmp_path)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pinned memory needs a GPU")
@pytest.mark.parametrize("workers", [0, 1])
def test_pinned_batches_hold_the_same(workers: int, folder: list[Path]) -> None:
    (batch,) = decode_batches(listed(folder), [to_tensor, Counting(1)], [[0, 3, 1]], workers=workers, pin=True)
    assert (batch.rows, [row for row, _ in batch.failed]) == ([0, 1], [3])
    assert all(tensor.is_pinned() for tensor in batch.tensors)
    assert [tensor[:, 0, 0, 0].tolist() for tensor in batch.tensors] == [[0, 10], [1, 11]]
