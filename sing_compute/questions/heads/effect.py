"""Measure what an edit of a CLIP does to its zero-shot accuracy, beside random vectors and whole heads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from sing_compute.concepts.clip_folder import note_of
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ImagesError, SingError, TowerError
from sing_compute.images.image_sources import list_images
from sing_compute.pipeline.devices import usable_device
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.clip_names import named_clip
from sing_compute.questions.heads.label_columns import TEMPLATE, class_texts, read_labels, read_prompts
from sing_compute.questions.heads.predicting import Patch, patch_of, predict
from sing_compute.scores.accuracy_change import AccuracyChange, Rows, accuracy_change, worst_group_change
from sing_compute.sith.attention import decompose
from sing_compute.sith.control_edits import random_vectors, whole_heads
from sing_compute.sith.towers import attention_layers
from sing_compute.store.text import clean

OVERALL, WORST, GROUP, CLASS, COLUMN = "overall", "worst group", "group", "class", "column"


@dataclass(frozen=True, slots=True)
class EffectQuestion:
    """The options of `sing-compute heads effect`."""

    images: Path
    labels: str | None = None
    groups: str | None = None
    templates: Sequence[str] = ()
    prompts: Path | None = None
    columns: Sequence[str] = ()
    """Other labels, each FILE:COLUMN, or FILE:COLUMN=TEMPLATE."""
    draws: int = 5
    seed: int = 0
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One accuracy, before and after, and by the edits that it is compared with."""

    kind: str
    name: str
    found: AccuracyChange
    random: Float[np.ndarray, " draw"]
    """Accuracy with as many random vectors; empty without controls."""
    heads: float
    """Accuracy with whole heads; NaN without controls."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of an edit."""

    rows: Sequence[EffectRow]
    vectors: int
    """Number of vectors that the edit changed; 0 if it is not known."""
    of: int
    """Number of vectors that it could change."""
    heads: int
    """Number of whole heads in the comparison."""


@dataclass(frozen=True, slots=True)
class _Question:
    """One set of texts, with the index of the right one for each image: -1 for an image that is left out."""

    name: str
    answers: Sequence[str]
    texts: Sequence[Sequence[str]]
    truth: np.ndarray


def edit_effect(before: str, after: str, question: EffectQuestion, progress: Progress) -> Effect:
    """Measure the zero-shot accuracy of two CLIPs, and of controls of the edit that made the second from the first.

    Args:
        before: Name of the first CLIP, or a results file whose CLIP is meant.
        after: The second one, likewise.
        question: What is asked for.
        progress: Is given lines about what is used, and how far the work is.

    Raises:
        SingError: A mistake of the user.
    """
    if question.draws < 0:
        raise SingError(f"--draws {question.draws}: a number of draws, 0 for no comparison")
    device = usable_device(question.device, 0)
    images = list_images(question.images)
    images = images.take(sorted(range(len(images)), key=images.keys.raw))
    for note in images.notes:
        progress.say(note)
    if question.labels is not None:
        labels = read_labels(images.keys, question.labels, "--labels")
    else:
        labels = [images.labels[row] for row in range(len(images))]
    questions = [_classes(labels, question)]
    for text in question.columns:
        questions.append(_column(images.keys, text))
    groups = read_labels(images.keys, question.groups, "--groups") if question.groups is not None else None
    before, after = named_clip(before)[0], named_clip(after)[0]
    progress.say(f"loading CLIP {before}")
    first = OpenClipSpace(before)
    progress.say(f"loading CLIP {after}")
    second = OpenClipSpace(after)
    controls, heads, vectors, there = _controls(first, after, question, progress)
    first.to(device)
    second.to(device)
    found = predict(images, first, second, controls, [each.texts for each in questions], progress, device=device)
    rows = _rows(found.nearest, found.rows, questions, groups, question)
    return Effect(rows, vectors, there, heads)


def _classes(labels: Sequence[str], question: EffectQuestion) -> _Question:
    """Return the classes and their texts; with texts of some classes, images of others are left out."""
    if question.prompts is not None:
        if question.templates:
            raise SingError("--template and --prompts exclude each other: give the texts of the classes once")
        given = read_prompts(question.prompts)
        names, texts = list(given), list(given.values())
        unknown = [name for name in names if name not in set(labels)]
        if unknown:
            known = ", ".join(sorted(set(labels))[:8])
            raise SingError(
                f"--prompts {question.prompts}: no image is of class {clean(unknown[0])!r}; classes: {clean(known)}"
            )
    else:
        names = sorted(set(labels))
        texts = class_texts(names, question.templates or (TEMPLATE,))
    if len(names) < 2:
        raise ImagesError(f"{len(names)} class: accuracy needs at least two")
    index = {name: number for number, name in enumerate(names)}
    return _Question("class", names, texts, np.array([index.get(label, -1) for label in labels]))


