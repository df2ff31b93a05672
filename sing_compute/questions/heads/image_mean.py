"""Find the mean image embedding of a CLIP: from a results file of the same CLIP, from a file, or from images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sing_compute.array_files import check_tensors, load_tensors
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ImagesError, SingError
from sing_compute.images.decoding import decode_batches
from sing_compute.images.image_sources import list_images
from sing_compute.outside_files import WEIGHTS, UnfitFileError, check_file
from sing_compute.pipeline.devices import default_workers
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.concept_pool import is_clip_of
from sing_compute.store import Store
from sing_compute.store.text import clean, one_line

_STORES = (".h5", ".hdf5")
_FORMATS = (".pt", ".pth", ".npy", ".safetensors")
_BATCH = 64
_LONGEST = 1 + 1e-3
"""Largest length of a mean of unit vectors, with the rounding of half precision."""
WANTED = (
    "give --mean FILE (the mean of unit image embeddings of this CLIP, or a results file of it), --images FOLDER (some "
    "hundred images), or --mean none"
)


@dataclass(frozen=True, slots=True)
class ImageMean:
    """Mean of unit image embeddings."""

    vector: Float64[Tensor, " clip"]
    source: str
    """Where it comes from, in words."""


def image_mean(
    space: OpenClipSpace,
    progress: Progress,
    *,
    size: int,
    store: Store | None,
    given: str | None,
    images: Path | None,
    device: torch.device,
) -> ImageMean:
    """Return the image mean that a user asks for; else that of the results file.

    Args:
        space: The CLIP, on the device.
        progress: Is given a line about what was used.
        size: Number of coordinates of the CLIP space.
        store: The results file; None if there is none.
        given: A file, or `none`.
        images: Images to embed.
        device: Device of the CLIP.

    Raises:
        SingError: There is none, it is of another CLIP or another size, or it is no mean of unit vectors.
    """
    if given is not None and images is not None:
        raise SingError("--mean and --images exclude each other: give one image mean")
    if given == "none":
        found = ImageMean(torch.zeros(size, dtype=torch.float64), "none")
        progress.warn(
            "no image mean is subtracted: picks are lost on what all images share, and figures are comparable only with those "
            "of other towers without a mean"
        )
        return found
    if images is not None:
        found = _of_images(space, progress, images, device)
    elif given is not None:
        path = Path(given)
        found = _of_other_file(space, path) if path.suffix.lower() in _STORES else ImageMean(read_mean(path), str(path))
    else:
        own = stored_mean(store) if store is not None and is_clip_of(store, space) else None
        if own is None:
            where = "a tower alone has" if store is None else f"{store.path} has"
            raise SingError(f"{where} no image mean of this CLIP: {WANTED}")
        found = own
    if found.vector.shape != (size,):
        raise SingError(
            f"{found.source}: an image mean of {len(found.vector):,} numbers, this CLIP has {size:,}: {WANTED}"
        )
    if not found.vector.isfinite().all():
        raise SingError(f"{found.source}: the image mean is not finite: {WANTED}")
    length = float(found.vector.norm())
    if not 0 < length <= _LONGEST:
        reason = (
            "it is zero" if not length else f"its length is {length:.4g}, and that of a mean of unit vectors at most 1"
        )
        raise SingError(
            f"{found.source}: this is no mean of unit image embeddings ({reason}); scale them to length 1 first"
        )
    found = ImageMean(found.vector, clean(found.source))
    progress.say(f"image mean: {found.source}, length {length:.3f}")
    return found


def stored_mean(store: Store) -> ImageMean | None:
    """Return the mean image embedding that a results file implies; None if it implies none.

    The intercept of the ridge translator is not penalised, so A mean f + a is the mean of the embeddings that it was fitted to,
    exactly. A translator that was fitted elsewhere does not have this property.

    Args:
        store: The results file.
    """
    for model in store.models:
        base = f"models/{model}/translator/"
        elsewhere = str(store.attributes(f"models/{model}").get("lambda_choice", "")).startswith("none")
        if elsewhere or f"{base}weight" not in store or f"{base}mean_feature" not in store:
            continue
        weight, bias, mean = (
            store.array(base + part).astype(np.float64) for part in ("weight", "bias", "mean_feature")
        )
        source = f"mean of the {int(store.offsets[-1]):,} images of {store.path}, by the translator of {clean(model)}"
        return ImageMean(torch.from_numpy(weight @ mean + bias), source)
    return None


def read_mean(path: Path) -> Float64[Tensor, " clip"]:
    """Read a vector from a .pt file of weights only, a .npy file, or a .safetensors file with one tensor.

    Args:
        path: The file.

    Raises:
        SingError: It cannot be read, or holds something else.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise SingError(f"--mean {path}: no such file; {WANTED}")
    try:
        content: Any
        check_file(path, most=WEIGHTS)
        if suffix == ".npy":
            content = torch.from_numpy(np.array(np.load(path, mmap_mode="r", allow_pickle=False)))
        elif suffix in (".safetensors", ".pt", ".pth"):
            content = load_tensors(path)
        else:
            raise SingError(f"--mean {path}: {', '.join(_FORMATS)} and results files are read")
    except SingError:
        raise
    except Exception as error:  # the formats' readers raise many types
        raise SingError(f"--mean {path}: cannot be read as {suffix}: {one_line(error)[:150]}") from error
    if isinstance(content, Mapping) and len(content) == 1:
        content = next(iter(content.values()))
    try:
        check_tensors({"": content})
    except UnfitFileError as error:
        raise SingError(f"--mean {path}: {error}") from error
    if not isinstance(content, Tensor) or not content.numel() or content.numel() != max(content.shape, default=0):
        raise SingError(f"--mean {path}: holds no single vector of numbers")
    if not (content.is_floating_point()):
        raise SingError(f"--mean {path}: holds {content.dtype}, wanted floating point numbers")
    return content.detach().double().flatten()


def _of_other_file(space: OpenClipSpace, path: Path) -> ImageMean:
    with Store(path) as store:
        if not is_clip_of(store, space):
            tag = clean(str(store.attributes("clip").get("tag", "not named")))
            raise SingError(f"--mean {path}: its CLIP ({tag}) is another one; an image mean is of one CLIP alone")
        found = stored_mean(store)
    if found is None:
        raise SingError(f"--mean {path}: no model with a translator that was fitted here: {WANTED}")
    return found


def _of_images(space: OpenClipSpace, progress: Progress, folder: Path, device: torch.device) -> ImageMean:
    """Embed images, and return the mean of their unit embeddings."""
    images = list_images(folder)
    rows = [range(start, min(start + _BATCH, len(images))) for start in range(0, len(images), _BATCH)]
    total, count, failed = torch.zeros(1, dtype=torch.float64), 0, 0
    workers = default_workers(device) if len(images) > 4 * _BATCH else 0
    with progress.task("image mean", len(images)) as advance:
        for batch in decode_batches(images, [space.transform], rows, workers=workers, say=progress.say):
            failed += len(batch.failed)
            if batch.rows:
                total = total + space.images(batch.tensors[0].to(device)).double().cpu().sum(0)
                count += len(batch.rows)
            advance(len(batch.rows) + len(batch.failed))
    if failed:
        progress.say(f"{folder}: {failed:,} of {len(images):,} images could not be read")
    if not count:
        raise ImagesError(f"--images {folder}: no image could be read")
    return ImageMean(total / count, f"mean of {count:,} images of {folder}")
