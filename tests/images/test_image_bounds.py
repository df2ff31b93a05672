"""Bounds on images: what is over one of them is skipped with the reason, what is below them is as it was."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ended_commands import Ended
from PIL import Image
from small_images import picture, to_tensor
from timm.data import create_transform
from torchvision import transforms
from torchvision.transforms import v2

from sing_compute.errors import SingError
from sing_compute.images.decoding import decode_batches
from sing_compute.images.given_images import GivenImages
from sing_compute.images.image_bounds import ImageBounds, resized_size
from sing_compute.images.listing import ImageList
from sing_compute.models.image_processor import ProcessorTransform
from sing_compute.pipeline.option_texts import image_bounds


def skipped(path: Path, transform: Callable[[Image.Image], object], bounds: ImageBounds) -> str:
    """The reason why one image is skipped; empty if it is not."""
    listed = ImageList.of_files(path.parent, [path.name])
    object.__setattr__(listed, "bounds", bounds)
    (batch,) = decode_batches(listed, [transform], [[0]], workers=0)
    return batch.failed[0][1] if batch.failed else ""


@pytest.mark.parametrize("size", [(1, 65_500), (8_000, 1)])
def test_a_narrow_image_is_skipped_before_it_is_resized(size: tuple[int, int], tmp_path: Path) -> None:
    usual = create_transform((3, 224, 224), is_training=False, crop_pct=0.875)
    reason = skipped(picture(tmp_path / "a.png", 9, size), usual, ImageBounds())
    assert reason.startswith(f"{size[0]} x {size[1]} pixels become ")
    assert reason.endswith("more than 33,554,432 pixels (--max-resized-pixels)")


def test_the_bounds_are_exact(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 9, (20, 10))
    resize = transforms.Compose([transforms.Resize(5), to_tensor])
    assert skipped(path, resize, ImageBounds(pixels=200, resized=50, file=path.stat().st_size)) == ""
    assert "20 x 10 pixels, more than 199 (--max-pixels)" in skipped(path, resize, ImageBounds(pixels=199))
    assert "become 10 x 5" in skipped(path, resize, ImageBounds(resized=49))
    assert "(--max-file-size)" in skipped(path, resize, ImageBounds(file=path.stat().st_size - 1))


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (7, 50), (64, 64)])
@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
def test_the_size_after_timms_resizing_is_known(size: tuple[int, int], crop_mode: str) -> None:
    steps = create_transform((3, 24, 24), is_training=False, crop_pct=0.9, crop_mode=crop_mode).transforms
    assert resized_size(steps[0], size) == pytest.approx(steps[0](Image.new("RGB", size)).size, abs=1)


@pytest.mark.parametrize("kind", [transforms.Resize, v2.Resize])
@pytest.mark.parametrize(
    "settings", [{"size": 10}, {"size": [10]}, {"size": (10, 14)}, {"size": 10, "max_size": 12}], ids=str
)
def test_the_size_after_torchvisions_resizing_is_known(kind: type, settings: dict[str, object]) -> None:
    step = kind(**settings)
    for size in ((40, 30), (30, 70)):
        assert resized_size(step, size) == pytest.approx(step(Image.new("RGB", size)).size, abs=1)


def test_the_size_after_an_image_processor_is_known_and_other_steps_are_left_alone() -> None:
    processor = ProcessorTransform(SimpleNamespace(size={"shortest_edge": 10}))
    assert resized_size(processor, (20, 40)) == (10, 20)
    assert resized_size(to_tensor, (20, 40)) is None


def test_the_options_say_the_bounds() -> None:
    assert image_bounds() == ImageBounds()
    assert image_bounds(max_pixels=5, max_resized_pixels=6, max_file_size="2MB") == ImageBounds(5, 6, 2_000_000)
    with pytest.raises(SingError, match="--max-file-size big: give a size such as 500MB"):
        image_bounds(max_file_size="big")
    assert image_bounds(max_file_size=5).file == 5


@pytest.mark.parametrize("value", [0, -1, True])
def test_bounds_from_python_that_are_no_numbers_of_pixels_are_refused(value: Any) -> None:
    for name in ("max_pixels", "max_resized_pixels"):
        with pytest.raises(SingError, match=f"--{name.replace('_', '-')} {value}: give a whole number of at least 1"):
            image_bounds(**{name: value})


def test_items_of_a_data_set_in_memory_have_the_same_bounds(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 9, (20, 10))
    content = path.read_bytes()
    image = Image.open(path)
    items = GivenImages([(each, 0) for each in (image, content, path, np.asarray(image))], np.arange(4))
    for row in range(4):
        assert items.image(row, ImageBounds(pixels=200, file=len(content)))[0].size == (20, 10)
        with pytest.raises(ValueError, match=r"20 x 10 pixels, more than 199 \(--max-pixels\)"):
            items.image(row, ImageBounds(pixels=199))
    for row in (1, 2):
        with pytest.raises(OSError, match=r"\(--max-file-size\)"):
            items.image(row, ImageBounds(file=len(content) - 1))


def test_the_command_takes_the_options(tmp_path: Path, command: Callable[..., Ended]) -> None:
    refused = command("--model", "resnet18", "--images", "x", "--max-file-size", "big")
    assert refused.error.startswith("--max-file-size big: give a size")
    os.mkfifo(tmp_path / "out.h5")
    refused = command("--model", "resnet18", "--images", "x", "-o", tmp_path / "out.h5")
    assert refused.error.endswith("out.h5: this is no regular file; give the name of a file")


def test_more_pixels_than_pillow_allows_if_the_user_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    monkeypatch.setattr("sing_compute.pixel_values.MOST_PIXELS", 80)
    path = picture(tmp_path / "a.png", 9, (20, 10))
    assert "exceeds limit" in skipped(path, to_tensor, ImageBounds(pixels=80))
    assert skipped(path, to_tensor, ImageBounds(pixels=200)) == ""
