"""Take pictures of embeddings that were decoded elsewhere, and write the embeddings for that.

A picture is DIR/KEY/KIND-SEED.EXT. KEY is the key of its image, slashes included, KIND that of its embedding, SEED the seed of
the noise: `pictures/cat/001.png/equivalent-0.png`. Other files are not looked at. The folder may come from a stranger: only
regular files of bounded size are opened, and links to folders are not followed.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from sing_compute import __version__
from sing_compute.atomic_write import write_bytes, write_failure
from sing_compute.errors import SingError
from sing_compute.questions.renders.drawing import Drawn
from sing_compute.questions.renders.real_images import read_photograph
from sing_compute.questions.renders.vectors import ImageVectors
from sing_compute.rendering.jpegs import jpeg_of
from sing_compute.store import Store
from sing_compute.store.definitions.render_fields import ALL_KINDS, TRANSLATED

_NAME = re.compile(rf"({'|'.join(ALL_KINDS)})-(\d{{1,9}})\.(png|jpe?g|webp)", re.IGNORECASE)
_MOST = 100_000
"""Most pictures in a folder."""
Places = Mapping[str, Mapping[tuple[str, int], Path]]
"""Path of each picture by key of its image, then kind and seed."""


@dataclass(frozen=True, slots=True)
class OutsidePictures:
    """The pictures of a folder."""

    folder: Path
    places: Places

    @property
    def kinds(self) -> set[str]:
        """Kinds of embeddings that have a picture."""
        return {kind for pictures in self.places.values() for kind, _ in pictures}

    def drawn(self, image: ImageVectors) -> tuple[ImageVectors, list[Drawn]]:
        """Read the pictures of an image.

        Returns:
            Its embeddings that have pictures, and these.

        Raises:
            SingError: None of them is of T(f), or one cannot be read.
        """
        there = self.places.get(image.key, {})
        kinds = [kind for kind in image.kinds if any(kind == each for each, _ in there)]
        if TRANSLATED not in kinds:
            raise SingError(f"{self.folder / image.key} holds no picture of T(f), {TRANSLATED}-0.png")
        chosen = torch.tensor([image.kinds.index(kind) for kind in kinds])
        kept = ImageVectors(image.row, image.key, tuple(kinds), image.vectors[chosen], image.norm)
        pictures = sorted((kinds.index(kind), seed, path) for (kind, seed), path in there.items() if kind in kinds)
        return kept, [Drawn(kind, seed, jpeg_of(read_photograph(path))) for kind, seed, path in pictures]

    @staticmethod
    def alike(pictures: Sequence[Drawn]) -> bool:
        """Return True if there are several pictures of T(f), all of them equal: their noise was not different."""
        jpegs = [picture.jpeg for picture in pictures if picture.kind == 0]
        return len(jpegs) > 1 and len(set(jpegs)) == 1


def find_pictures(folder: Path) -> OutsidePictures:
    """List the pictures of a folder; none is opened.

    Args:
        folder: The folder.

    Raises:
        SingError: There is no such folder, it holds no picture, or too many, or two of one embedding and seed.
    """
    if not folder.is_dir():
        raise SingError(f"--from-images {folder}: no such folder")
    found: dict[str, dict[tuple[str, int], Path]] = {}
    count = 0
    for place, _, names in os.walk(folder):
        key = Path(place).relative_to(folder).as_posix()
        for name in names:
            match = _NAME.fullmatch(name)
            if match is None:
                continue
            count += 1
            if count > _MOST:
                raise SingError(f"--from-images {folder}: more than {_MOST:,} pictures; take fewer images at once")
            which = (match[1].lower(), int(match[2]))
            other = found.setdefault(key, {}).setdefault(which, Path(place) / name)
            if other.name != name:
                raise SingError(f"--from-images: {other} and {name} are two pictures of one embedding and seed")
    if not found:
        raise SingError(
            f"--from-images {folder} holds no picture; a name is KEY/KIND-SEED.png, KIND one of {', '.join(ALL_KINDS)}"
        )
    return OutsidePictures(folder, found)


def export_vectors(path: Path, store: Store, model: str, images: Sequence[ImageVectors], command: str) -> int:
    """Write embeddings as a safetensors file: unit vectors, float32, named `KIND/KEY`.

    The metadata hold the facts of their origin, and |T(f)| of each image as JSON under `norms`.

    Args:
        path: The new file; it gets its name when it is complete.
        store: The results file.
        model: Name of the model.
        images: The embeddings.
        command: The command line.

    Returns:
        The number of embeddings.

    Raises:
        SingError: It cannot be written.
    """
    clip = store.attributes("clip")
    tensors = {
        f"{kind}/{image.key}": vector.float().clone()
        for image in images
        for kind, vector in zip(image.kinds, image.vectors, strict=True)
    }
    facts = {
        "format": "sing-embeddings",
        "version": __version__,
        "results": store.path.name,
        "model": model,
        "clip": str(clip.get("tag", "")),
        "clip_sha256": str(clip.get("state_sha256", "")),
        "scale": "unit vectors: multiply by the length that the decoder's own image encoder gives a photograph",
        "norms": json.dumps({image.key: image.norm for image in images}),
        "command": command,
    }
    try:
        write_bytes(path, save(tensors, facts))
    except OSError as error:
        raise SingError(write_failure(path, error)) from error
    return len(tensors)
