"""Measure if the pipeline finds planted leaks, and only those: `python benchmarks/planted.py [--quick]` (docs/planted.md).

Writes benchmarks/results/planted.csv, docs/planted.svg and the tables in docs/planted.md.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from planted_report import Row, chart, tables
from planted_world import Array, PlantedWorld, Settings
from torch import Tensor, nn

from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.extraction.shard_file import Shard, shard_rows
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.listing import folds_of
from sing_compute.measuring.fitting import FOLDS
from sing_compute.measuring.network_outputs import keep_outputs
from sing_compute.measuring.reader import ShardReader
from sing_compute.measuring.sing import SharedInputs, SingMeasurement
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.clip_space import ClassTable
from sing_compute.pipeline.comparability import MeasuredImages, TextInputs
from sing_compute.pipeline.store_sink import StoreSink
from sing_compute.process.progress import Progress
from sing_compute.scores.statistics import rank_correlation
from sing_compute.store import Store, replace_store
from sing_compute.store.constants import SIGNIFICANT

DOCUMENTED = Settings()
SWEEPS: dict[str, tuple[float, ...]] = {
    "feature_noise": (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0),
    "target_noise": (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
    "images": (2, 3, 5, 10, 20, 50, 100, 200),
}
TILTS = (30.0, 45.0, 60.0, 75.0, 90.0)
QUIET = replace(DOCUMENTED, leaks=0)
"""Settings of a world in which nothing leaks, and the offset moves no concept."""
OFFSET = replace(QUIET, offset_anywhere=True, offset=20.0)
"""Settings of a world under H0: nothing leaks, and the null part is one random direction that all images share, plus noise."""
SEEDS = 10
OFFSETS = 4
"""Worlds under H0 for each seed; each has only one direction."""
STEEP = NormalDist().inv_cdf(1 - SIGNIFICANT / 2)
"""The |z| beyond which a normal distribution has the share `SIGNIFICANT`."""
ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results/planted.csv", ROOT / "docs/planted.md"
BEGIN, END = "<!-- planted:begin -->", "<!-- planted:end -->"


class Memory(WorkFolder):
    """Shards that were never on disk, for the pipeline's own reader."""

    def __init__(self, images: int, tensors: dict[str, Tensor]) -> None:
        self._rows, self._tensors = shard_rows(images), tensors

    def read(self, index: int, *names: str) -> Shard:
        """Return one shard with the tensors of these names."""
        rows = torch.tensor(self._rows[index])
        return Shard(rows, {name: self._tensors[name][rows] for name in names}, [])


class Quiet(Progress):
    """A `Progress` that shows nothing."""

    def __init__(self) -> None:
        super().__init__(rank=1)


@torch.inference_mode()
def measure(worlds: dict[str, PlantedWorld], path: Path) -> Path:
    """Run the pipeline on models of the same images, one world for each, and write a results file.

    A world's head becomes a Linear network whose input is the feature; it goes through the classes that a real network does.
    """
    first = next(iter(worlds.values()))
    s, labels = first.settings, first.latents.labels.astype(np.int32)
    keys = [f"class{label:02d}/{number % s.images:04d}" for number, label in enumerate(labels)]
    names = [f"class{label:02d}" for label in range(s.classes)]
    concepts = tuple(f"{'attribute' if k < s.attributes else 'distractor'}{k:02d}" for k in range(s.concepts))
    vocabulary = Vocabulary(concepts, tuple(name[:-2] for name in concepts), concepts)
    class_vectors, concept_vectors = _float(first.class_texts), _float(first.concept_texts)
    texts = TextInputs(ClassTable(names), names, vocabulary, class_vectors, concept_vectors, {"tag": "planted"})
    images = MeasuredImages(keys, labels, None, [], "")
    offsets = images.offsets(s.classes)
    shared = SharedInputs(offsets, labels, {}, class_vectors, concept_vectors)
    with replace_store(path, scratch=path.parent) as writer:
        whole = StoreSink(writer)
        whole.classes(names, None)
        whole.texts(texts)
        whole.images(images, s.classes)
        for order, (name, world) in enumerate(worlds.items()):
            classifier, tensors = _network(name, world)
            reader = ShardReader(
                Memory(len(keys), tensors | {"clip": _float(world.targets)}),
                len(keys),
                None,
                torch.from_numpy(labels),
                torch.from_numpy(folds_of(keys, FOLDS)),
                torch.device("cpu"),
            )
            sink = whole.model(name, images=len(keys), classes=s.classes)
            correct, _ = keep_outputs(classifier, reader, labels, offsets, [], sink, Quiet(), names=names)
            SingMeasurement(classifier, reader, shared, invariance="logits", ridge=None, seed=world.seed).run(
                correct, sink, Quiet()
            )
            writer.annotate(f"models/{name}", classifier.provenance | {"order": order})
    return path


def _network(name: str, world: PlantedWorld) -> tuple[Classifier, dict[str, Tensor]]:
    """Return a classifier that consists of its head, and the tensors that extraction would store of it."""
    weight, bias = (_float(part) for part in world.head)
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.copy_(weight)
    linear.bias.copy_(bias)
    classifier = Classifier(name, linear, lambda feature: feature, {"tag": name})
    features = _float(world.features)
    classifier.attach(features[:4])
    features, logits = classifier(features)
    confidence, prediction = logits.softmax(1).max(1)
    kept = {"features": features, "prediction": prediction.int(), "confidence": confidence}
    return classifier, {f"{name}/{part}": tensor for part, tensor in kept.items()}


def _float(values: Array) -> Tensor:
    return torch.from_numpy(values).float()


