"""Show a sample of images to a CLIP tower, as often as its layers need it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ImagesError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.decoding import decode_batches
from sing_compute.images.listing import ImageList
from sing_compute.pipeline.devices import default_workers
from sing_compute.process.progress import Progress
from sing_compute.sith.removal import pools_first_token

BATCH = 32
"""Images that go through the network at once before vectors are removed."""


def sampled_rows(images: ImageList, count: int) -> Int64[np.ndarray, " probe"]:
    """Return the rows of so many images, ascending: those whose keys have the smallest hashes, on every machine the same."""
    return np.sort(np.argsort(images.keys.hashes(), kind="stable")[:count])


@dataclass(slots=True)
class Probes:
    """Images that a tower is checked on. Those that cannot be read are found by `embed` and left out from then on."""

    images: ImageList
    space: OpenClipSpace
    device: torch.device
    progress: Progress
    work: WorkFolder
    rows: list[int] = field(default_factory=list)
    """Rows of the images that can be read."""
    first: bool = False
    """True if the tower pools its first token."""

    def embed(self) -> Float[Tensor, "image clip"]:
        """Return the unit embeddings of the images that can be read, on the CPU.

        Raises:
            ImagesError: Fewer than two images can be read.
        """
        self.rows, found = list(range(len(self.images))), []
        read: list[int] = []
        with self.progress.task("images", len(self.images)) as advance:
            for rows, batch in self._batches():
                if not read:
                    self.first = pools_first_token(self.space.visual, batch[:4])
                found.append(self.space.images(batch).cpu())
                read += rows
                advance(len(rows))
        skipped, self.rows = len(self.rows) - len(read), read
        if len(read) < 2:
            raise ImagesError(f"{self.images}: {len(read)} of them can be read; a check needs two or more")
        if skipped:
            self.progress.say(f"{skipped:,} of {len(self.images):,} images cannot be read, and are left out")
        return torch.cat(found)

    def tensors(self) -> Iterator[Float[Tensor, "image channel height width"]]:
        """Yield the images that can be read, on the device, in the order of `rows`."""
        return (batch for _, batch in self._batches())

    def _batches(self) -> Iterator[tuple[list[int], Tensor]]:
        parts = [self.rows[start : start + BATCH] for start in range(0, len(self.rows), BATCH)]
        workers = default_workers(self.device) if len(self.rows) > 8 * BATCH else 0
        for batch in decode_batches(self.images, [self.space.transform], parts, workers=workers, say=self.progress.say):
            self.work.leave_if_asked()
            if batch.rows:
                yield batch.rows, batch.tensors[0].to(self.device)
