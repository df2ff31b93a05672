import errno
import io
import itertools
import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import v2

from sing_compute.errors import ImagesError, SingError
from sing_compute.images.decoding import Batch, decode_batches
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import ImageList

SIDE = 8


def to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()


def scaled(image: Image.Image, by: float) -> Tensor:
    return to_tensor(image) * by


def picture(path: Path, value: int, size: tuple[int, int] = (SIDE, SIDE)) -> Path:
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> list[Path]:
    """Ten images whose grey value is ten times their row; rows 3, 4, 5 and 9 cannot be read."""
    paths = [picture(tmp_path / f"{row}.png", 10 * row) for row in range(10)]
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole, "jpeg")
    paths[3] = tmp_path / "torn.jpg"
    paths[3].write_bytes(whole.getvalue()[:1500])
    paths[4] = tmp_path / "text.jpg"
    paths[4].write_text("this is no image")
    paths[5] = tmp_path / "absent.png"
    paths[9] = tmp_path / "empty.gif"
    paths[9].touch()
    return paths


def listed(paths: list[Path]) -> ImageList:
    return ImageList.of_files(Path(), [path.as_posix() for path in paths])


def decoded(paths: list[Path], transform: object, batches: list[list[int]], workers: int = 0) -> list[Batch]:
    return list(decode_batches(listed(paths), [transform], batches, workers=workers))


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


class Counting:
    """A transform that counts its calls; equal settings make equal transforms, as pickle sees them."""

    calls = 0

    def __init__(self, offset: float) -> None:
        self.offset = torch.tensor([offset, 0.0])

    def __call__(self, image: Image.Image) -> Tensor:
        type(self).calls += 1
        return to_tensor(image) + self.offset[0]

    def __repr__(self) -> str:
        return "Counting()"


def test_equal_transforms_run_once_per_image_and_different_ones_each(folder: list[Path], monkeypatch) -> None:
    monkeypatch.setattr(Counting, "calls", 0)
    five = [Counting(1), Counting(1), Counting(2), Counting(1), Counting(1.00001)]
    (batch,) = decode_batches(listed(folder), five, [[0, 1, 2]], workers=0)
    assert Counting.calls == 3 * 3
    assert [tensor[1, 0, 0, 0].item() for tensor in batch.tensors] == pytest.approx([11, 11, 12, 11, 11.00001])
    assert batch.tensors[4][1, 0, 0, 0] != batch.tensors[3][1, 0, 0, 0]


@pytest.mark.parametrize(
    "pair",
    [
        (transforms.Lambda(lambda image: scaled(image, 1)), transforms.Lambda(lambda image: scaled(image, 2))),
        (lambda image: scaled(image, 1), lambda image: scaled(image, 2)),
        (partial(scaled, by=1), partial(scaled, by=2)),
        (transforms.Lambda(partial(scaled, by=1)), transforms.Lambda(partial(scaled, by=2))),
    ],
    ids=["Lambda of lambda", "lambda", "partial", "Lambda of partial"],
)
def test_transforms_that_only_look_alike_both_run(pair: tuple[object, object], folder: list[Path]) -> None:
    (batch,) = decode_batches(listed(folder), pair, [[1, 2]], workers=0)
    assert batch.tensors[0][:, 0, 0, 0].tolist() == [10, 20]
    assert batch.tensors[1][:, 0, 0, 0].tolist() == [20, 40]


def test_transforms_that_timm_makes_of_equal_settings_are_one(folder: list[Path]) -> None:
    from timm.data import create_transform

    pair = [create_transform(input_size=(3, 16, 16), is_training=False) for _ in range(2)]
    (batch,) = decode_batches(listed(folder), pair, [[1]], workers=0)
    assert batch.tensors[0] is batch.tensors[1]


def alpha_palette() -> Image.Image:
    image = Image.new("P", (SIDE, SIDE), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    return image


MODES = {
    "L": (Image.new("L", (SIDE, SIDE), 77), "png", (77, 77, 77)),
    "1": (Image.new("1", (SIDE, SIDE), 1), "png", (255, 255, 255)),
    "LA": (Image.new("LA", (SIDE, SIDE), (77, 10)), "png", (77, 77, 77)),
    "RGBA": (Image.new("RGBA", (SIDE, SIDE), (10, 20, 30, 40)), "png", (10, 20, 30)),
    "P": (alpha_palette(), "png", (255, 0, 0)),
    "GIF": (alpha_palette(), "gif", (255, 0, 0)),
    "CMYK": (Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0)), "tiff", (255, 0, 0)),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_image_becomes_rgb(mode: str, tmp_path: Path) -> None:
    image, ending, colour = MODES[mode]
    image.save(tmp_path / f"image.{ending}")
    (batch,) = decoded([tmp_path / f"image.{ending}"], to_tensor, [[0]])
    assert batch.failed == []
    assert batch.tensors[0].shape == (1, 3, SIDE, SIDE)
    assert batch.tensors[0][0, :, 0, 0].tolist() == list(colour)


SETTINGS = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
RESIZED = transforms.Resize(7)


class Blackened:
    """A step that spoils what it is given, as one with `inplace` may."""

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.zero_()
        value.paste((0, 0, 0), (0, 0, *value.size))
        return value


