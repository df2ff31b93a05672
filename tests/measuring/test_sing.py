"""Everything that is measured of a model can be had without a results file: a list takes it, and a file holds the same."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from memory import Simulated, World
from torch import nn

from sing_compute.linalg.null_space import split_head
from sing_compute.measuring.comparison import ModelFigures
from sing_compute.measuring.model_results import (
    Bootstrap,
    ClassFigures,
    ConceptPart,
    Features,
    Head,
    ImageScores,
    NullDirections,
    Predictions,
    Ranking,
    Result,
    Summary,
)
from sing_compute.measuring.network_outputs import keep_outputs
from sing_compute.measuring.reader import ShardReader
from sing_compute.measuring.sing import SharedInputs, SingMeasurement
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.store_sink import StoreSink
from sing_compute.process.progress import Progress
from sing_compute.store import replace_store

WORLD = World(images=600, classes=4, concepts=7, dim=12, rank=3, clip=5)


class ListSink:
    """Keeps every result in memory."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def take(self, result: Result) -> None:
        self.results.append(result)

    def column(self, name: str) -> np.ndarray:
        return self.joined(ImageScores, name)

    def joined(self, kind: type, name: str) -> np.ndarray:
        """One field of all parts of a kind."""
        return np.concatenate([getattr(result, name) for result in self.results if isinstance(result, kind)])

    def only(self, kind: type) -> Result:
        (found,) = (result for result in self.results if isinstance(result, kind))
        return found

    def figures(self, kind: type) -> dict[str, object]:
        """Everything of a kind that is given by name; each name once."""
        pairs = [pair for result in self.results if isinstance(result, kind) for pair in result.values.items()]
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)


