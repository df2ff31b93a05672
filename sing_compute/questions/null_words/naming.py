"""Name null directions of the classifiers of a results file by concepts, from the file alone, and add them to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from sing_compute import __version__
from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.linalg.angles import paired_angle
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.concept_pool import ConceptPool, checked_sizes, dictionary_of, pool_of_file
from sing_compute.questions.null_words.sink import GROUP, put_null_words
from sing_compute.questions.rewriting import rewriting
from sing_compute.questions.stored_model import StoredModel, chosen_models
from sing_compute.scores.null_movements import FEWEST_IMAGES, null_modes, principal_null_directions
from sing_compute.sith.movements import NamedMovements, name_movements
from sing_compute.sith.naming import Dictionary
from sing_compute.store import Store, replace_store
from sing_compute.store.text import clean, store_error
from sing_compute.store.write import Attribute

COHERENCE = 0.3
"""COMP's weight of the likeness to concepts picked before: the paper's lambda."""


@dataclass(frozen=True, slots=True)
class NullWordsQuestion:
    """The options of `sing-compute words`."""

    model: str | None = None
    """One model; None for all that have a null space and a translator."""
    class_directions: int = 3
    """Largest number of directions of each class."""
    modes: int = 8
    """Largest number of modes of A Pi_n."""
    sizes: Sequence[int] = (5,)
    """Numbers of concepts K."""
    words: Path | None = None
    vocabularies: Sequence[str] = ()
    clip: str | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class NamedNullDirections:
    """The null directions of one model in words. NaN in the place of what a class does not have."""

    singular_value: Float64[Tensor, " mode"]
    modes: NamedMovements
    images: Int64[Tensor, " class"]
    """Images of each class whose features are stored."""
    share: Float64[Tensor, "class direction"]
    deviation: Float64[Tensor, "class direction"]
    movement: Float64[Tensor, "class direction"]
    """|A d| times the deviation."""
    angle: Float64[Tensor, "class direction sign"]
    """Degrees from T(m) to T(m + s d), m the mean feature of the class, s the deviation toward each pole."""
    directions: NamedMovements
    """Those of all classes, class after class, (class x direction)."""


def name_null_directions(path: Path, question: NullWordsQuestion, progress: Progress) -> list[str]:
    """Name the null directions of the models of a results file and add them to it; the file is replaced in one step.

    Everything else in the file is copied bit for bit. Names of the same models from an earlier call are replaced.

    Args:
        path: The results file.
        question: What is asked for.
        progress: Is given lines about what is used and what is missing, and how far the work is.

    Returns:
        Names of the models whose null directions were named.

    Raises:
        SingError: A mistake of the user, or no model has what is needed; the file is unchanged.
    """
    with rewriting(path, progress, "sing-compute words") as (store, work):
        return _add(store, work, question, progress)


def _add(store: Store, work: WorkFolder, question: NullWordsQuestion, progress: Progress) -> list[str]:
    sizes = checked_sizes(question.sizes)
    models = _models(store, question.model, progress)
    pool = pool_of_file(store, progress, words=question.words, vocabularies=question.vocabularies, clip=question.clip)
    size = store.dataset("clip/class_embeddings").shape[1]
    dictionary = dictionary_of(pool, sizes, size, progress, what="the CLIP space of the file", folder=work.folder)
    named = {}
    for model in models:
        _say_what_is_missing(model, progress)
        named[model.name] = _named(model, dictionary, sizes, question, work, progress)
    with replace_store(store.path, scratch=work.folder) as writer:
        writer.copy(store, leave_out=[GROUP.format(model=name) for name in named])
        for name, found in named.items():
            put_null_words(writer, name, found, pool, dictionary, sizes, [clean(str(c)) for c in store.class_names])
            writer.annotate(GROUP.format(model=name), _facts(question, pool, dictionary))
    return list(named)


def _models(store: Store, wanted: str | None, progress: Progress) -> list[StoredModel]:
    """Return the models that have a null space and a translator, and say which do not.

    Raises:
        SingError: None has.
    """
    names = chosen_models(store, wanted)
    if not names:
        raise SingError(f"{store.path} holds no classifiers: there are no null directions to name")
    found = []
    for name in names:
        try:
            if store.summary(name).get("nullity") and f"models/{name}/translator/weight" not in store:
                raise SingError(f"{clean(name)} has no translator into CLIP space; measure it again, with --clip")
            found.append(StoredModel.read(store, name))
        except SingError as error:
            if len(names) == 1:
                raise
            progress.say(str(error))
    if not found:
        raise SingError(f"no model of {store.path} has a null space and a translator: there is nothing to name")
    return found


def _say_what_is_missing(model: StoredModel, progress: Progress) -> None:
    """Say how many images the class directions of a model are found from, if these are not all of its images."""
    name, noun, images = clean(model.name), model.store.noun, int(model.store.offsets[-1])
    kept = len(model.rows)
    if not kept:
        progress.say(f"{name}: no features are stored, so its modes are named and no directions of classes")
        return
    if kept < images:
        progress.say(
            f"{name}: directions of classes rest on the {kept:,} of {images:,} {noun.plural} whose features are kept"
        )
    few = int((torch.from_numpy(model.offsets).diff() < FEWEST_IMAGES).sum())
    if few:
        progress.say(
            f"{name}: classes of fewer than {FEWEST_IMAGES} such {noun.plural}, which have no directions: {few:,}"
        )


def _named(
    model: StoredModel,
    dictionary: Dictionary,
    sizes: Sequence[int],
    question: NullWordsQuestion,
    work: WorkFolder,
    progress: Progress,
) -> NamedNullDirections:
    """Find and name the null directions of one model; the features of one class are in memory at a time."""
    translator = model.whole.whole
    modes = null_modes(translator.weight, model.split, question.modes)
    if not len(modes.singular_value):
        progress.say(f"{clean(model.name)}: its translator maps the whole null space to zero, so it has no modes")
    images = torch.from_numpy(model.offsets).diff()
    classes, count, clip = len(images), question.class_directions, len(translator.bias)
    share, deviation, length = torch.full((3, classes, count), torch.nan, dtype=torch.float64)
    angle = torch.full((classes, count, 2), torch.nan, dtype=torch.float64)
    moves = torch.zeros(classes, count, clip, dtype=torch.float64)
    with progress.task(f"{clean(model.name)}: null directions", classes) as advance:
        for label in range(classes if len(model.rows) else 0):
            work.leave_if_asked()
            features = _features(model, label)
            found = principal_null_directions(features, model.split, count)
            kept = len(found.share)
            if kept:
                moved = found.direction @ translator.weight.T
                steps = moved * found.deviation[:, None]
                share[label, :kept], deviation[label, :kept] = found.share, found.deviation
                moves[label, :kept], length[label, :kept] = moved, steps.norm(dim=1)
                typical = translator(features.mean(0, keepdim=True))
                both = torch.stack([steps, -steps], 1) + typical
                angle[label, :kept] = paired_angle(typical.expand_as(both), both)
            advance(1)
    directions = name_movements(moves.flatten(0, 1), dictionary, sizes, coherence=COHERENCE)
    turned = directions.sign.reshape(classes, count) < 0
    angle = torch.where(turned[..., None], angle.flip(-1), angle)
    return NamedNullDirections(
        modes.singular_value,
        name_movements(modes.direction @ translator.weight.T, dictionary, sizes, coherence=COHERENCE),
        images,
        share,
        deviation,
        length,
        angle,
        directions,
    )


def _features(model: StoredModel, label: int) -> Float64[Tensor, "image dim"]:
    """Read the stored features of one class.

    Raises:
        StoreError: A number is not finite.
    """
    path = f"models/{model.name}/features/value"
    rows = slice(int(model.offsets[label]), int(model.offsets[label + 1]))
    features = torch.from_numpy(model.store.dataset(path)[rows]).double()
    if not features.isfinite().all():
        raise store_error(f"{model.store.path.name}: {path}: not all finite")
    return features


def _facts(question: NullWordsQuestion, pool: ConceptPool, dictionary: Dictionary) -> dict[str, Attribute]:
    """Return what the names depend on, as attributes."""
    return {
        "pool": pool.source,
        "pool_sha256": pool.sha256,
        "pool_count": len(pool.names),
        "pool_same_direction": int((~dictionary.usable).sum()),
        "coherence": COHERENCE,
        "sign": "the concept nearest to the line is at its positive pole",
        "version": __version__,
        "command": question.command,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