ROADS = {
    "two normalisations": [
        transforms.Compose([transforms.Resize(7), transforms.CenterCrop(5), transforms.ToTensor(), after])
        for after in (transforms.Normalize(**SETTINGS), transforms.Normalize([0.0] * 3, [0.1] * 3))
    ],
    "two crops": [
        transforms.Compose([transforms.Resize(7), transforms.CenterCrop(size), transforms.ToTensor()])
        for size in (5, 6, (5, 6))
    ],
    "in place": [
        transforms.Compose(
            [transforms.Resize(7), transforms.ToTensor(), transforms.Normalize(**SETTINGS, inplace=place)]
        )
        for place in (True, False, True)
    ],
    "one ends where another goes on": [
        transforms.Compose([transforms.Resize(7), transforms.ToTensor()]),
        transforms.Compose([transforms.Resize(7), transforms.ToTensor(), Blackened()]),
        transforms.Compose([transforms.Resize(7), Blackened(), transforms.ToTensor()]),
        transforms.Compose([transforms.Resize(7), transforms.ToTensor(), transforms.Normalize(**SETTINGS)]),
    ],
    "the picture itself is spoilt": [transforms.Compose([Blackened(), transforms.ToTensor()]), transforms.ToTensor()],
    "nested, and of the second version": [
        transforms.Compose([transforms.Compose([transforms.Resize(7)]), transforms.ToTensor()]),
        v2.Compose([transforms.Resize(7), transforms.ToTensor(), v2.Normalize(**SETTINGS)]),
        transforms.Compose([lambda image: image.resize((7, 7)), to_tensor]),
    ],
    "one object in two": [
        transforms.Compose([RESIZED, to_tensor]),
        transforms.Compose([RESIZED, partial(scaled, by=2)]),
    ],
}


@pytest.mark.parametrize("road", ROADS)
def test_shared_steps_give_what_each_transform_gives_alone_to_the_bit(road: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (3, 11, 13, 3), dtype=np.uint8)
    for row, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{row}.png")
    images = ImageList.of_files(tmp_path, [f"{row}.png" for row in range(3)])
    (batch,) = decode_batches(images, ROADS[road], [range(3)], workers=0)
    for transform, tensor in zip(ROADS[road], batch.tensors, strict=True):
        alone = torch.stack([transform(Image.fromarray(pixels)) for pixels in noise])
        assert torch.equal(tensor, alone)


def test_steps_that_begin_transforms_alike_run_once(folder: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counting, "calls", 0)
    roads = [transforms.Compose([Counting(1), partial(torch.mul, other)]) for other in (2, 3)]
    roads += [transforms.Compose([Counting(1)]), Counting(1), transforms.Compose([Counting(2)])]
    (batch,) = decode_batches(listed(folder), roads, [[0, 1]], workers=0)
    assert Counting.calls == 2 * 2
    assert [tensor[1, 0, 0, 0].item() for tensor in batch.tensors] == [22, 33, 11, 11, 12]


def test_the_images_of_a_batch_are_read_at_once(folder: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(6)
    real = ImageList.read

    def waiting(self: ImageList, row: int) -> bytes:
        together.wait(timeout=30)
        return real(self, row)

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
    real = Path.read_bytes

    def read(self: Path) -> bytes:
        if self.name == "7.png":
            raise OSError(number, os.strerror(number), str(self))
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read)
    stream = decode_batches(listed(folder), [to_tensor], [[0, 5], [6, 7, 8]], workers=workers)
    assert next(stream).rows == [0]
    with pytest.raises(
        ImagesError, match=r"7.png cannot be read, the images' disk is gone \(.*\); finished work is kept"
    ):
        next(stream)


def test_an_error_of_one_file_is_not_the_disks(folder: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_bytes

    def read(self: Path) -> bytes:
        if self.name == "7.png":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read)
    (batch,) = decode_batches(listed(folder), [to_tensor], [[6, 7, 8]], workers=0)
    assert (batch.rows, [row for row, _ in batch.failed]) == ([6, 8], [7])


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
        r"dog/1.png cannot be read, the images' disk is gone \(.*/dog is not there\); finished work is kept, the same"
    )
    with pytest.raises(ImagesError, match=gone):
        list(decode_batches(images, [to_tensor], [[0, 2]], workers=0))
    with pytest.raises(ImagesError, match=gone):
        images.size(2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pinned memory needs a GPU")
@pytest.mark.parametrize("workers", [0, 1])
def test_pinned_batches_hold_the_same(workers: int, folder: list[Path]) -> None:
    (batch,) = decode_batches(listed(folder), [to_tensor, Counting(1)], [[0, 3, 1]], workers=workers, pin=True)
    assert (batch.rows, [row for row, _ in batch.failed]) == ([0, 1], [3])
    assert all(tensor.is_pinned() for tensor in batch.tensors)
    assert [tensor[:, 0, 0, 0].tolist() for tensor in batch.tensors] == [[0, 10], [1, 11]]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_transform_that_does_not_resize_is_refused_in_one_line(workers: int, tmp_path: Path) -> None:
    paths = [picture(tmp_path / "small.png", 1), picture(tmp_path / "wide.png", 1, (SIDE + 2, SIDE))]
    message = r"^a transform gives tensors of several sizes \(\(3, 8, 8\), \(3, 8, 10\)\); it must resize to one$"
    with pytest.raises(ImagesError, match=message):
        decoded(paths, to_tensor, [[0, 1]], workers)