class Measured:
    """One made-up model, measured into any sink."""

    def __init__(self) -> None:
        self.labels = (torch.arange(WORLD.images) * WORLD.classes // WORLD.images).int()
        head = nn.Linear(WORLD.dim, WORLD.classes)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            left, right = (torch.randn(n, WORLD.rank, generator=generator) for n in (WORLD.classes, WORLD.dim))
            head.weight.copy_(left @ right.T)
        self.classifier = Classifier("model", head, lambda feature: feature, {})
        self.classifier.attach(torch.randn(4, WORLD.dim, generator=generator))
        self.work = Simulated(WORLD, self.labels, head, 0)
        folds = torch.randint(5, (WORLD.images,), generator=generator, dtype=torch.int8)
        self.reader = ShardReader(self.work, WORLD.images, None, self.labels, folds, torch.device("cpu"))
        vectors = torch.randn(WORLD.classes + WORLD.concepts, WORLD.clip, generator=generator)
        texts = torch.nn.functional.normalize(vectors, dim=1)
        offsets = np.searchsorted(self.labels.numpy(), np.arange(WORLD.classes + 1))
        groups = {"even": np.arange(WORLD.images) % 2 == 0}
        self.shared = SharedInputs(offsets, self.labels.numpy(), groups, texts[: WORLD.classes], texts[WORLD.classes :])

    @torch.inference_mode()
    def into(self, sink: object) -> ModelFigures | None:
        shared, progress = self.shared, Progress(rank=1)
        masks = list(shared.groups.values())
        names = [f"class {index}" for index in range(len(shared.class_vectors))]
        correct, _ = keep_outputs(
            self.classifier, self.reader, shared.labels, shared.offsets, masks, sink, progress, names=names
        )
        measurement = SingMeasurement(self.classifier, self.reader, shared, invariance="logits", ridge=None, seed=0)
        return measurement.run(correct, sink, progress)


@pytest.fixture(scope="module")
def measured() -> Measured:
    return Measured()


@pytest.fixture(scope="module")
def listed(measured: Measured) -> ListSink:
    sink = ListSink()
    assert measured.into(sink) is not None
    return sink


def test_a_list_takes_what_a_file_holds(measured: Measured, listed: ListSink, tmp_path: Path) -> None:
    with replace_store(tmp_path / "results.h5", scratch=tmp_path) as writer:
        measured.into(StoreSink(writer).model("model", images=WORLD.images, classes=WORLD.classes))
    with h5py.File(tmp_path / "results.h5") as file:
        model = file["models/model"]
        for name in ("attribute_score", "image_score", "top_concept", "nearest_after"):
            assert np.array_equal(model[f"images/{name}"], listed.joined(ImageScores, name), equal_nan=True)
        for name in ("angle_before", "z", "q"):
            parts = [part.values[name] for part in listed.results if isinstance(part, ConceptPart)]
            assert np.array_equal(model[f"concepts/{name}"], np.concatenate(parts).astype(np.float32), equal_nan=True)
        assert np.array_equal(model["images/prediction"], listed.joined(Predictions, "prediction"))
        assert np.array_equal(model["features/value"], listed.joined(Features, "value"))
        assert np.array_equal(model["head/weight"], listed.only(Head).weight)
        assert np.array_equal(model["bootstrap/images"], listed.only(Bootstrap).images, equal_nan=True)
        assert np.array_equal(model["spectrum/toward"], listed.only(NullDirections).toward)
        for kind, group in ((Summary, "summary"), (ClassFigures, "classes")):
            figures = listed.figures(kind)
            assert figures.keys() == set(model[group])
            for name, value in figures.items():
                stored = model[f"{group}/{name}"]
                if stored.dtype.kind == "S":
                    assert [text.decode() for text in stored] == list(value)
                else:
                    assert np.array_equal(stored, np.asarray(value, stored.dtype), equal_nan=True), name


def test_what_the_network_gave_comes_before_any_analysis(listed: ListSink) -> None:
    kinds = [type(result).__name__ for result in listed.results]
    last = max(place for place, kind in enumerate(kinds) if kind in ("Predictions", "Features"))
    assert "HeadSpectrum" in kinds[last:]
    assert set(kinds[: last + 1]) == {"Head", "Predictions", "ClassFigures", "Summary", "FeatureRows", "Features"}


def test_features_are_what_reached_the_head(measured: Measured, listed: ListSink) -> None:
    expected = [shard.tensors["model/features"] for shard in measured.work.shards(3, "model/features")]
    assert np.array_equal(listed.joined(Features, "value"), torch.cat(expected).numpy())


def test_rankings_are_in_parts_the_order_of_the_columns(listed: ListSink) -> None:
    for name in ("attribute_score", "image_score", "null_energy"):
        parts = [result for result in listed.results if isinstance(result, Ranking) and result.column == name]
        order = np.concatenate([part.images for part in parts])
        assert np.array_equal(order, np.argsort(listed.column(name), kind="stable"))


def test_null_energy_is_that_of_the_projection(measured: Measured, listed: ListSink) -> None:
    weight = measured.classifier.head[0].double()
    basis = np.linalg.svd(weight.detach().numpy())[2][split_head(weight, stored_dtype=torch.float32).rank :]
    features = listed.joined(Features, "value").astype(np.float64)
    expected = np.linalg.norm(features @ basis.T, axis=1) / np.linalg.norm(features, axis=1)
    assert listed.column("null_energy") == pytest.approx(expected, rel=1e-5)


def test_a_head_without_null_space_has_features_and_no_scores() -> None:
    sink, full = ListSink(), Measured()
    world = World(images=WORLD.images, classes=4, concepts=7, dim=4, rank=4, clip=5)
    head = nn.Linear(4, 4)
    full.classifier = Classifier("model", head, lambda feature: feature, {})
    full.classifier.attach(torch.randn(4, 4))
    full.work = Simulated(world, full.labels, head, 0)
    full.reader = ShardReader(full.work, world.images, None, full.labels, full.reader.folds, torch.device("cpu"))
    assert full.into(sink) is None
    assert sink.joined(Features, "value").shape == (WORLD.images, 4)
    assert sink.figures(Summary)["nullity"] == 0
    assert not [result for result in sink.results if isinstance(result, ImageScores | ConceptPart | Ranking)]
