import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from sing_compute.errors import ImagesError
from sing_compute.images.decoding import Batch, decode_batches

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


def decoded(paths: list[Path], transform: object, batches: list[list[int]], workers: int = 0) -> list[Batch]:
    return list(decode_batches(paths, [transform], batches, workers=workers))


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
    (batch,) = decode_batches(folder, five, [[0, 1, 2]], workers=0)
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
    (batch,) = decode_batches(folder, pair, [[1, 2]], workers=0)
    assert batch.tensors[0][:, 0, 0, 0].tolist() == [10, 20]
    assert batch.tensors[1][:, 0, 0, 0].tolist() == [20, 40]


def test_transforms_that_timm_makes_of_equal_settings_are_one(folder: list[Path]) -> None:
    from timm.data import create_transform

    pair = [create_transform(input_size=(3, 16, 16), is_training=False) for _ in range(2)]
    (batch,) = decode_batches(folder, pair, [[1]], workers=0)
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


@pytest.mark.parametrize("workers", [0, 1])
def test_a_transform_that_does_not_resize_is_refused_in_one_line(workers: int, tmp_path: Path) -> None:
    paths = [picture(tmp_path / "small.png", 1), picture(tmp_path / "wide.png", 1, (SIDE + 2, SIDE))]
    message = r"^a transform gives tensors of several sizes \(\(3, 8, 8\), \(3, 8, 10\)\); it must resize to one$"
    with pytest.raises(ImagesError, match=message):
        decoded(paths, to_tensor, [[0, 1]], workers)
