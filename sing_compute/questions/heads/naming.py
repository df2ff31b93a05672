"""Name the attention heads of a CLIP image tower, and add them to a results file or start a file that holds them alone."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sing_compute import __version__
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ConceptsError, SingError, TowerError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.pipeline.devices import usable_device
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.concept_pool import ConceptPool, concept_pool
from sing_compute.questions.heads.image_mean import ImageMean, image_mean
from sing_compute.questions.heads.tower_sink import put_tower
from sing_compute.questions.text_vectors import clip_place
from sing_compute.sith.heads import NamedLayer, name_layer
from sing_compute.sith.naming import Dictionary
from sing_compute.sith.towers import read_tower
from sing_compute.store import Store, replace_store
from sing_compute.store.text import clean
from sing_compute.store.write import Attribute

MOST_SIZE = 200
"""Largest number of concepts of one mix."""
MOST_COHERENCE = 10


@dataclass(frozen=True, slots=True)
class HeadsQuestion:
    """The options of `sing-compute heads`."""

    clip: str | None = None
    """Name of the CLIP; None for that of the results file."""
    name: str | None = None
    """Name of the tower in the file; None for that of its CLIP."""
    layers: str = "-4:"
    sizes: Sequence[int] = (5,)
    coherence: float = 0.3
    words: Path | None = None
    vocabularies: Sequence[str] = ()
    mean: str | None = None
    images: Path | None = None
    device: str = "cpu"
    fresh: bool = False
    """Replace a tower of the same name, and a file that is started."""
    command: str = ""


def name_heads(path: Path, question: HeadsQuestion, progress: Progress, *, new: bool = False) -> str:
    """Name the heads of a tower and write them into a results file, which is replaced in one step.

    Args:
        path: The results file.
        question: What is asked for.
        progress: Is given lines about what is used, and how far the work is.
        new: Start the file. Without it, everything that the file holds is copied bit for bit.

    Returns:
        Name of the tower in the file.

    Raises:
        SingError: A mistake of the user; the file is unchanged.
    """
    if new:
        if path.is_dir():
            raise SingError(f"-o {path}: this is a folder; give the name of a file, e.g. {path / 'towers.h5'}")
        if path.exists() and not question.fresh:
            raise SingError(f"{path} exists; --fresh replaces it, and without -o the tower is added to it")
        if question.clip is None:
            raise SingError("-o starts a file with a tower alone: name its CLIP with --clip")
    else:
        Store(path).close()  # fails here if there is no such file, before a work folder is made
    with Interruption(progress.say) as interruption:
        work = WorkFolder(path, fresh=False, stop=interruption.check)
        try:
            if any(work.folder.glob("*.safetensors")) or any(work.folder.glob("*.probe")):
                raise SingError(f"{work.folder} holds unfinished work for {path}: finish that run first")
            with ExitStack() as stack:
                store = None if new else stack.enter_context(Store(path))
                stack.enter_context(progress.record(work.progress_file, "sing-compute heads"))
                return _add(path, store, work, question, progress)
        finally:
            work.release(finished=False)


def _add(path: Path, store: Store | None, work: WorkFolder, question: HeadsQuestion, progress: Progress) -> str:
    sizes = _checked_sizes(question.sizes)
    if not 0 <= question.coherence <= MOST_COHERENCE:  # also refuses NaN
        raise SingError(f"--coherence {question.coherence:g}: a number from 0 to {MOST_COHERENCE}")
    place = question.clip or _own_clip(store)
    progress.say(f"loading CLIP {place}")
    device = usable_device(question.device, 0)
    space = OpenClipSpace(place)
    name = _tower_name(question.name or space.provenance["tag"])
    if store is not None and name in store.members("tower") and not question.fresh:
        raise SingError(f"{path} holds a tower {name!r} already: --fresh replaces it, --name NAME gives another name")
    try:
        tower = read_tower(space.visual)
    except TowerError as error:
        raise TowerError(f"--clip {place}: {error}") from error
    numbers = chosen_layers(question.layers, len(tower.layers))
    space.to(device)
    size = tower.projection.shape[1]
    mean = image_mean(
        space, progress, size=size, store=store, given=question.mean, images=question.images, device=device
    )
    pool = concept_pool(
        space, progress, store=store, words=question.words, vocabularies=question.vocabularies, device=device
    )
    dictionary = checked_dictionary(pool, sizes, size, progress)
    layers: list[NamedLayer] = []
    for number in numbers:
        work.leave_if_asked()
        with progress.task(f"layer {number}", tower.layers[number].heads) as advance:
            layers.append(name_layer(tower, number, mean.vector, dictionary, sizes, coherence=question.coherence))
            advance(tower.layers[number].heads)
    with replace_store(path, scratch=work.folder) as writer:
        order = 0
        if store is not None:
            order = len([other for other in store.members("tower") if other != name])
            writer.copy(store, leave_out=[f"towers/{name}"])
        put_tower(writer, name, tower, numbers, layers, pool, dictionary, mean, sizes)
        writer.annotate(f"towers/{name}", _facts(question, space, pool, mean, dictionary) | {"order": order})
    return name


def chosen_layers(wanted: str, count: int) -> list[int]:
    """Return the numbers of layers that a text names: `-4:`, `8,9`, `0:3`, `all`.

    Args:
        wanted: Numbers and ranges as in Python, with commas between them; a negative number counts from the end.
        count: Number of layers of the tower.

    Raises:
        SingError: The text is not of this form, or names a layer that is not there.
    """
    there = f"the tower has {count} layers, 0 to {count - 1}"
    found: set[int] = set()
    for part in ["0:"] if wanted.strip() == "all" else wanted.split(","):
        first, colon, last = part.strip().partition(":")
        try:
            low, high = (int(text) if text.strip() else None for text in (first, last))
        except ValueError:
            low = high = None
            first = last = ""
        if not colon and low is None:
            raise SingError(f"--layers {clean(wanted)}: write -4:, 8,9, 0:3 or all; {there}")
        if not colon and low is not None:
            if not -count <= low < count:
                raise SingError(f"--layers {clean(wanted)}: there is no layer {low}; {there}")
            found.add(low % count)
            continue
        outside = [edge for edge in (low, high) if edge is not None and edge > count]
        chosen = range(count)[slice(low, high)]
        if outside or not len(chosen):
            raise SingError(f"--layers {clean(wanted)}: there are no such layers; {there}")
        found |= set(chosen)
    return sorted(found)


def _checked_sizes(sizes: Sequence[int]) -> list[int]:
    found = sorted(set(sizes))
    if not found or found[0] < 1 or found[-1] > MOST_SIZE:
        raise SingError(f"--sizes: numbers of concepts from 1 to {MOST_SIZE}, such as 5 or 5,10,20")
    return found


def _own_clip(store: Store | None) -> str:
    facts = {} if store is None else store.attributes("clip")
    if store is None or not facts:
        where = "this file" if store is None else str(store.path)
        raise SingError(f"{where} names no CLIP: name one with --clip")
    if facts.get("source") == "stored embeddings":
        raise SingError(f"{store.path} was made from stored embeddings, so its CLIP is not known: name one with --clip")
    return clip_place(store, clean(str(facts.get("tag", ""))))


def _tower_name(wanted: str) -> str:
    """Return a name that a group of the file can have: slashes become blanks."""
    name = " ".join(clean(wanted.removeprefix("local-dir:").removeprefix("hf-hub:")).replace("/", " ").split())
    if not 0 < len(name.encode()) < 256 or name in (".", ".."):
        raise SingError(f"--name {clean(wanted)[:60]!r}: a name has 1 to 255 bytes")
    return name


def checked_dictionary(
    pool: ConceptPool, sizes: Sequence[int], size: int, progress: Progress, *, option: str = "--sizes"
) -> Dictionary:
    """Return the centred concepts, and refuse more picks than there are different ones.

    Args:
        pool: The concepts.
        sizes: Numbers of concepts K, ascending.
        size: Number of coordinates of the joint space.
        progress: Is given a line about concepts of one direction.
        option: Option that gave the sizes, for messages.

    Raises:
        ConceptsError: An embedding is not finite or of another size, or there are too few concepts.
    """
    if pool.embeddings.shape[1] != size:
        raise ConceptsError(f"{pool.source}: embeddings of {pool.embeddings.shape[1]} numbers, the tower has {size}")
    lengths = pool.embeddings.norm(dim=1)
    if not (lengths.isfinite() & (lengths > 0)).all():
        raise ConceptsError(f"{pool.source}: an embedding is zero or not finite")
    if sizes[-1] > len(pool.names):
        raise ConceptsError(f"{option} {sizes[-1]}: {pool.source} has only {len(pool.names):,} concepts")
    dictionary = Dictionary.of_texts(pool.embeddings)
    same = int((~dictionary.usable).sum())
    if len(pool.names) < 2 or not dictionary.atoms.isfinite().all():
        raise ConceptsError(f"{pool.source}: names need at least two concepts that the CLIP tells apart")
    if same:
        progress.say(f"{same:,} concepts have the direction of an earlier one for this CLIP, and are not picked")
    if sizes[-1] > len(pool.names) - same:
        raise ConceptsError(
            f"{option} {sizes[-1]}: {pool.source} has only {len(pool.names) - same:,} different concepts"
        )
    return dictionary


def _facts(
    question: HeadsQuestion, space: OpenClipSpace, pool: ConceptPool, mean: ImageMean, dictionary: Dictionary
) -> dict[str, Attribute]:
    """Return what the tower's names depend on, as attributes."""
    return {
        **{f"clip_{name}": value for name, value in space.provenance.items() if name in ("tag", "activation")},
        "clip_state_sha256": space.provenance["state_sha256"],
        "pool": pool.source,
        "pool_sha256": pool.sha256,
        "pool_count": len(pool.names),
        "pool_same_direction": int((~dictionary.usable).sum()),
        "image_mean": mean.source,
        "coherence": question.coherence,
        "fold_layer_norm": True,
        "vectors": "right",
        "sign": "the largest entry of the left vector is positive",
        "version": __version__,
        "command": question.command,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
