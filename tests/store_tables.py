"""A results file from what is drawn for it: what a network and CLIP would say is made up, all that follows is computed."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from store_figures import (
    COMPARED,
    Array,
    Datasets,
    control_figures,
    follow_images,
    head_figures,
    resamples,
    ridge_path,
    usual_figures,
)

from sing_compute.scores.intervals import class_intervals
from sing_compute.scores.resampling import certainty
from sing_compute.scores.statistics import class_statistics, model_summary, rank_correlation
from sing_compute.store import replace_store
from sing_compute.store.constants import SUBSETS
from sing_compute.store.write import Attribute, Writer

REPLICATES = 60
COLUMNS = (
    "attribute_score",
    "image_score",
    "attribute_score_centred",
    "image_score_centred",
    "class_angle",
    "cosine",
    "null_energy",
    "null_energy_centred",
)


@dataclass(frozen=True, slots=True)
class Shared:
    """Tables that all models of a file have in common."""

    keys: Sequence[str]
    offsets: NDArray[np.int64]
    """Images of class c are rows offsets[c] to offsets[c + 1]."""
    classes: Sequence[str]
    concepts: Sequence[str]
    kinds: Sequence[str]
    class_embeddings: Array
    concept_embeddings: Array
    skipped: Sequence[tuple[str, str]]
    """Keys of images that could not be read, and why."""
    groups: Sequence[str] = ()
    group: NDArray[np.int64] | None = None
    """Group of each image, -1 for none."""
    wnids: Sequence[str] = ()
    root: str = ""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each image."""
        return np.repeat(np.arange(len(self.classes)), np.diff(self.offsets))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Made-up tables of one model; without `images/attribute_score` its head has no null space."""

    datasets: Datasets
    figures: dict[str, float] = field(default_factory=dict)
    """Figures of the summary that do not follow from the datasets."""
    facts: dict[str, Attribute] = field(default_factory=dict)
    controls: ArrayLike = (1.0, 1.1, 0.9, 0.5, 0.6)
    """Scores under each control over those measured: (control), or (AS and IS, control)."""
    decay: tuple[float, float] = (0.3, 0.3)
    """AS and IS fall with the penalty to the power of minus these."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """Figures by which models with scores are compared."""

    class_scores: Array
    """Median |AS| of each class."""
    value: Array
    """(penalty, figure)."""
    replicates: Array
    """(penalty, figure, replicate)."""
    accuracies: tuple[float, float]
    """Of the model, and zero-shot of T(f~)."""


@dataclass(frozen=True, slots=True)
class _Made:
    """All datasets of one model."""

    datasets: Datasets
    facts: dict[str, Attribute]
    compared: _Compared | None


def write_drawn(
    path: Path,
    shared: Shared,
    models: Sequence[str],
    draw: Callable[[int], Drawn],
    *,
    replicates: int = REPLICATES,
    threads: int = 1,
) -> Path:
    """A results file of what `draw` makes up for each model, by its position; with more threads, for several at a time."""
    with replace_store(path, scratch=path.parent) as writer:
        _write_shared(writer, shared)
        compared: dict[str, _Compared] = {}
        for position, made in enumerate(_ahead(partial(_made, shared, draw, replicates), len(models), threads)):
            for name, values in made.datasets.items():
                writer.put("models/{model}/" + name, values, model=models[position])
            writer.annotate(f"models/{models[position]}", {"order": position} | made.facts)
            if made.compared:
                compared[models[position]] = made.compared
        if compared:
            _write_comparison(writer, list(compared), list(compared.values()))
    return path


def _ahead(work: Callable[[int], _Made], count: int, threads: int) -> Iterator[_Made]:
    """Results in order; as many as there are threads are in work or waiting."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_Made]] = deque()
        for position in range(count):
            waiting.append(pool.submit(work, position))
            if len(waiting) == threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _write_shared(writer: Writer, shared: Shared) -> None:
    writer.put("images/key", shared.keys)
    writer.put("images/class", shared.labels)
    writer.put("images/offsets", shared.offsets)
    writer.put("images/skipped_key", [key for key, _ in shared.skipped])
    writer.put("images/skipped_reason", [reason for _, reason in shared.skipped])
    if shared.root:
        writer.annotate("images", {"root": shared.root})
    if shared.group is not None:
        writer.put("images/group", shared.group)
        writer.put("groups/name", shared.groups)
    writer.put("subsets/name", [*SUBSETS, *(f"group:{name}" for name in shared.groups)])
    writer.put("classes/name", shared.classes)
    if shared.wnids:
        writer.put("classes/wnid", shared.wnids)
    writer.put("classes/prompt", [f"an image of a {name}" for name in shared.classes])
    writer.put("concepts/name", shared.concepts)
    writer.put("concepts/kind", shared.kinds)
    writer.put("concepts/prompt", [f"an image of {name}" for name in shared.concepts])
    writer.annotate("clip", {"tag": "synthetic", "source": "made up"})
    writer.put("clip/class_embeddings", shared.class_embeddings)
    writer.put("clip/concept_embeddings", shared.concept_embeddings)


