"""Steer the stored images of a class toward a text within the null space of each model (SING, Fig. 6 and Table 1)."""

import difflib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.errors import SingError, StoreError
from sing_compute.measuring.reader import FeatureBatch
from sing_compute.pipeline.plan import CLASS_TEMPLATE
from sing_compute.process.progress import Progress
from sing_compute.questions.stored_model import StoredModel
from sing_compute.questions.text_vectors import text_vectors
from sing_compute.scores.steering import Steering, SteeringSummary, summarise
from sing_compute.store import Store
from sing_compute.store.text import clean, store_error

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Target:
    """The text toward which images are steered: a class, a concept, or any other text."""

    kind: str
    text: str
    """The prompt that `vector` embeds."""
    vector: Float[Tensor, " clip"]


@dataclass(frozen=True, slots=True)
class SteeredImages:
    """The stored images of one class after the step, one entry per image; NaN where the angle cannot be reached."""

    model: str
    keys: list[str]
    attribute_score: Float[Tensor, " image"]
    """AS toward the target, in degrees."""
    image_score: Float[Tensor, " image"]
    """IS as measured, in degrees."""
    step: Float[Tensor, " image"]
    """Length of the step in feature space, in the features' own unit."""
    flipped: Float[Tensor, " image"]
    """1 where the prediction changed."""
    logit_change: Float[Tensor, " image"]
    """Largest change of a logit over the mean spread of the logits of these images."""

    @property
    def summary(self) -> SteeringSummary:
        """Mean and standard deviation of AS, as in Table 1."""
        return summarise(self.attribute_score)


@dataclass(frozen=True, slots=True)
class SteeringMatrix:
    """Every class steered toward every class, in degrees: rows are the images' own classes, columns the targets."""

    mean: NDArray[np.float64]
    """Mean AS toward the column's class; NaN where no image reached the angle."""
    std: NDArray[np.float64]
    """Standard deviation with n - 1; NaN below two images."""
    unreachable: NDArray[np.int64]
    images: NDArray[np.int64]
    """Number of stored images of each row's class."""


def find_source(store: Store, text: str) -> int:
    """Find the class whose images are steered.

    Args:
        store: The results file.
        text: Name, index or WordNet id of the class.

    Returns:
        Index of the class.

    Raises:
        StoreError: No class, or several classes, have this name; the message lists similar names.
    """
    try:
        return store.find_class(text)
    except StoreError as error:
        if not str(error).startswith("no class"):
            raise
        near = _near(text, [str(name) for name in store.class_names])
        raise store_error(
            f"--from {text!r} is no class of {store.path.name}{near}; only the {store.noun.plural} of a class can be steered"
        ) from error


def find_target(
    store: Store, text: str, progress: Progress, *, clip: str | None = None, embeddings: Path | None = None
) -> Target:
    """Find the target of steering: a class, else a concept, else any other text, which is put into a class prompt.

    Args:
        store: The results file.
        text: Name, index or WordNet id of a class, name of a concept, or any text.
        progress: Is given a line if a CLIP is loaded.
        clip: Name of the file's CLIP, as in `text_vectors`.
        embeddings: File of stored text embeddings, used instead of a CLIP network.

    Raises:
        SingError: Several classes have this name, or the text has no vector in the file's CLIP space.
    """
    label = None
    try:
        label = store.find_class(text)
    except StoreError as error:
        if not str(error).startswith("no class"):
            raise
    if label is not None:
        vector = store.dataset("clip/class_embeddings")[label]
        return Target("class", clean(str(store.dataset("classes/prompt")[label])), torch.from_numpy(vector))
    folded = text.strip().casefold()
    names = [str(name).casefold() for name in store.concept_names]
    if folded in names:
        place = names.index(folded)
        vector = store.dataset("clip/concept_embeddings")[place]
        return Target("concept", clean(str(store.dataset("concepts/prompt")[place])), torch.from_numpy(vector))
    if not folded:
        raise SingError("nothing to steer toward: name a class, a concept or any other text")
    prompt = CLASS_TEMPLATE.replace("{}", re.sub(r"^(an?|the)\s+", "", text.strip(), flags=re.IGNORECASE))
    try:
        vectors = text_vectors(store, [text], [prompt], progress, clip=clip, embeddings=embeddings)
    except SingError as error:
        near = _near(text, [str(name) for name in (*store.class_names, *store.concept_names)])
        raise SingError(f"--to {clean(text)!r} is no class or concept of {store.path.name}{near}; {error}") from error
    return Target("text", clean(prompt), vectors[0])


