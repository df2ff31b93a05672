"""The value of every kind of pixel: planted pictures with a known mean colour, through the loader of a run."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, TiffImagePlugin
from small_images import decoded, listed, to_tensor

from sing_compute.errors import ImagesError
from sing_compute.extraction.features import attach_heads
from sing_compute.images.decoding import Batch

RAMP = np.linspace(0, 1, 64)[None].repeat(8, axis=0)
"""Greys from black to white; their mean is one half."""
HALF = (127.5,) * 3
RED, BLUE, BROWN = (250, 20, 10), (10, 20, 250), (150, 90, 60)
Plant = Callable[[Path], None]


def one(path: Path, workers: int = 0) -> Batch:
    (batch,) = decoded([path], to_tensor, [[0]], workers)
    return batch


def mean(path: Path) -> torch.Tensor:
    """Mean colour of the tensor that a network gets, 0 to 255."""
    batch = one(path)
    assert batch.failed == []
    return batch.tensors[0].mean(dim=(0, 2, 3))


def grey16(path: Path, **options: object) -> None:
    Image.fromarray(np.rint(RAMP * 65_535).astype(np.uint16)).save(path, **options)


def big_endian(path: Path) -> None:
    image = Image.fromarray(np.rint(RAMP * 65_535).astype(">u2"))
    assert image.mode == "I;16B"
    image.save(path)


def deep_pgm(path: Path) -> None:
    path.write_bytes(b"P5 64 8 1023\n" + np.rint(RAMP * 1023).astype(">u2").tobytes())


def deep_ppm(path: Path) -> None:
    path.write_bytes(b"P6 64 8 65535\n" + np.rint(RAMP * 65_535).astype(">u2")[..., None].repeat(3, axis=2).tobytes())


def floats(path: Path) -> None:
    Image.fromarray(RAMP.astype(np.float32)).save(path)


def pfm(path: Path) -> None:
    path.write_bytes(b"Pf\n64 8\n-1.0\n" + RAMP.astype("<f4").tobytes())


def white_is_zero(path: Path) -> None:
    """A 16-bit TIFF in which 0 is white: a quarter of white, written as three quarters."""
    image = Image.fromarray(np.full((8, 8), 49_151, np.uint16))
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    stream = io.BytesIO()
    image.save(stream, "TIFF")
    content = stream.getvalue()
    entry = (262).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    at = content.index(entry) + len(entry)
    path.write_bytes(content[:at] + b"\0\0" + content[at + 2 :])


def twelve_bits(path: Path) -> None:
    """A TIFF of 12 bits a sample, two samples in three bytes."""
    values = np.rint(RAMP * 4095).astype(int)
    packed = b"".join(
        bytes((a >> 4, (a & 15) << 4 | b >> 8, b & 255))
        for a, b in zip(values.flat[::2], values.flat[1::2], strict=True)
    )
    tags = [(256, 64), (257, 8), (258, 12), (259, 1), (262, 1), (273, 122), (277, 1), (278, 8), (279, len(packed))]
    head = b"II*\0\x08\0\0\0" + len(tags).to_bytes(2, "little")
    entries = b"".join(
        tag.to_bytes(2, "little") + (4).to_bytes(2, "little") + (1).to_bytes(4, "little") + value.to_bytes(4, "little")
        for tag, value in tags
    )
    path.write_bytes(head + entries + bytes(4) + packed)


def flat(mode: str, color: object, **options: object) -> Plant:
    return lambda path: Image.new(mode, (8, 8), color).save(path, **options)  # type: ignore[arg-type]


def palette(*, transparency: object = None) -> Plant:
    def plant(path: Path) -> None:
        image = Image.new("P", (8, 8), 1)
        image.putpalette([0, 0, 0, *RED])
        image.save(path, **({} if transparency is None else {"transparency": transparency}))

    return plant


def inverted_ycck(path: Path) -> None:
    """A JPEG as Photoshop writes it: inks inverted, then three of them as luma and chroma.

    Pillow cannot write this kind. A CMYK file of Pillow's has the same layout and holds its inks inverted; so the luma and
    chroma are given to it as inks, and the note of Adobe in the file says afterwards that they are that.
    """
    inks = np.array([30, 200, 120, 40])  # cyan, magenta, yellow, black; 255 is full ink
    stored = 255 - inks  # Adobe's files are inverted
    red, green, blue = 255 - stored[:3]  # JPEG takes the complement of C, M and Y for red, green and blue
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = np.rint([luma, (blue - luma) / 1.772 + 128, (red - luma) / 1.402 + 128, stored[3]]).astype(int)
    stream = io.BytesIO()
    Image.new("CMYK", (16, 16), tuple(255 - planes)).save(stream, "JPEG", quality=100)
    content = bytearray(stream.getvalue())
    transform = content.index(b"Adobe") + 11
    assert content[transform] == 0  # no transform; 2 is YCCK
    content[transform] = 2
    path.write_bytes(content)


YCCK = tuple((255 - ink) * (255 - 40) / 255 for ink in (30, 200, 120))
"""Its inks on white paper: what each of the three leaves of the light, and of that what black leaves."""


def animation(path: Path) -> None:
    first, second = (Image.new("RGB", (8, 8), color) for color in (RED, BLUE))
    first.save(path, save_all=True, append_images=[second], **({"lossless": True} if path.suffix == ".webp" else {}))


def lab(path: Path) -> None:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.new("RGB", (8, 8), BROWN), *profiles, outputMode="LAB")
    assert image is not None
    image.save(path)


VALUES: dict[str, tuple[Plant, tuple[float, ...], float]] = {
    "16 bits.png": (grey16, HALF, 1),
    "16 bits.tif": (grey16, HALF, 1),
    "16 bits packed.tif": (lambda path: grey16(path, compression="tiff_lzw"), HALF, 1),
    "16 bits.jp2": (grey16, HALF, 1),
    "big endian.tif": (big_endian, HALF, 1),
    "white is zero.tif": (white_is_zero, (63.75,) * 3, 1),
    "12 bits.tif": (twelve_bits, HALF, 1),
    "10 bits.pgm": (deep_pgm, HALF, 1),
    "16 bits colour.ppm": (deep_ppm, HALF, 1),
    "floats.tif": (floats, HALF, 1),
    "floats.pfm": (pfm, HALF, 1),
    "1 bit.png": (flat("1", 1), (255,) * 3, 0),
    "grey.png": (flat("L", 90), (90,) * 3, 0),
    "grey and alpha.png": (flat("LA", (90, 10)), (90,) * 3, 0),
    "colour and alpha.png": (flat("RGBA", (*RED, 0)), RED, 0),
    "colour and alpha.webp": (flat("RGBA", (*RED, 100), lossless=True), RED, 0),
    "red ink.jpg": (flat("CMYK", (0, 255, 255, 0), quality=100), (255, 0, 0), 1),
    "inverted YCCK.jpg": (inverted_ycck, YCCK, 2),
    "red ink.tif": (flat("CMYK", (0, 255, 255, 0)), (255, 0, 0), 0),
    "luma.tif": (flat("YCbCr", (128, 128, 128)), (128,) * 3, 1),
    "lab.tif": (lab, BROWN, 2),
    "palette.png": (palette(), RED, 0),
    "palette with one clear colour.png": (palette(transparency=1), RED, 0),
    "palette with bytes of alpha.png": (palette(transparency=b"\x00\x40"), RED, 0),
    "palette.gif": (palette(), RED, 0),
    "animation.gif": (animation, RED, 1),
    "animation.png": (animation, RED, 0),
    "animation.webp": (animation, RED, 0),
    "animation.tif": (animation, RED, 0),
    "plain.bmp": (flat("RGB", RED), RED, 0),
}


@pytest.mark.parametrize("name", VALUES)
def test_every_kind_of_pixel_has_its_documented_mean_colour(name: str, tmp_path: Path) -> None:
    plant, wanted, error = VALUES[name]
    plant(tmp_path / name)
    assert (mean(tmp_path / name) - torch.tensor(wanted)).abs().max() <= error


def test_a_16_bit_ramp_keeps_its_steps(tmp_path: Path) -> None:
    grey16(tmp_path / "a.png")
    ramp = one(tmp_path / "a.png").tensors[0][0, 0, 0]
    assert (ramp - torch.from_numpy(RAMP[0] * 255)).abs().max() <= 0.5


REFUSED: dict[str, tuple[Plant, str]] = {
    "floats to 255.tif": (
        lambda path: Image.fromarray((RAMP * 255).astype(np.float32)).save(path),
        "floats from 0 to 255: their range is not known; save floats from 0 to 1",
    ),
    "below 0.tif": (
        lambda path: Image.fromarray((RAMP - 0.5).astype(np.float32)).save(path),
        "floats from -0.5 to 0.5: their range is not known; save floats from 0 to 1",
    ),
    "not a number.tif": (
        lambda path: Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(path),
        "floats that are not finite; save 8 or 16 bits, or floats from 0 to 1",
    ),
    "32 bits.tif": (
        lambda path: Image.fromarray((RAMP * 1e6).astype(np.int32)).save(path),
        "integers of 32 bits from 0 to 1,000,000: their range is not known; save 8 or 16 bits",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_pixels_of_unknown_range_are_skipped_with_the_reason(name: str, tmp_path: Path) -> None:
    plant, reason = REFUSED[name]
    plant(tmp_path / name)
    batch = one(tmp_path / name)
    assert (batch.rows, batch.failed) == ([], [(0, reason)])


def turned(path: Path, orientation: int = 6) -> None:
    """Red above blue as stored; with orientation 6 a camera's note says that upright it is red right of blue."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.array([[RED] * 8] * 8 + [[BLUE] * 8] * 8, np.uint8)
    Image.fromarray(pixels).save(path, exif=exif, **({"lossless": True} if path.suffix == ".webp" else {}))


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg"])
def test_an_orientation_is_not_applied_but_counted(name: str, tmp_path: Path) -> None:
    turned(tmp_path / name)
    batch = one(tmp_path / name)
    assert batch.tensors[0].shape == (1, 3, 16, 8)
    assert (batch.tensors[0][0, :, 2, 4] - torch.tensor(RED)).abs().max() <= 8
    assert (batch.tensors[0][0, :, 13, 4] - torch.tensor(BLUE)).abs().max() <= 8
    assert batch.turned == [0]