def _write_comparison(writer: Writer, names: Sequence[str], models: Sequence[_Compared]) -> None:
    writer.put("comparison/model", names)
    orders = [model.class_scores for model in models]
    writer.put("comparison/class_order", [[rank_correlation(a, b) for b in orders] for a in orders])
    writer.put("comparison/figure", COMPARED)
    writer.put("comparison/value", np.stack([model.value for model in models], axis=-1))
    accuracies = np.array([model.accuracies for model in models])
    if len(names) > 2 and np.ptp(accuracies, axis=0).all():
        writer.put("comparison/accuracy_correlation", np.corrcoef(accuracies.T)[0, 1])
    spread = np.stack([model.replicates for model in models], axis=2)  # (penalty, figure, model, replicate)
    writer.put("comparison/above", [[certainty(figure) for figure in penalty] for penalty in spread])


def _made(shared: Shared, draw: Callable[[int], Drawn], replicates: int, position: int) -> _Made:
    """Everything that follows from what is drawn for one model."""
    drawn = draw(position)
    found = dict(drawn.datasets)
    right = found["images/prediction"] == shared.labels
    summary = head_figures(found, right)
    columns = {name: np.float32(found[f"images/{name}"]) for name in COLUMNS if f"images/{name}" in found}
    found |= {f"images/{name}": values for name, values in columns.items()}
    groups = [] if shared.group is None else [shared.group == k for k in range(len(shared.groups))]
    masks = [np.ones(len(right), bool), right, ~right, *groups]
    statistics = class_statistics(shared.offsets, right, columns, masks)
    found |= {f"classes/{name}": values for name, values in statistics.items()}
    compared = None
    if columns:
        follow_images(found, columns, shared.offsets)
        summary |= model_summary(columns, statistics["ratio"][0])
        summary["probe_chance"] = np.diff(shared.offsets).max() / len(shared.labels)
        summary |= usual_figures(found, shared.concept_embeddings) | drawn.figures
        found |= ridge_path(summary, drawn.decay) | control_figures(summary, np.asarray(drawn.controls))
        intervals = class_intervals(shared.offsets, columns, masks)
        found["classes/interval_figure"] = list(intervals)
        found["classes/interval"] = [np.stack([ends.low, ends.high], axis=-1) for ends in intervals.values()]
        runs = resamples(found, columns, shared.offsets, statistics["ratio"][0], drawn.decay, replicates)
        accuracies = float(summary["accuracy"]), float(summary["zero_shot_equivalent"])
        compared = _Compared(statistics["attribute_score_abs_q50"][0], *runs, accuracies)
    found |= {f"summary/{name}": figure for name, figure in summary.items()}
    return _Made(found, drawn.facts, compared)
