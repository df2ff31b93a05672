"""Transforms of several models on the same images: equal steps run once, results are the same to the bit."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_images import SIDE, Counting, decoded, listed, picture, to_tensor
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import v2

from sing_compute.errors import ImagesError
from sing_compute.images.decoding import decode_batches
from sing_compute.images.listing import ImageList


def scaled(image: Image.Image, by: float) -> Tensor:
    return to_tensor(image) * by


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


@pytest.mark.parametrize("workers", [0, 1])
def test_a_transform_that_does_not_resize_is_refused_in_one_line(workers: int, tmp_path: Path) -> None:
    paths = [picture(tmp_path / "small.png", 1), picture(tmp_path / "wide.png", 1, (SIDE + 2, SIDE))]
    message = r"^a transform gives tensors of several sizes \(\(3, 8, 8\), \(3, 8, 10\)\); it must resize to one$"
    with pytest.raises(ImagesError, match=message):
        decoded(paths, to_tensor, [[0, 1]], workers)
