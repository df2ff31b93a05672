"""Draw the embeddings of one image, and look at the pictures through the file's CLIP. Finished images are kept on disk."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError
from sing_compute.foreign_code import is_out_of_memory
from sing_compute.process.progress import Advance
from sing_compute.questions.directions.search_state import SearchState
from sing_compute.questions.renders.vectors import ImageVectors
from sing_compute.rendering.decoders import Decoder
from sing_compute.rendering.jpegs import jpeg_of

CLIP_BATCH = 16
"""Pictures that go through CLIP at once."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One picture of an image, as it is stored."""

    kind: int
    """Position of its embedding among those of the image."""
    seed: int
    """Seed of its noise; of a nearest image its place."""
    jpeg: bytes
    nearest: int = -1
    """Row of the real image that takes the place of a decoded picture."""


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """One image with its embeddings and all of its pictures."""

    image: ImageVectors
    norm: float
    """Length with which the embeddings were decoded; NaN where this program decoded nothing."""
    pictures: tuple[Drawn, ...]
    """By embedding, then by seed."""
    shown: Float[Tensor, "picture clip"] | None
    """The pictures in the file's CLIP, of length 1; None without its network."""


@dataclass(frozen=True, slots=True)
class Drawer:
    """Draws the embeddings of images with one decoder."""

    decoder: Decoder
    seeds: int
    batch: int
    stop: Callable[[], None]
    """Is called between batches; it raises an error to stop."""

    def __call__(self, image: ImageVectors, norm: float, advance: Advance) -> list[Drawn]:
        """Draw every embedding of an image with every seed, 0, 1, ...; equal embeddings once.

        Args:
            image: The embeddings.
            norm: Length that all of them get.
            advance: Is called with the number of finished pictures.

        Raises:
            SingError: The memory does not suffice.
        """
        given = (norm * image.vectors).float()
        different, place = torch.unique(given, dim=0, return_inverse=True)
        jobs = [(vector, seed) for vector in range(len(different)) for seed in range(self.seeds)]
        found: dict[tuple[int, int], bytes] = {}
        for start in range(0, len(jobs), self.batch):
            self.stop()
            part = jobs[start : start + self.batch]
            try:
                pictures = self.decoder.decode(different[[vector for vector, _ in part]], [seed for _, seed in part])
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise SingError(
                    f"out of memory with --batch {self.batch}; finished images are kept: the same command with a smaller "
                    "--batch, or with --memory low, goes on"
                ) from error
            found |= {job: jpeg_of(picture) for job, picture in zip(part, pictures, strict=True)}
            advance(len(part))
        advance(self.seeds * (len(given) - len(different)))
        return [
            Drawn(kind, seed, found[int(place[kind]), seed]) for kind in range(len(given)) for seed in range(self.seeds)
        ]


@torch.inference_mode()
def embedded(clip: OpenClipSpace, device: torch.device, jpegs: Sequence[bytes]) -> Float[Tensor, "picture clip"]:
    """Return JPEG files in CLIP space, of length 1, float32 on the CPU; equal files have equal embeddings.

    Args:
        clip: The network, on the device.
        device: Its device.
        jpegs: The files.
    """
    different = list(dict.fromkeys(jpegs))
    parts = []
    for start in range(0, len(different), CLIP_BATCH):
        opened = [Image.open(io.BytesIO(jpeg)).convert("RGB") for jpeg in different[start : start + CLIP_BATCH]]
        parts.append(clip.images(torch.stack([clip.transform(picture) for picture in opened]).to(device)).cpu())
    place = {jpeg: number for number, jpeg in enumerate(different)}
    return torch.cat(parts)[[place[jpeg] for jpeg in jpegs]]


def kept(state: SearchState, image: ImageVectors) -> DrawnImage | None:
    """Return an image that was finished earlier; None if it was not.

    Args:
        state: The place of its file.
        image: Its embeddings.
    """
    found = state.load()
    if found is None:
        return None
    numbers = {name: np.asarray(found[name]) for name in ("kind", "seed", "edge", "jpeg", "norm")}
    data, edges = numbers["jpeg"].tobytes(), numbers["edge"].tolist()
    pictures = tuple(
        Drawn(int(kind), int(seed), data[start:stop])
        for kind, seed, start, stop in zip(numbers["kind"], numbers["seed"], edges[:-1], edges[1:], strict=True)
    )
    shown = found["shown"]
    assert isinstance(shown, Tensor)
    return DrawnImage(image, float(numbers["norm"]), pictures, shown)


def keep(state: SearchState, drawn: DrawnImage) -> None:
    """Keep a finished image on disk.

    Args:
        state: The place of its file.
        drawn: The image.

    Raises:
        SingError: It cannot be written.
    """
    lengths = [len(picture.jpeg) for picture in drawn.pictures]
    state.save(
        {
            "kind": torch.tensor([picture.kind for picture in drawn.pictures]),
            "seed": torch.tensor([picture.seed for picture in drawn.pictures]),
            "edge": torch.tensor([0, *np.cumsum(lengths).tolist()]),
            "jpeg": torch.frombuffer(
                bytearray(b"".join(picture.jpeg for picture in drawn.pictures)), dtype=torch.uint8
            ),
            "norm": torch.tensor(drawn.norm, dtype=torch.float64),
            "shown": drawn.shown if drawn.shown is not None else torch.empty(0),
        }
    )
