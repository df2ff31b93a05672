"""Take the images of a data set that a user has in memory: a torch Dataset, or anything with a length whose items are pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64
from PIL import Image

from sing_compute.errors import ImagesError
from sing_compute.foreign_code import describe_error
from sing_compute.images.image_bounds import ImageBounds
from sing_compute.outside_files import read_bytes
from sing_compute.pixel_values import check_pixels, is_turned, read_rgb, rgb

IMAGE_NAMES, LABEL_NAMES = ("image", "img"), ("label", "labels", "target")
"""Names of the two parts of an item that is a mapping, as Hugging Face's data sets give them."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenImages:
    """Items of a data set by position. An item is a pair of an image and a label, or a mapping with both."""

    dataset: Any
    positions: Int64[np.ndarray, " image"]
    """Position in the data set of each image."""
    expected: tuple[object, ...] | None = None
    """Label of each position by the data set's own list, which its items must confirm; None if labels were given."""

    def __str__(self) -> str:
        return f"the data set {type(self.dataset).__name__}"

    def take(self, rows: Int64[np.ndarray, " chosen"]) -> "GivenImages":
        """Return the images of these rows, in the order of `rows`."""
        return replace(self, positions=self.positions[rows])

    def image(self, row: int, bounds: ImageBounds) -> tuple[Image.Image, bool]:
        """Return an image in 8-bit RGB, and True if its EXIF orientation says that it is not stored upright.

        Args:
            row: Row of the list.
            bounds: Bounds on the image.

        Raises:
            ImagesError: The item is no image with a label, or has another label than the data set's own list says.
            Exception: The image is over a bound, or whatever the data set raises for this item.
        """
        position = int(self.positions[row])
        found, label = parts_of(self.dataset[position], position)
        if self.expected is not None and plain_label(label) != self.expected[position]:
            raise ImagesError(
                f"item {position} of the data set has the label {plain_label(label)}, its list of labels says "
                f"{self.expected[position]}: give labels= with one label for each item"
            )
        if isinstance(found, Image.Image):
            check_pixels(found, bounds.pixels)
            return rgb(found), is_turned(found)
        if isinstance(found, bytes | bytearray):
            bounds.check_file_size(len(found))
            return read_rgb(bytes(found), most=bounds.pixels)
        if isinstance(found, str | Path):
            bounds.check_file_size(Path(found).stat().st_size)
            return read_rgb(read_bytes(Path(found), most=bounds.file), most=bounds.pixels)
        if isinstance(found, np.ndarray) and found.dtype == np.uint8 and found.shape[2:] in ((), (3,)):
            image = Image.fromarray(found)
            check_pixels(image, bounds.pixels)
            return image.convert("RGB"), False
        shape = f" {tuple(found.shape)}" if hasattr(found, "shape") else ""
        raise ImagesError(
            f"item {position} of the data set is a {type(found).__name__}{shape}, not an image: give PIL images, encoded bytes, "
            "paths or uint8 arrays (height, width, 3); every network makes its own tensors of them, so leave the data set's "
            "transform out and give it as transform="
        )


def parts_of(item: object, position: int) -> tuple[Any, Any]:
    """Return image and label of an item.

    Args:
        item: As the data set gives it.
        position: Its position, for messages.

    Raises:
        ImagesError: The item has not both.
    """
    if isinstance(item, Mapping):
        image = next((item[name] for name in IMAGE_NAMES if name in item), None)
        label = next((item[name] for name in LABEL_NAMES if name in item), None)
        if image is not None:
            return image, label
    elif isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], item[1]
    raise ImagesError(
        f"item {position} of the data set is a {type(item).__name__}, not a pair (image, label) or a mapping with `image` and "
        "`label`"
    )


def plain_label(label: object) -> object:
    """Return a label as a number or a text, also one that is an array or a tensor of one number."""
    value = label.item() if hasattr(label, "item") and getattr(label, "shape", None) in ((), (1,)) else label
    return int(value) if isinstance(value, int | np.integer) else value


def labels_in(dataset: Any) -> tuple[object, ...]:
    """Return the label of each item: by the data set's own list `targets` where it has one, else by reading every item.

    Args:
        dataset: Has a length and items.

    Raises:
        ImagesError: An item cannot be read, or is no image with a label.
    """
    if (listed := _listed_labels(dataset)) is not None:
        return listed
    found = []
    for position in range(len(dataset)):
        try:
            item = dataset[position]
        except (Exception, SystemExit) as error:  # the user's own code may raise anything, and call sys.exit
            raise ImagesError(
                f"item {position} of the data set cannot be read for its label ({describe_error(error)}); labels= gives one "
                "label for each item"
            ) from error
        found.append(plain_label(parts_of(item, position)[1]))
    return tuple(found)


def _listed_labels(dataset: Any) -> tuple[object, ...] | None:
    """Return the labels that a data set lists, or the one that it is a part of; None if it lists none."""
    inner, indices = getattr(dataset, "dataset", None), getattr(dataset, "indices", None)
    if inner is not None and indices is not None:
        whole = _listed_labels(inner)
        return None if whole is None else tuple(whole[int(index)] for index in indices)
    targets = getattr(dataset, "targets", None)
    if targets is None or getattr(dataset, "target_transform", None) is not None or len(targets) != len(dataset):
        return None
    return tuple(plain_label(target) for target in targets)


def names_of_classes(dataset: Any) -> tuple[str, ...]:
    """Return the names of a data set's classes in the order of its own numbers, WordNet ids where it has them; () for none."""
    inner = getattr(dataset, "dataset", None)
    if inner is not None and hasattr(dataset, "indices"):
        return names_of_classes(inner)
    classes = getattr(dataset, "wnids", None) or getattr(dataset, "classes", None)
    if not classes and isinstance(features := getattr(dataset, "features", None), Mapping):
        classes = next((getattr(features[name], "names", None) for name in LABEL_NAMES if name in features), None)
    return tuple(classes) if isinstance(classes, Sequence) and all(isinstance(name, str) for name in classes) else ()


def files_of(dataset: Any) -> tuple[Path, list[str]] | None:
    """Return the folder of a data set of image files, and the path of each item below it; None for any other data set."""
    inner, indices = getattr(dataset, "dataset", None), getattr(dataset, "indices", None)
    if inner is not None and indices is not None:
        found = files_of(inner)
        return None if found is None else (found[0], [found[1][int(index)] for index in indices])
    samples, root = getattr(dataset, "samples", None), getattr(dataset, "root", None)
    if not isinstance(samples, list) or root is None or len(samples) != len(dataset):
        return None
    try:
        return Path(root), [Path(sample[0]).relative_to(root).as_posix() for sample in samples]
    except (TypeError, ValueError, IndexError):  # samples of another kind
        return None
