"""Find direction pairs in the features of one classifier of a results file, measure them, and add them to the file."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from sing_compute import __version__
from sing_compute.directions.naming import SignalNames
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.settings import Settings
from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.pipeline.devices import usable_device
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.head_reading import names_of, say_what_is_missing, translator_of
from sing_compute.questions.directions.inputs import DirectionInputs, read_inputs
from sing_compute.questions.directions.labelled import labelled, read_concepts
from sing_compute.questions.directions.matches import FiredImages, fired_images, put_matches
from sing_compute.questions.directions.measuring import NAMED, measure_directions
from sing_compute.questions.directions.rival_directions import classes_as_concepts, rival_directions
from sing_compute.questions.directions.search_state import SearchState
from sing_compute.questions.directions.searching import search
from sing_compute.questions.directions.sink import GROUP, FoundDirections, put_directions
from sing_compute.questions.heads.concept_pool import ConceptPool, concept_pool, dictionary_of, own_pool
from sing_compute.questions.text_vectors import load_clip
from sing_compute.sith.naming import Dictionary
from sing_compute.store import Store, replace_store
from sing_compute.store.text import clean
from sing_compute.store.write import Attribute

AUTO = "auto"
_PLAN, _PLAN_VERSION = "directions", 1
"""Mark of the plan of a search in a work folder."""


@dataclass(frozen=True, slots=True)
class DirectionsQuestion:
    """The options of `sing-compute directions`."""

    model: str | None = None
    """None if the file holds one model."""
    count: int | None = None
    """Number of directions; None finds it."""
    maps: bool = False
    label: str | None = None
    """Class whose images are looked at: name, index or WordNet id; None for all."""
    sigmoid: bool = False
    restarts: int = 8
    seed: int = 0
    size: int = 5
    """Concepts of a name."""
    words: Path | None = None
    vocabularies: Sequence[str] = ()
    clip: str | None = None
    labels: Path | None = None
    """Table of known concepts of the images."""
    rivals: bool = False
    """Other methods, too."""
    device: str = "cpu"
    fresh: bool = False
    command: str = ""


def find_and_add(
    path: Path, question: DirectionsQuestion, progress: Progress, *, settings: Settings | None = None
) -> str:
    """Find direction pairs in a model of a results file and add them; the file is replaced in one step.

    A search that was killed goes on where it was. Directions of the model from an earlier call are replaced.

    Args:
        path: The results file.
        question: What is asked for.
        progress: Is given lines about what is used, and how far the work is.
        settings: How to look; None for the settings of the benchmarks.

    Returns:
        Name of the model.

    Raises:
        SingError: A mistake of the user; the file is unchanged.
    """
    Store(path).close()  # fails here if there is no such file, before a work folder is made
    with Interruption(progress.say, unit="step") as interruption:
        work = WorkFolder(path, fresh=question.fresh, stop=interruption.check, warn=progress.warn)
        finished = False
        try:
            if any(work.folder.glob("*.probe")):
                raise SingError(f"{work.folder} holds unfinished work for {path}: finish that run first")
            with Store(path) as store, ExitStack() as stack:
                stack.enter_context(progress.record(work.progress_file, "sing-compute directions"))
                chosen = replace(settings or Settings(), restarts=question.restarts)
                name = _add(path, store, work, question, progress, chosen)
                finished = True
                return name
        finally:
            work.release(finished=finished)


def _add(
    path: Path,
    store: Store,
    work: WorkFolder,
    question: DirectionsQuestion,
    progress: Progress,
    settings: Settings,
) -> str:
    model = _model(store, question.model)
    label = None if question.label is None else store.find_class(question.label)
    inputs = read_inputs(store, model, maps=question.maps, label=label, sigmoid=question.sigmoid)
    _say_what_is_used(store, inputs, question, progress)
    translator = translator_of(store, model)
    pool, dictionary = None, None
    if translator is not None:
        pool = _pool(store, question, progress)
        dictionary = dictionary_of(
            pool,
            [question.size],
            len(translator),
            progress,
            what="the CLIP space of the file",
            folder=work.folder,
            option="--size",
        )
    elif question.words or question.vocabularies:
        raise SingError(
            f"{clean(model)} has no translator into CLIP space, so directions have no words: leave out --words"
        )
    keys = [str(key) for key in store.dataset("images/key")[inputs.rows]]
    known = None if question.labels is None else read_concepts(question.labels, keys)
    work.adopt_plan(_plan(inputs, question, settings))
    searched = search(
        inputs,
        question.count,
        settings=settings,
        seed=question.seed,
        device=usable_device(question.device, 0),
        progress=progress,
        stop=work.leave_if_asked,
        state=lambda name: SearchState(work.folder / f"{name}.safetensors"),
    )
    measured = measure_directions(
        inputs,
        searched.pairs,
        progress,
        work.leave_if_asked,
        translator=translator,
        dictionary=dictionary,
        size=question.size,
        subsets=_subsets(store, inputs),
        seed=question.seed,
    )
    for line in say_what_is_missing(inputs, measured.reading, named=translator is not None):
        progress.say(line)
    fires = measured.logits.numpy() > 0
    rivals = None
    if question.rivals:

        def named(pairs: DirectionPairs) -> SignalNames | None:
            if translator is None or dictionary is None:
                return None
            return names_of(pairs, translator, measured.random[:NAMED], dictionary, question.size)

        concepts = known or classes_as_concepts(inputs, [str(name) for name in store.class_names])
        rivals = rival_directions(
            *(inputs, searched.pairs, measured.reading.split, progress, work.leave_if_asked),
            known=concepts,
            named=named,
            seed=question.seed,
        )
    found = FoundDirections(
        *(inputs, searched, measured, keys, pool.names if pool else ()),
        None if known is None else labelled(fires, known, seed=question.seed),
        rivals,
    )
    own = FiredImages(inputs.rows, fires)
    every = {name: own if name == model else fired_images(store, name) for name in store.models}
    fired = {name: each for name, each in every.items() if each is not None}
    replaced = [GROUP.format(model=model), *(f"{GROUP.format(model=name)}/matches" for name in fired)]
    with replace_store(path, scratch=work.folder) as writer:
        writer.copy(store, leave_out=replaced)
        put_directions(writer, found)
        put_matches(writer, fired)
        writer.annotate(GROUP.format(model=model), _facts(store, question, settings, label, pool, dictionary))
    return model


def _model(store: Store, wanted: str | None) -> str:
    if wanted is not None:
        return store.model(wanted)
    if len(store.models) == 1:
        return store.models[0]
    if not store.models:
        raise SingError(f"{store.path} holds no classifiers, so there are no features to look for directions in")
    raise SingError(
        f"{store.path} holds {len(store.models)} models: name one with --model: {', '.join(map(clean, store.models))}"
    )


def _say_what_is_used(store: Store, inputs: DirectionInputs, question: DirectionsQuestion, progress: Progress) -> None:
    images, noun = store.count("image"), store.noun
    kept = len(inputs.rows)
    what = f"maps of {inputs.positions} positions" if question.maps else "pooled features"
    where = "" if question.label is None else f" of the class {clean(question.label)}"
    some = f" of {images:,}" if kept < images and question.label is None else ""
    progress.say(
        f"{clean(inputs.model)}: directions in the {what} of {kept:,}{some} {noun.plural}{where}; no network is loaded"
    )


def _pool(store: Store, question: DirectionsQuestion, progress: Progress) -> ConceptPool:
    """Return the concepts of the file with their stored embeddings, or others embedded by its CLIP."""
    if question.words is None and not question.vocabularies:
        return own_pool(store, progress)
    space = load_clip(store, progress, clip=question.clip)
    cpu = torch.device("cpu")
    return concept_pool(
        space, progress, store=None, words=question.words, vocabularies=question.vocabularies, device=cpu
    )


def _subsets(store: Store, inputs: DirectionInputs) -> Bool[np.ndarray, "subset image"]:
    """Return a mask of the images of each subset of the file, among those that are used."""
    predicted = (inputs.pooled @ inputs.head.weight.T + inputs.head.bias).argmax(1).numpy()
    right = predicted == inputs.labels
    masks = [np.ones(len(right), dtype=bool), right, ~right]
    if "groups/name" in store and "images/group" in store:
        groups = store.array("images/group")[inputs.rows]
        masks += [groups == k for k in range(len(store.array("groups/name")))]
    return np.array(masks)


def _plan(inputs: DirectionInputs, question: DirectionsQuestion, settings: Settings) -> dict[str, Any]:
    """Return everything that the search depends on."""
    head = inputs.head
    return {
        _PLAN: _PLAN_VERSION,
        "model": inputs.model,
        "features": _sha256(inputs.features.numpy(), inputs.pooled.numpy(), inputs.rows),
        "head": _sha256(head.weight.numpy(), head.bias.numpy()) + str(head.sigmoid),
        "count": question.count or AUTO,
        "seed": question.seed,
        "settings": _plain(asdict(settings)),
    }


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}


def _sha256(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _facts(
    store: Store,
    question: DirectionsQuestion,
    settings: Settings,
    label: int | None,
    pool: ConceptPool | None,
    dictionary: Dictionary | None,
) -> dict[str, Attribute]:
    """Return what the directions depend on, as attributes."""
    facts: dict[str, Attribute] = {
        "features": "spatial maps" if question.maps else "pooled features",
        "count": "chosen by the number that is found" if question.count is None else "given",
        "seed": question.seed,
        "sigmoid": question.sigmoid,
        "settings": ", ".join(f"{name}={value}" for name, value in _plain(asdict(settings)).items()),
        "version": __version__,
        "command": question.command,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if label is not None:
        facts["class"] = clean(str(store.class_names[label]))
    if pool is not None and dictionary is not None:
        facts |= {
            "pool": pool.source,
            "pool_sha256": pool.sha256,
            "pool_count": len(pool.names),
            "concepts": question.size,
        }
    return facts
