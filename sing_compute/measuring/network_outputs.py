"""Store the networks' outputs for each image, before any analysis: predictions, features at the head, spatial maps."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sing_compute.measuring.model_results import (
    ClassFigures,
    FeatureRows,
    Features,
    Head,
    Predictions,
    Sink,
    SpatialMaps,
    Summary,
)
from sing_compute.measuring.reader import FeatureBatch, ShardReader, spread
from sing_compute.measuring.reliability import prediction_warnings
from sing_compute.models.classifier import Classifier
from sing_compute.process.progress import Progress
from sing_compute.scores.statistics import class_statistics

KEPT_BYTES = 2**29
"""Most bytes of the stored features of one model: 500 MB, 65,000 images of 2,048 dimensions. If all features exceed this,
those of evenly spread images are stored."""


def keep_outputs(
    classifier: Classifier,
    reader: ShardReader,
    labels: Int[np.ndarray, " image"],
    offsets: Int[np.ndarray, " class_edge"],
    groups: Sequence[Bool[np.ndarray, " image"]],
    sink: Sink,
    progress: Progress,
    *,
    names: Sequence[str],
    map_stride: int | None = None,
) -> tuple[Bool[np.ndarray, " image"], list[str]]:
    """Hand over head, predictions, accuracy, features and spatial maps of one model.

    Args:
        classifier: The model.
        reader: Its shards.
        labels: True class of each measured image.
        offsets: Images of class c are rows offsets[c] to offsets[c + 1].
        groups: A mask of images for each group of the user.
        sink: Takes the results.
        progress: Shows how far the pass is.
        names: Class names in logit order.
        map_stride: Number k: every k-th listed image has its map in the shards; None if no image has one.

    Returns:
        True for each image that is predicted correctly, and a line for each sign that something is wrong.
    """
    weight, bias = classifier.head
    sink.take(Head(weight.double().cpu().numpy(), bias.double().cpu().numpy()))
    predicted = np.empty(len(labels), np.int32)
    for rows, (prediction, confidence) in reader.columns(
        f"{classifier.name}/prediction", f"{classifier.name}/confidence"
    ):
        sink.take(Predictions(rows, prediction, confidence))
        predicted[rows] = prediction
    correct = predicted == labels
    warnings = prediction_warnings(labels, predicted, names)
    masks = subset_masks(correct, groups)
    sink.take(ClassFigures(class_statistics(offsets, correct, {}, masks)))
    sink.take(Summary({"images": len(correct), "correct": int(correct.sum()), "accuracy": float(correct.mean())}))
    differ = _Differences()
    with progress.task(f"{classifier.name}: features kept", len(labels)) as advance:

        def with_progress() -> Iterator[FeatureBatch]:
            for batch in reader.features(classifier.name):
                differ.add(batch.features)
                yield batch
                advance(len(batch.features))

        _keep_features(with_progress(), len(labels), weight.shape[1], sink)
    if len(labels) > 1 and not differ.found:
        warnings.append("all images have the same features: the network does not look at its images")
    if map_stride is not None:
        _keep_maps(classifier, reader, map_stride, sink, progress)
    return correct, warnings


class _Differences:
    """Find out whether any two images have different features; after the first difference this costs nothing."""

    def __init__(self) -> None:
        self.found = False
        self._first: Tensor | None = None

    def add(self, features: Float[Tensor, "image dim"]) -> None:
        """Look at the next images."""
        if self.found or not len(features):
            return
        if self._first is None:
            self._first = features[0].clone()
        self.found = bool((features != self._first).any())


def subset_masks(
    correct: Bool[np.ndarray, " image"], groups: Sequence[Bool[np.ndarray, " image"]]
) -> list[Bool[np.ndarray, " image"]]:
    """Return one mask of images per subset: all, predicted correctly, predicted incorrectly, and each group of the user."""
    return [np.broadcast_to(np.True_, len(correct)), correct, ~correct, *groups]


def _keep_maps(classifier: Classifier, reader: ShardReader, stride: int, sink: Sink, progress: Progress) -> None:
    """Hand over the maps that are in the shards."""
    tap = classifier.map_tap
    assert tap is not None
    place = tap.place
    facts: dict[str, str | int] = {
        "module": place.module,
        "side": "input" if place.of_input else "output",
        "kind": place.kind,
        "layout": place.layout,
        "grid": "x".join(map(str, place.grid)) if place.grid else "",
        "positions": place.positions,
        "channels": place.channels,
        "prefix_tokens": place.prefix,
        "pooling": place.pooling,
        "image_stride": stride,
    }
    images = reader.map_rows(stride)
    with progress.task(f"{classifier.name}: maps kept", len(images)) as advance:

        def with_progress() -> Iterator[Float[np.ndarray, "image map_position channel"]]:
            for part in reader.maps(classifier.name):
                yield part
                advance(len(part))

        positions = np.array(tap.positions, np.int32)
        sink.take(SpatialMaps(images, positions, place.channels, facts, with_progress()))


def _keep_features(batches: Iterator[FeatureBatch], images: int, dim: int, sink: Sink) -> None:
    """Hand over the features of all images, or of evenly spread ones where all of them exceed `KEPT_BYTES`."""
    stride = -(-images * dim * 4 // KEPT_BYTES)
    sink.take(FeatureRows(np.arange(0, images, stride, dtype=np.int32), dim))
    start = 0
    for batch in spread(batches, stride):
        rows = slice(start, start + len(batch.features))
        sink.take(Features(rows, batch.features.float().cpu().numpy()))
        start = rows.stop
