"""Small images on disk, and their batches."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sing_compute.images.decoding import Batch, decode_batches
from sing_compute.images.listing import ImageList

SIDE = 8


def to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()


def picture(path: Path, value: int, size: tuple[int, int] = (SIDE, SIDE)) -> Path:
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def listed(paths: list[Path]) -> ImageList:
    return ImageList.of_files(Path(), [path.as_posix() for path in paths])


def decoded(paths: list[Path], transform: object, batches: list[list[int]], workers: int = 0) -> list[Batch]:
    return list(decode_batches(listed(paths), [transform], batches, workers=workers))


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
