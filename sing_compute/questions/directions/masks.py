"""Read masks that say where known concepts are in the images, and label the detectors of spatial maps with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from sing_compute.directions.influence import Influence
from sing_compute.directions.labels import OverlapCounts, halves, label_directions
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.errors import SingError
from sing_compute.images.image_bounds import ImageBounds
from sing_compute.outside_files import open_file
from sing_compute.pixel_values import check_pixels
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.questions.directions.labelled import KnownConcepts, LabelledDirections, compared_with_labels
from sing_compute.store.text import clean, one_line

SIDE = 112
"""Rows and columns to which masks are brought, as Network Dissection does."""
_IMAGES = 64
"""Images whose masks are in memory at once."""


@dataclass(frozen=True, slots=True)
class MaskFolder:
    """Files of masks: of each concept, those of the images that show it."""

    concepts: Sequence[str]
    files: Sequence[Sequence[Path | None]]
    """File of each image and concept; None where the image does not show the concept."""

    def read(self, images: Int[np.ndarray, " some"]) -> Bool[Tensor, "some concept y x"]:
        """Read the masks of some images; True where a concept is.

        Args:
            images: Numbers of the images.

        Raises:
            SingError: A mask cannot be read.
        """
        found = torch.zeros(len(images), len(self.concepts), SIDE, SIDE, dtype=torch.bool)
        for row, image in enumerate(images.tolist()):
            for concept, file in enumerate(self.files[image]):
                if file is not None:
                    found[row, concept] = torch.from_numpy(_mask(file))
        return found


def find_masks(folder: Path, keys: Sequence[str], inputs: DirectionInputs) -> MaskFolder:
    """Find the masks of the images that were looked at.

    Args:
        folder: A folder of each concept, which holds `KEY.png` for each image that shows it.
        keys: Keys of the images; the end of their names is replaced.
        inputs: Tells if detectors have positions.

    Raises:
        SingError: There are no positions, or no masks of these images.
    """
    if inputs.grid is None:
        raise SingError("--masks say where concepts are: add --maps, for detectors that have positions on a grid")
    try:
        concepts = sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise SingError(f"--masks {folder}: cannot be read ({error.strerror or error})") from error
    files = [
        [path if (path := folder / concept / Path(key).with_suffix(".png")).is_file() else None for concept in concepts]
        for key in keys
    ]
    if not any(path is not None for row in files for path in row):
        first = Path(keys[0]).with_suffix(".png")
        raise SingError(f"--masks {folder}: no mask of these images, such as CONCEPT/{clean(str(first))}")
    return MaskFolder([clean(concept) for concept in concepts], files)


def labelled_by_masks(
    masks: MaskFolder, pairs: DirectionPairs, inputs: DirectionInputs, moved: Influence, *, seed: int
) -> LabelledDirections:
    """Label directions by the IoU of detectors and masks on one half of the images, and score them on the other half.

    Args:
        masks: The masks.
        pairs: The direction pairs.
        inputs: Spatial maps and head.
        moved: Influence of the directions.
        seed: Seed of the halves.
    """
    parts = [half.numpy() for half in halves(len(inputs.features), seed=seed)]
    labels = label_directions(*(_counts(masks, pairs, inputs, half) for half in parts))
    present = np.array([[path is not None for path in row] for row in masks.files])
    known = KnownConcepts(masks.concepts, present)
    return LabelledDirections(known, labels, compared_with_labels(known, labels, inputs, moved))


def _counts(
    masks: MaskFolder, pairs: DirectionPairs, inputs: DirectionInputs, images: Int[np.ndarray, " some"]
) -> OverlapCounts:
    """Count pixels of the masks of some images, part by part."""
    assert inputs.grid is not None
    total: OverlapCounts | None = None
    for some in _parts(images):
        logits = pairs.logits(inputs.features[torch.from_numpy(some)].double())
        counts = OverlapCounts.of_masks(logits.mT.reshape(*logits.mT.shape[:2], *inputs.grid), masks.read(some))
        total = counts if total is None else total + counts
    assert total is not None
    return total


def _parts(images: Int[np.ndarray, " some"]) -> Iterator[Int[np.ndarray, " part"]]:
    for start in range(0, len(images), _IMAGES):
        yield images[start : start + _IMAGES]


def _mask(file: Path) -> Bool[np.ndarray, "y x"]:
    """Read a mask as black and white.

    Raises:
        SingError: It is no image.
    """
    try:
        with open_file(file, most=ImageBounds().file) as stream, Image.open(stream) as image:
            check_pixels(image)
            return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.NEAREST)) > 127
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        raise SingError(f"--masks {file}: cannot be read ({one_line(error)})") from error