def test_pillow_itself_turns_a_tiff_upright(tmp_path: Path) -> None:
    turned(tmp_path / "a.tif")
    batch = one(tmp_path / "a.tif")
    assert batch.tensors[0].shape == (1, 3, 8, 16)
    assert batch.tensors[0][0, :, 4, 13].tolist() == list(RED)
    assert batch.turned == []


@pytest.mark.parametrize("workers", [0, 1])
def test_upright_images_and_damaged_notes_are_not_counted(workers: int, tmp_path: Path) -> None:
    turned(tmp_path / "1.jpg", 1)
    turned(tmp_path / "2.jpg", 9)
    Image.new("RGB", (8, 16), RED).save(tmp_path / "3.jpg", exif=b"Exif\0\0damaged")
    turned(tmp_path / "4.jpg", 8)
    (batch,) = decoded(sorted(tmp_path.iterdir()), to_tensor, [[0, 1, 2, 3]], workers)
    assert (batch.rows, batch.turned, batch.failed) == ([0, 1, 2, 3], [3], [])


def test_an_image_beyond_pillows_limit_is_skipped_and_no_warning_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat("RGB", RED)(tmp_path / "a.png")
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)  # Pillow warns above it, and refuses above twice that
        assert mean(tmp_path / "a.png").tolist() == list(RED)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
        batch = one(tmp_path / "a.png")
    assert batch.rows == []
    assert "64 pixels" in batch.failed[0][1]
    assert shown == []


def test_a_folder_of_unreadable_images_is_one_line(tmp_path: Path) -> None:
    for name, (plant, _) in REFUSED.items():
        plant(tmp_path / name)
    images = listed(sorted(tmp_path.iterdir()))
    with pytest.raises(ImagesError) as caught:
        attach_heads([], images)
    first = REFUSED["32 bits.tif"][1]
    assert str(caught.value) == f"none of the 4 images can be read; the first is {tmp_path}/32 bits.tif: {first}"