@dataclass(frozen=True, slots=True)
class Recovery:
    """Comparison of the pipeline's results with the planted leaks of one model; NaN where the model has no such leak."""

    auc: float
    """Area under the ROC of |z| against the planted leaks, mean over classes."""
    auc_least: float
    """The same for the worst class."""
    auc_score: float
    """The same for |mean AS| instead of |z|, mean over classes."""
    spearman: float
    """Rank correlation of mean |AS| with the true |AS| over the planted leaks."""
    slope: float
    """Measured mean AS over the true one, least squares through zero over the planted leaks."""
    error: float
    """Largest difference of measured and true mean AS over all classes and concepts, in degrees."""
    attribute_score: float
    """Mean over the planted leaks (over everything if none is) of measured mean |AS|."""
    attribute_score_true: float
    """The same for the true |AS|."""
    largest_elsewhere: float
    """Largest measured |mean AS| where nothing was planted."""
    largest_elsewhere_true: float
    """The same for the true mean AS: a shorter vector changes every angle a little that is not 90 degrees."""
    image_score: float
    """Median IS."""
    image_score_true: float
    """The same for the true IS."""
    cosine: float
    """Out-of-fold cosine of the translator over that of the mean embedding, as share of the way to 1."""
    found: float
    """Share of planted leaks with a significant q."""
    false_z: float
    """Share of the rest with |z| in the tail of the stated size."""
    false_p: float
    """Share of the rest with an empirical p of at most the stated size."""
    false_q: float
    """Share of classes with a significant q elsewhere."""


def recovery(store: Store, name: str, world: PlantedWorld) -> Recovery:
    """Compare one model of a results file with its world."""
    planted = world.planted

    def matrix(column: str) -> Array:
        return store.array(f"models/{name}/concepts/{column}").astype(np.float64)

    score, absolute, z = matrix("attribute_score"), matrix("attribute_score_abs"), matrix("z")
    significant = matrix("q") < SIGNIFICANT
    truths, shifts = world.true_scores
    true, true_absolute = world.class_mean(truths), world.class_mean(np.abs(truths))
    chosen = planted if planted.any() else ~planted
    areas = [roc_area(row, mask) for row, mask in zip(np.abs(z), planted, strict=True)]
    areas_score = [roc_area(row, mask) for row, mask in zip(np.abs(score), planted, strict=True)]
    summary = store.summary(name)
    return Recovery(
        auc=float(np.mean(areas)),
        auc_least=float(np.min(areas)),
        auc_score=float(np.mean(areas_score)),
        spearman=rank_correlation(absolute[planted], np.abs(true[planted])),
        slope=_share((score * true)[planted].sum(), np.square(true[planted]).sum()),
        error=float(np.abs(score - true).max()),
        attribute_score=float(absolute[chosen].mean()),
        attribute_score_true=float(true_absolute[chosen].mean()),
        largest_elsewhere=float(np.abs(score[~planted]).max()),
        largest_elsewhere_true=float(np.abs(true[~planted]).max()),
        image_score=float(summary["image_score"]),
        image_score_true=float(np.median(shifts)),
        cosine=_share(summary["cosine"] - summary["cosine_baseline"], 1 - summary["cosine_baseline"]),
        found=_share(significant[planted].sum(), planted.sum()),
        false_z=float((np.abs(z[~planted]) >= STEEP).mean()),
        false_p=float((matrix("p_empirical")[~planted] <= SIGNIFICANT).mean()),
        false_q=float((significant & ~planted).any(1).mean()),
    )


def roc_area(scores: Array, planted: NDArray[np.bool_]) -> float:
    """Return the probability that a planted leak scores above another concept, ties half (Mann and Whitney 1947), or NaN."""
    above = scores[planted][:, None] - scores[~planted][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean()) if above.size else float("nan")


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def cases(seed: int, seeds: int) -> Iterator[tuple[str, dict[float, PlantedWorld]]]:
    """Yield every results file of one seed: its sweep, and the world of each model by level."""
    for sweep, levels in SWEEPS.items():
        for level in levels:
            changed: dict[str, Any] = {sweep: int(level) if sweep == "images" else level}
            yield sweep, {level: PlantedWorld(replace(DOCUMENTED, **changed), seed)}
    yield "tilt", {tilt: PlantedWorld(replace(DOCUMENTED, tilt=tilt), seed) for tilt in TILTS}
    yield "quiet", {0.0: PlantedWorld(QUIET, seed)}
    for number in range(OFFSETS):
        yield "offset", {0.0: PlantedWorld(OFFSET, seed + number * seeds)}


def benchmark(seeds: int) -> list[Row]:
    """Return one row of text cells for every measured model."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            for sweep, worlds in cases(seed, seeds):
                named = {f"level {level:g}": world for level, world in worlds.items()}
                with Store(measure(named, Path(folder) / "results.h5")) as store:
                    for level, (name, world) in zip(worlds, named.items(), strict=True):
                        figures = {key: f"{value:.6g}" for key, value in asdict(recovery(store, name, world)).items()}
                        place = {"sweep": sweep, "level": f"{level:g}", "seed": str(world.seed)}
                        rows.append(place | figures)
            print(f"seed {seed + 1} of {seeds}", file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Measure, print the tables, and (unless --quick) write the CSV, the chart and the tables of the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds, nothing written")
    quick = parser.parse_args().quick
    rows = benchmark(2 if quick else SEEDS)
    text = tables(rows, DOCUMENTED)
    print(text)
    if quick:
        return
    with RESULTS.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    PAGE.with_suffix(".svg").write_text(chart(rows, DOCUMENTED))
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
