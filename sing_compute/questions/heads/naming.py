"""Name the attention heads of a CLIP image tower, and add them to a results file or start a file that holds them alone."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError, TowerError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.pipeline.devices import usable_device
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.concept_pool import checked_sizes, concept_pool, dictionary_of
from sing_compute.questions.heads.image_mean import image_mean
from sing_compute.questions.heads.layers import kept_layer
from sing_compute.questions.heads.tower_sink import put_tower, tower_facts
from sing_compute.questions.text_vectors import clip_place
from sing_compute.sith.heads import name_layer
from sing_compute.sith.towers import read_tower
from sing_compute.store import Store, replace_store
from sing_compute.store.text import clean

MOST_COHERENCE = 10
_PLAN, _PLAN_VERSION = "heads", 1
"""Mark of the plan of such a command in a work folder."""


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
    side: str = "right"
    """`right`: what heads write; `left`: what they read."""
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
        work, finished = WorkFolder(path, fresh=False, stop=interruption.check, warn=progress.warn), False
        try:
            if any(work.folder.glob("*.probe")) or _holds_a_run(work):
                raise SingError(f"{work.folder} holds unfinished work for {path}: finish that run first")
            with ExitStack() as stack:
                store = None if new else stack.enter_context(Store(path))
                stack.enter_context(progress.record(work.progress_file, "sing-compute heads"))
                name = _add(path, store, work, question, progress)
                finished = True
                return name
        finally:
            work.release(finished=finished)


def _holds_a_run(work: WorkFolder) -> bool:
    return any(work.folder.glob("*.safetensors")) and _PLAN not in (work.plan() or {})


def _add(path: Path, store: Store | None, work: WorkFolder, question: HeadsQuestion, progress: Progress) -> str:
    sizes = checked_sizes(question.sizes)
    if not 0 <= question.coherence <= MOST_COHERENCE:  # also refuses NaN
        raise SingError(f"--coherence {question.coherence:g}: a number from 0 to {MOST_COHERENCE}")
    place = question.clip or _own_clip(store)
    progress.say(f"loading CLIP {place}")
    device = usable_device(question.device, 0)
    space = OpenClipSpace(place)
    tag = space.provenance["tag"] + (" read" if question.side == "left" else "")
    name = tower_name(question.name or tag)
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
    dictionary = dictionary_of(pool, sizes, size, progress, what="the tower", folder=work.folder)
    plan = {
        _PLAN: _PLAN_VERSION,
        "clip": [space.provenance["state_sha256"], space.provenance["activation"]],
        "concepts": [pool.sha256, len(pool.names), float(dictionary.mean.sum())],
        "image mean": hashlib.sha256(mean.vector.numpy().tobytes()).hexdigest(),
        "sizes": sizes,
        "coherence": question.coherence,
        "side": question.side,
        "layers": list(numbers),
    }
    done = work.adopt_plan(plan, replace=question.fresh)
    if done:
        progress.say(f"going on: {done} of {len(numbers)} layers are done")
    naming = partial(
        name_layer,
        tower,
        image_mean=mean.vector,
        dictionary=dictionary,
        sizes=sizes,
        coherence=question.coherence,
        side=question.side,
    )
    layers = [kept_layer(work, position, number, naming, progress) for position, number in enumerate(numbers)]
    with replace_store(path, scratch=work.folder) as writer:
        order = 0
        if store is not None:
            order = len([other for other in store.members("tower") if other != name])
            writer.copy(store, leave_out=[f"towers/{name}"])
        put_tower(writer, name, tower, numbers, layers, pool, dictionary, mean, sizes)
        facts = tower_facts(space, pool, mean, dictionary, coherence=question.coherence, side=question.side)
        writer.annotate(f"towers/{name}", facts | {"command": question.command, "order": order})
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


def _own_clip(store: Store | None) -> str:
    facts = {} if store is None else store.attributes("clip")
    if store is None or not facts:
        where = "this file" if store is None else str(store.path)
        raise SingError(f"{where} names no CLIP: name one with --clip")
    if facts.get("source") == "stored embeddings":
        raise SingError(f"{store.path} was made from stored embeddings, so its CLIP is not known: name one with --clip")
    return clip_place(store, clean(str(facts.get("tag", ""))), str(facts.get("state_sha256", "")))


def tower_name(wanted: str) -> str:
    """Return a name that a group of the file can have: slashes become blanks.

    Raises:
        SingError: It is empty or too long.
    """
    name = " ".join(clean(wanted.removeprefix("local-dir:").removeprefix("hf-hub:")).replace("/", " ").split())
    if not 0 < len(name.encode()) < 256 or name in (".", ".."):
        raise SingError(f"--name {clean(wanted)[:60]!r}: a name has 1 to 255 bytes")
    return name
