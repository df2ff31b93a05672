"""Estimate how long measuring takes from two small measurements of drawn features."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from sing_compute.extraction.networks import CLIP
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shard_file import Shard, shard_rows
from sing_compute.extraction.shards import WorkFolder
from sing_compute.linalg.angles import unit
from sing_compute.measuring.sing import CONTROLS_TASK, RULES_TASK
from sing_compute.measuring.validity import CONTROL_IMAGES
from sing_compute.pipeline.comparability import TextInputs
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.preparation import Prepared
from sing_compute.pipeline.results import Results
from sing_compute.process.progress import Advance, Progress
from sing_compute.process.ranks import Ranks
from sing_compute.translator.translator_file import ImportedTranslator

PILOT_IMAGES = 1024
"""Images of the smaller of the two measurements."""
NOISE = 0.5
"""Length of the noise added to the drawn CLIP embeddings: with it the chosen penalty stays inside its grid."""


def measuring_seconds(
    plan: Plan,
    prepared: Prepared,
    texts: TextInputs | None,
    settings: Settings,
    translators: dict[str, ImportedTranslator],
    progress: Progress,
) -> float:
    """Estimate the seconds from the last feature to the results file.

    Time grows with images and with classes that have images. The small measurements take the first images, so that a class
    has as many as in the whole run, and both grow together. Each task is extrapolated in a straight line to the images that
    it looks at.

    Args:
        plan: The plan of the run.
        prepared: Networks with their heads, and the images.
        texts: Classes and concepts; None for a run without an analysis.
        settings: Settings of the networks' arithmetic.
        translators: Translators that were fitted elsewhere, by model.
        progress: Shows how far the small measurements are.
    """
    images = len(prepared.images)
    seconds: dict[int, dict[str, float]] = {}
    counts = sorted({min(images, PILOT_IMAGES), min(images, 2 * PILOT_IMAGES)})
    with progress.task("scores, tried on few images", sum(counts)) as advance:
        for count in counts:
            part = replace(prepared, images=prepared.images.take(np.arange(count)), labels=prepared.labels[:count])
            seconds[count] = _measure_tasks(plan, part, texts, settings, translators)
            advance(count)
    (small, first), (large, last) = min(seconds.items()), max(seconds.items())
    whole = 0.0
    for title in last:
        bounded = title.rpartition(": ")[2] in (RULES_TASK, CONTROLS_TASK)
        more = max(0, (min(images, CONTROL_IMAGES) if bounded else images) - large)
        whole += last[title] + max(0.0, last[title] - first.get(title, 0.0)) / max(1, large - small) * more
    return whole


class _Stopwatch(Progress):
    """A `Progress` that shows nothing and measures the time of each task."""

    def __init__(self) -> None:
        super().__init__(rank=1)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """Measure one task."""
        start = time.monotonic()
        with super().task(title, total) as advance:
            yield advance
        self.seconds[title] = time.monotonic() - start


def _measure_tasks(
    plan: Plan,
    prepared: Prepared,
    texts: TextInputs | None,
    settings: Settings,
    translators: dict[str, ImportedTranslator],
) -> dict[str, float]:
    """Measure these images; return the seconds of each task by title, and those of everything else under an empty title."""
    with TemporaryDirectory(prefix="sing-") as folder:
        output = Path(folder) / "pilot.h5"
        work = WorkFolder(output, fresh=True)
        _draw(work, prepared, texts)
        watch = _Stopwatch()
        start = time.monotonic()
        Results(
            replace(plan, output=output, maps=None), work, watch, Ranks(), prepared, texts, settings, translators
        ).write()
        rest = time.monotonic() - start - sum(watch.seconds.values())
        work.release(finished=True)
    return {"": rest, **watch.seconds}


def _draw(work: WorkFolder, prepared: Prepared, texts: TextInputs | None) -> None:
    """Write shards of features like a network's: none is below 0, and the embedding depends on them only in part."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    clip_dim = texts.class_vectors.shape[1] if texts else 1
    heads = {classifier.name: [part.float().cpu() for part in classifier.head] for classifier in prepared.classifiers}
    maps = {name: normal(weight.shape[1], clip_dim) / weight.shape[1] ** 0.5 for name, (weight, _) in heads.items()}
    for index, rows in enumerate(shard_rows(len(prepared.images))):
        tensors: dict[str, Tensor] = {}
        targets = NOISE * normal(len(rows), clip_dim)
        for name, (weight, bias) in heads.items():
            features = normal(len(rows), weight.shape[1]).relu()
            confidence, prediction = (features @ weight.T + bias).softmax(1).max(1)
            tensors[f"{name}/features"] = features
            tensors[f"{name}/confidence"], tensors[f"{name}/prediction"] = confidence, prediction.int()
            targets += features @ maps[name] / len(heads)
        if prepared.space and prepared.space.network:
            tensors[CLIP] = unit(targets)
        work.write(index, Shard(torch.tensor(rows), tensors, []))