def steer_class(model: StoredModel, label: int, target: Target, *, angle: float) -> SteeredImages:
    """Steer every stored image of a class by one step, each by the translator that was fitted without its fold.

    Args:
        model: The model.
        label: Index of the class whose images are steered.
        target: The text toward which they are steered.
        angle: Image Score to reach, in degrees.

    Raises:
        SingError: No features of the class are stored, or the angle is not between 0 and 180 degrees.
    """
    model.need_features("steer")
    if model.offsets[label] == model.offsets[label + 1]:
        name = clean(str(model.store.class_names[label]))
        raise SingError(f"{clean(model.name)}: no features of {name} are kept; choose another --from")
    parts: dict[str, list[Tensor]] = {}
    keys: list[str] = []
    weight, bias = model.weight.float(), model.bias.float()  # as the network computes
    steerings = _steerings(model)
    for batch, fold, rows in _by_fold(model, label):
        features = batch.features[rows]
        steered = steerings[fold].steer(model.folds[fold].whole(features), target.vector, angle=angle)
        moved = features + steerings[fold].feature_change(steered)
        before, after = (each.float() @ weight.T + bias for each in (features, moved))
        flipped = (before.argmax(1) != after.argmax(1)).double().where(steered.step.isfinite(), torch.nan)
        change = after - before
        if model.centred:
            change = change - change.mean(1, keepdim=True)
        found = {
            "attribute_score": steered.attribute_score,
            "image_score": steered.image_score,
            "step": steered.step,
            "flipped": flipped,
            "logit_change": change.abs().amax(1).double(),
            "spread": (before.amax(1) - before.amin(1)).double(),
            "place": rows + batch.rows.start,
        }
        for name, values in found.items():
            parts.setdefault(name, []).append(values)
    joined = {name: torch.cat(values) for name, values in parts.items()}
    order = joined.pop("place").argsort()
    start, stop = (int(edge) for edge in model.offsets[label : label + 2])
    keys = [clean(str(key)) for key in model.store.dataset("images/key")[model.rows[start:stop]]]
    spread = joined.pop("spread").mean()
    columns = {name: values[order] for name, values in joined.items()}
    columns["logit_change"] = columns["logit_change"] / spread
    return SteeredImages(clean(model.name), keys, **columns)


def steer_matrix(
    model: StoredModel, progress: Progress, *, angle: float, stop: Callable[[], None] | None = None
) -> SteeringMatrix:
    """Steer every stored image toward every class, each by the translator that was fitted without its fold.

    Args:
        model: The model.
        progress: Shows how far the work is.
        angle: Image Score to reach, in degrees.
        stop: Called before each class; it raises if the user has asked to stop.

    Raises:
        SingError: No features of the model are stored, or the angle is not between 0 and 180 degrees.
    """
    model.need_features("steer")
    texts = torch.from_numpy(model.store.array("clip/class_embeddings"))
    classes = len(texts)
    steerings = _steerings(model)
    mean, std = np.full((classes, classes), np.nan), np.full((classes, classes), np.nan)
    unreachable, images = np.zeros((classes, classes), np.int64), np.diff(model.offsets)
    with progress.task(f"{clean(model.name)}: steering", len(model.rows)) as advance:
        for label in range(classes):
            if stop is not None:
                stop()
            total, square, count = (torch.zeros(classes, dtype=torch.float64) for _ in range(3))
            for batch, fold, rows in _by_fold(model, label):
                before = model.folds[fold].whole(batch.features[rows])
                score = steerings[fold].steer_all(before, texts, angle=angle).attribute_score
                reached = score.isfinite()
                total += score.nan_to_num(0.0).sum(0)
                square += score.nan_to_num(0.0).square().sum(0)
                count += reached.sum(0)
                advance(len(rows))
            average = total / count  # 0 / 0 is NaN: no image reached the angle
            spread = ((square - count * average.square()).clamp_min(0) / (count - 1)).sqrt()
            mean[label], std[label] = average.numpy(), spread.where(count > 1, math.nan).numpy()
            unreachable[label] = images[label] - count.numpy()
    return SteeringMatrix(mean, std, unreachable, images)


def _steerings(model: StoredModel) -> list[Steering]:
    return [Steering.of(removal.whole.weight - removal.principal.weight) for removal in model.folds]


def _by_fold(model: StoredModel, label: int) -> Iterator[tuple[FeatureBatch, int, Tensor]]:
    """Yield each batch of a class once for each of its folds, with the fold and the places of its images in the batch."""
    for batch in model.batches(label):
        for fold in range(len(model.folds)):
            rows = (batch.folds == fold).nonzero().squeeze(1)
            if len(rows):
                yield batch, fold, rows


def _near(text: str, names: list[str]) -> str:
    """List names that contain this text or have a similar spelling, for a message."""
    folded = text.strip().casefold()
    known = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(folded, known, n=SHOWN, cutoff=0.6)
    found = [name for name in known if folded and folded in name] + close
    listed = list(dict.fromkeys(clean(known[name]) for name in found))[:SHOWN]
    return f"; near: {', '.join(listed)}" if listed else ""
