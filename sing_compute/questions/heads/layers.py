"""Name the layers of a tower one after the other: centred concepts, and layers kept in the work folder as they are finished."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sing_compute.atomic_write import write_failure
from sing_compute.errors import ConceptsError, SingError
from sing_compute.extraction.shards import Shard, WorkFolder
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.concept_pool import ConceptPool
from sing_compute.sith.heads import NamedLayer
from sing_compute.sith.naming import Dictionary

_MAPPED = 50_000_000
"""Numbers of a vocabulary from which on it is mapped into memory."""
_PART = 2**14


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


def centred_concepts(
    pool: ConceptPool, sizes: Sequence[int], size: int, folder: Path, progress: Progress
) -> Dictionary:
    """Return the centred concepts, and refuse more picks than there are different ones.

    Args:
        pool: The concepts.
        sizes: Numbers of concepts K, ascending.
        size: Number of coordinates of the CLIP space.
        folder: Folder for a large vocabulary, which is mapped from a file.
        progress: Is given a line about concepts of the same direction.

    Raises:
        ConceptsError: An embedding is not finite or of another size, or there are too few concepts.
    """
    if pool.embeddings.shape[1] != size:
        raise ConceptsError(f"{pool.source}: embeddings of {pool.embeddings.shape[1]} numbers, the tower has {size}")
    lengths = pool.embeddings.norm(dim=1)
    if not (lengths.isfinite() & (lengths > 0)).all():
        raise ConceptsError(f"{pool.source}: an embedding is zero or not finite")
    if sizes[-1] > len(pool.names):
        raise ConceptsError(f"--sizes {sizes[-1]}: {pool.source} has only {len(pool.names):,} concepts")
    dictionary = _centred(pool.embeddings, folder)
    same = int((~dictionary.usable).sum())
    if len(pool.names) < 2 or not all(part.isfinite().all() for part in torch.split(dictionary.atoms, _PART)):
        raise ConceptsError(f"{pool.source}: names need at least two concepts that the CLIP tells apart")
    if same:
        progress.say(f"{same:,} concepts have the direction of an earlier one for this CLIP, and are not picked")
    if sizes[-1] > len(pool.names) - same:
        raise ConceptsError(
            f"--sizes {sizes[-1]}: {pool.source} has only {len(pool.names) - same:,} different concepts"
        )
    return dictionary


def _centred(embeddings: Tensor, folder: Path) -> Dictionary:
    """Return centred concepts; those of a large vocabulary are mapped from a file, which goes when the process ends."""
    if embeddings.numel() < _MAPPED:
        return Dictionary.of_texts(embeddings)
    file = folder / "concepts.tmp"
    try:
        return Dictionary.of_texts(embeddings, map_file=file)
    except OSError as error:
        raise SingError(write_failure(file, error)) from error
    finally:
        file.unlink(missing_ok=True)  # the map stays
