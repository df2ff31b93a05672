"""Images of any kind, damaged bytes, and what is no regular file, for `hostile_inputs.py`."""

import io
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image


def noise(rng: random.Random, mode: str = "RGB", size: tuple[int, int] = (8, 8)) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    data = rng.randbytes(size[0] * size[1] * bands * {"I;16": 2, "F": 4, "I": 4}.get(mode, 1))
    return Image.frombytes(mode, size, data) if mode != "1" else Image.new("1", size, 1)


def packed(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG file that declares a size."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Bytes turned, cut off, repeated or put in."""
    changed = bytearray(data)
    how = rng.choice(["turn", "turn", "cut", "fill", "swap", "empty", "noise"])
    if how == "turn":
        for _ in range(rng.choice([1, 3, 20])):
            changed[rng.randrange(len(changed))] = rng.choice([0, 255, rng.randrange(256)])
    elif how == "cut":
        del changed[rng.randrange(len(changed)) :]
    elif how == "fill":
        at = rng.randrange(len(changed))
        changed[at : at + 32] = bytes([rng.choice([0, 255])]) * 32
    elif how == "swap":
        at = rng.randrange(len(changed))
        changed = changed[at:] + changed[:at]
    else:
        return b"" if how == "empty" else rng.randbytes(rng.choice([1, 100, 10_000]))
    return bytes(changed)


def any_image(rng: random.Random) -> bytes:
    """An image of any format and mode, or what pretends to be one."""
    exif = Image.Exif()
    exif[0x0112], exif[0x8769] = rng.randrange(12), {0x9286: b"x" * 100}
    made: list[Callable[[], bytes]] = [
        lambda: packed(noise(rng, rng.choice(["RGB", "L", "1", "P", "LA", "RGBA", "I;16"])), "PNG"),
        lambda: packed(noise(rng, rng.choice(["RGB", "L", "CMYK", "YCbCr"])), "JPEG", exif=exif.tobytes()),
        lambda: packed(noise(rng, rng.choice(["RGB", "L", "F", "I", "CMYK", "I;16"])), "TIFF"),
        lambda: packed(noise(rng), "GIF", save_all=True, append_images=[noise(rng) for _ in range(5)]),
        lambda: packed(noise(rng), rng.choice(["BMP", "WEBP", "PPM", "TGA", "PCX", "ICO", "JPEG2000"])),
        lambda: packed(Image.new("RGB", rng.choice([(1, 60_000), (60_000, 1), (4000, 2)])), "JPEG"),
        lambda: png_of(*rng.choice([(2**31 - 1, 2**31 - 1), (100_000, 100_000), (0, 0), (65_500, 65_500)])),
        lambda: png_of(30_000, 30_000, zlib.compress(bytes(10**7), 9)),
        lambda: packed(noise(rng), "PNG") + rng.randbytes(1000),
    ]
    data = rng.choice(made)()
    return damaged(rng, data) if rng.random() < 0.6 else data


def strange_file(rng: random.Random, path: Path) -> None:
    """Make files that are not regular, or large and empty."""
    how = rng.choice(["pipe", "itself", "zero", "random", "folder", "away", "sparse", "pipe behind a link"])
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if how == "pipe":
        os.mkfifo(path)
    elif how == "pipe behind a link":
        if not (pipe := path.with_name("a pipe")).exists():
            os.mkfifo(pipe)
        path.symlink_to(pipe.name)
    elif how == "folder":
        path.mkdir()
    elif how == "sparse":
        with path.open("wb") as stream:
            stream.truncate(rng.choice([2**31, 2**40]))
    else:
        target = {"itself": path.name, "zero": "/dev/zero", "random": "/dev/urandom", "away": "/nowhere/at all"}[how]
        path.symlink_to(target)
