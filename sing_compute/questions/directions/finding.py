"""Find direction pairs in the features of one classifier of a results file, measure them, and add them to the file."""

import math
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from sing_compute.directions.influence import Influence
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
from sing_compute.questions.directions.labelled import KnownConcepts, LabelledDirections, labelled, read_concepts
from sing_compute.questions.directions.masks import MaskFolder, find_masks, labelled_by_masks
from sing_compute.questions.directions.matches import FiredImages, fired_images, put_matches
from sing_compute.questions.directions.measuring import NAMED, measure_directions
from sing_compute.questions.directions.question import DirectionsQuestion, facts_of, plan_of
from sing_compute.questions.directions.rival_directions import classes_as_concepts, rival_directions
from sing_compute.questions.directions.search_state import SearchState
from sing_compute.questions.directions.searching import search
from sing_compute.questions.directions.sink import GROUP, FoundDirections, put_directions
from sing_compute.questions.heads.concept_pool import dictionary_of, pool_of_file
from sing_compute.store import Store, replace_store
from sing_compute.store.text import clean


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
    if question.step is not None and not 0 < question.step < math.inf:  # also refuses NaN
        raise SingError(f"--step {question.step:g}: a length above 0, in the unit of the features")
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
        pool = pool_of_file(
            store, progress, words=question.words, vocabularies=question.vocabularies, clip=question.clip
        )
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
    masks = None if question.masks is None else find_masks(question.masks, keys, inputs)
    if known is not None and masks is not None:
        raise SingError("--labels and --masks exclude each other: give one kind of known concepts")
    work.adopt_plan(plan_of(inputs, question, settings))
    searched = search(
        inputs,
        question.count,
        settings=settings,
        seed=question.seed,
        device=usable_device(question.device, 0),
        progress=progress,
        stop=work.leave_if_asked,
        state=lambda name: SearchState(work.folder / f"{name}.safetensors", work.plan_sha256),
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
        step=question.step,
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
        _labelled(question, known, masks, fires, searched.pairs, inputs, measured.influence),
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
        writer.annotate(GROUP.format(model=model), facts_of(store, question, settings, label, pool, dictionary))
    return model


def _labelled(
    question: DirectionsQuestion,
    known: KnownConcepts | None,
    masks: MaskFolder | None,
    fires: Bool[np.ndarray, "image direction"],
    pairs: DirectionPairs,
    inputs: DirectionInputs,
    moved: Influence,
) -> LabelledDirections | None:
    """Label directions with the known concepts of the images, or with masks; None where neither is given."""
    if masks is not None:
        return labelled_by_masks(masks, pairs, inputs, moved, seed=question.seed)
    return None if known is None else labelled(fires, known, inputs, moved, seed=question.seed)


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
    what = "pooled features"
    if question.maps:
        every = store.attributes(f"models/{inputs.model}/maps").get("positions", inputs.positions)
        what = f"maps, at {inputs.positions} of {every} positions,"
    where = "" if question.label is None else f" of the class {clean(question.label)}"
    some = f" of {images:,}" if kept < images and question.label is None else ""
    progress.say(
        f"{clean(inputs.model)}: directions in the {what} of {kept:,}{some} {noun.plural}{where}; no network is loaded"
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