def _column(keys: Any, text: str) -> _Question:
    """Return the question of one other column of labels."""
    place, equals, template = text.partition("=")
    labels = read_labels(keys, place, "--column")
    names = sorted(set(labels))
    index = {name: number for number, name in enumerate(names)}
    texts = class_texts(names, (template if equals else TEMPLATE,), "--column")
    name = place.rpartition(":")[2] if ":" in place else Path(place).stem
    return _Question(name, names, texts, np.array([index[label] for label in labels]))


def _controls(
    space: OpenClipSpace, after: str, question: EffectQuestion, progress: Progress
) -> tuple[list[Patch], int, int, int]:
    """Return the weights of the edits to compare with (draws of random vectors, then whole heads), and their numbers."""
    note = note_of(after)
    if note is None or note.get("source_state_sha256") != space.provenance["state_sha256"]:
        progress.warn(
            f"{after} does not record an edit of the first CLIP by `heads edit`: no comparison with random vectors and heads"
        )
        return [], 0, 0, 0
    factors, real, layers = _recorded(space, note, after)
    changed = int((factors != 1).sum())
    if not question.draws or not changed:
        return [], 0, changed, int(real.sum())
    rng = np.random.default_rng(question.seed)
    heads = whole_heads(factors, real)
    edits = [random_vectors(factors, real, rng) for _ in range(question.draws)]

    def patch(values: Float[np.ndarray, "layer head vector"]) -> Patch:
        return patch_of(space.visual, dict(zip(layers, torch.from_numpy(values), strict=True)))

    return [*map(patch, edits), patch(heads.factors)], heads.heads, changed, int(real.sum())


def _recorded(
    space: OpenClipSpace, note: dict[str, Any], after: str
) -> tuple[Float[np.ndarray, "layer head vector"], Bool[np.ndarray, "layer head vector"], list[int]]:
    """Return the factors that a CLIP records, which vectors are above rounding, and the numbers of the layers."""
    try:
        parts = attention_layers(space.visual)
    except TowerError as error:
        raise TowerError(f"{space.provenance['tag']}: {error}") from error
    try:
        layers = [int(number) for number in note["layers"]]
        found = [decompose(parts[number].folded()) for number in layers]
        ranks = torch.stack([vectors.ranks for vectors in found]).numpy()
        count = found[0].values.shape[1]
        factors = np.ones((*ranks.shape, count))
        for layer, head, vector, factor in note["changed"]:
            factors[layers.index(layer), head, vector] = float(factor)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise SingError(f"{after}: what it records about its edit is damaged") from error
    return factors, np.arange(count) < ranks[..., None], layers


def _rows(
    nearest: np.ndarray,
    rows: np.ndarray,
    questions: Sequence[_Question],
    groups: Sequence[str] | None,
    question: EffectQuestion,
) -> list[EffectRow]:
    """Return the accuracies: of all images, of the worst group, of groups, of classes, and by other columns."""
    classes, *columns = questions
    truth = classes.truth[rows]
    inside = truth >= 0
    right = (nearest[:, 0] == truth)[:, inside]
    label = truth[inside]
    by_class = {name: label == number for number, name in enumerate(classes.answers)}
    kinds = {CLASS: by_class}
    if groups is not None:
        second = np.array([groups[row] for row in rows])[inside]
        pairs = {
            f"{name}, {other}": mask & (second == other)
            for name, mask in by_class.items()
            for other in sorted(set(second))
        }
        kinds = {GROUP: pairs, CLASS: by_class}
    cells = list(next(iter(kinds.values())).values())

    def row(
        kind: str, name: str, value: Callable[[np.ndarray], float], found: AccuracyChange, by: np.ndarray
    ) -> EffectRow:
        others = [value(each) for each in by[2:]]
        return EffectRow(kind, name, found, np.array(others[:-1]), others[-1] if others else np.nan)

    def share(mask: Rows) -> Callable[[np.ndarray], float]:
        return lambda correct: float(correct[mask].mean()) if mask.any() else np.nan

    def worst(correct: np.ndarray) -> float:
        return min(float(correct[mask].mean()) for mask in cells if mask.any())

    everything = np.ones(right.shape[1], dtype=bool)
    found = [
        row(OVERALL, "", share(everything), accuracy_change(right[0], right[1]), right),
        row(WORST, "", worst, worst_group_change(right[0], right[1], cells, seed=question.seed), right),
    ]
    for kind, masks in kinds.items():
        for name, mask in masks.items():
            found.append(row(kind, name, share(mask), accuracy_change(right[0][mask], right[1][mask]), right))
    for number, column in enumerate(columns, 1):
        correct = nearest[:, number] == column.truth[rows]
        mask = np.ones(correct.shape[1], dtype=bool)
        found.append(row(COLUMN, column.name, share(mask), accuracy_change(correct[0], correct[1]), correct))
    return found
