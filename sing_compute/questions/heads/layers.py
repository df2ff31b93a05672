"""Keep the named layers of a tower in the work folder as they are finished."""

from collections.abc import Callable

import torch

from sing_compute.extraction.shard_file import Shard
from sing_compute.extraction.shards import WorkFolder
from sing_compute.process.progress import Progress
from sing_compute.sith.heads import NamedLayer


def kept_layer(
    work: WorkFolder, position: int, number: int, naming: Callable[[int], NamedLayer], progress: Progress
) -> NamedLayer:
    """Return a named layer, from the work folder if it was finished before; else name it and keep it there.

    Args:
        work: The work folder, with the plan of this command.
        position: Place of the layer among those that are named.
        number: Number of the layer in the tower.
        naming: Names a layer by its number.
        progress: Is told how far the work is.
    """
    work.leave_if_asked()
    if work.has(position):
        return NamedLayer(**work.read(position, *NamedLayer.__slots__).tensors)
    with progress.task(f"layer {number}", 1) as advance:
        layer = naming(number)
        advance(1)
    work.write(
        position, Shard(torch.tensor([number]), {name: getattr(layer, name) for name in NamedLayer.__slots__}, [])
    )
    return layer
