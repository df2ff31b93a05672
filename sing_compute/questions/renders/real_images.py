"""Read the photographs of a results file on this machine: for the true embedding, its length, and as nearest images."""

from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError
from sing_compute.images.image_bounds import ImageBounds
from sing_compute.outside_files import read_bytes
from sing_compute.pixel_values import read_rgb
from sing_compute.process.progress import Progress
from sing_compute.questions.renders.drawing import Drawn
from sing_compute.questions.renders.vectors import ImageVectors, with_vector
from sing_compute.rendering.decoders import Decoder
from sing_compute.rendering.jpegs import jpeg_of
from sing_compute.store import Store
from sing_compute.store.definitions.render_fields import EQUIVALENT, TRANSLATED, TRUE
from sing_compute.store.photographs import locate
from sing_compute.store.text import clean

OPTION = "--photos"


def read_photograph(path: Path) -> Image.Image:
    """Read an image file by the rule of the networks, within the bounds of the project.

    Raises:
        SingError: It is too large, or no image that can be read.
    """
    bounds = ImageBounds()
    try:
        image, _ = read_rgb(read_bytes(path, most=bounds.file), most=bounds.pixels)
    except UnidentifiedImageError as error:  # its text contains an address in memory
        raise SingError(f"{path} cannot be read as an image: its kind is not known") from error
    except Exception as error:  # a broken file leads to nearly every exception there is
        raise SingError(f"{path} cannot be read as an image: {error}") from error
    return image


@dataclass(frozen=True, slots=True)
class Measured:
    """Embeddings of images, with those of their photographs, and the length that they are decoded with."""

    images: list[ImageVectors]
    norms: list[float]
    norm_from: str
    """Where the lengths come from, in words."""


def measured(
    store: Store,
    images: list[ImageVectors],
    clip: OpenClipSpace,
    device: torch.device,
    decoder: Decoder | None,
    progress: Progress,
    *,
    folder: Path | None,
    norm: float | None,
) -> Measured:
    """Add the true embedding of each image whose photograph is there, and find the length that its embeddings are decoded with.

    That is the length which the decoder's own image encoder gives the photograph. An image without a photograph gets the mean
    of the others; where there is none at all, the decoder's own statistics say it.

    Args:
        store: The results file.
        images: The embeddings of each image.
        clip: The file's CLIP, on the device.
        device: Its device.
        decoder: The decoder; None if nothing is decoded here, and the lengths are NaN.
        progress: Is given a line if photographs are missing.
        folder: Folder of the photographs; None for that of the run.
        norm: Length that the user gives; None to measure it.

    Raises:
        SingError: No length is known.
    """
    found, lengths, missing = [], [], list[str]()
    for image in images:
        try:
            photograph = read_photograph(locate(store, image.key, folder, option=OPTION))
        except SingError as error:
            missing.append(str(error))
            found.append(image)
            lengths.append(float("nan"))
            continue
        with torch.inference_mode():
            vector = clip.images(clip.transform(photograph)[None].to(device)).cpu()[0]
        found.append(with_vector(image, TRUE, vector.clone()))
        lengths.append(float("nan") if decoder is None else round(float(decoder.encode([photograph])[0].norm()), 4))
    if missing:
        progress.say(
            f"{len(missing)} of {len(images)} photographs cannot be read, so these have no true embedding: {missing[0]}"
        )
    if decoder is None:
        return Measured(found, lengths, "")
    if norm is not None:
        return Measured(found, [norm] * len(found), "given (--norm)")
    known = torch.tensor(lengths)[torch.tensor(lengths).isfinite()]
    if len(known):
        mean = round(float(known.mean()), 4)
        return Measured(
            found,
            [length if length == length else mean for length in lengths],
            "the decoder's image encoder on the photograph",
        )
    usual = decoder.usual_norm
    if usual != usual:
        raise SingError(
            "the decoder needs embeddings of the length that its image encoder gives a photograph, and no photograph is there: "
            f"{OPTION} DIR says where they are, or give the length with --norm"
        )
    return Measured(found, [round(usual, 4)] * len(found), "the decoder's stored means and deviations")


def nearest_images(store: Store, model: str, image: ImageVectors, folder: Path | None) -> list[Drawn]:
    """Return the nearest real images of T(f) and T(f~) as pictures, the nearest first.

    Args:
        store: The results file.
        model: Name of the model.
        image: The embeddings of an image.
        folder: Folder of the photographs; None for that of the run.

    Raises:
        SingError: The file names none, or a photograph cannot be read.
    """
    found = []
    for kind, name in ((TRANSLATED, "nearest_before"), (EQUIVALENT, "nearest_after")):
        path = f"models/{model}/images/{name}"
        if kind not in image.kinds:
            continue
        if path not in store:
            raise SingError(
                f"{store.path} does not say which images are nearest to T(f) of {clean(model)}; give a --decoder"
            )
        rows = [int(row) for row in store.dataset(path)[image.row]]
        for place, row in enumerate(row for row in rows if 0 <= row < store.count("image")):
            key = str(store.dataset("images/key")[row])
            jpeg = jpeg_of(read_photograph(locate(store, key, folder, option=OPTION)))
            found.append(Drawn(image.kinds.index(kind), place, jpeg, row))
    return found
