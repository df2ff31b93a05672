"""Correction without training: take a concept out of features where its detector fires, and see which groups gain.

Every positive is moved along the signal vector until its detector reads what it reads of its negatives on average. The paper
(arXiv 2509.23926, section 5.4) takes a step of a fixed length that its authors chose; that rule is here, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.pairs import DirectionPairs

PAPER_LENGTH = 450.0
"""Length of the paper's step, in feature units."""
DRAWS = 10
"""Random directions that a correction is compared with."""
Corrector = Callable[[Tensor], Tensor]
"""Maps features, (image, position, dim), to corrected ones."""


@dataclass(frozen=True, slots=True)
class Correction:
    """Move every positive of one detector along one vector until the detector's logit is that of its mean negative."""

    filter: Float64[Tensor, " dim"]
    threshold: float
    target: float
    """Logit of the detector after the move."""
    along: Float64[Tensor, " dim"]
    """The move that raises the logit by 1: filter . along = 1."""

    def __call__(self, features: Float[Tensor, "image position dim"]) -> Float64[Tensor, "image position dim"]:
        """Return the features with all positives moved.

        Args:
            features: Features at the positions of each image.
        """
        features = features.double()
        logits = features @ self.filter - self.threshold
        excess: Tensor = torch.where(logits > 0, logits - self.target, 0.0)
        return features - excess[..., None] * self.along

    def moving_along(self, vector: Float64[Tensor, " dim"]) -> "Correction":
        """Return the correction that reaches the same logits by moves along another vector.

        Args:
            vector: Any vector that the filter does not read as 0; its length does not matter.

        Raises:
            ValueError: The filter reads it as 0, so that no move along it changes the logit.
        """
        reads = self.filter @ vector
        if float(reads.abs()) <= torch.finfo(torch.float64).eps * float(self.filter.norm() * vector.norm()):
            raise ValueError("the filter reads nothing of this vector: no move along it changes the detector's logit")
        return replace(self, along=vector / reads)


@dataclass(frozen=True, slots=True)
class FixedStepCorrection:
    """The paper's rule: x' = relu(x - length * activation * direction), activation = sigmoid(filter . x - threshold)."""

    filter: Float64[Tensor, " dim"]
    threshold: float
    along: Float64[Tensor, " dim"]
    """The direction, of length 1."""
    length: float = PAPER_LENGTH

    def __call__(self, features: Float[Tensor, "image position dim"]) -> Float64[Tensor, "image position dim"]:
        """Return the features moved in proportion to the detector's activation, and cut off at 0.

        Args:
            features: Features at the positions of each image; the rule is for those behind a rectifier.
        """
        features = features.double()
        activation = torch.sigmoid(features @ self.filter - self.threshold)
        moved: Tensor = torch.relu(features - self.length * activation[..., None] * self.along)
        return moved

    def moving_along(self, vector: Float64[Tensor, " dim"]) -> "FixedStepCorrection":
        """Return the same rule for another direction.

        Args:
            vector: The direction; its length does not matter.
        """
        return replace(self, along=normalize(vector, dim=0))


@dataclass(frozen=True, slots=True)
class GroupAccuracy:
    """Accuracy of groups of images; NaN for a group without images."""

    accuracy: Float64[Tensor, " group"]
    images: Int64[Tensor, " group"]

    @property
    def worst(self) -> float:
        """Accuracy of the worst group that has images."""
        return float(self.accuracy[self.images > 0].min())

    @property
    def overall(self) -> float:
        """Accuracy of all images."""
        return float((self.accuracy.nan_to_num() * self.images).sum() / self.images.sum())


@dataclass(frozen=True, slots=True)
class CorrectionEffect:
    """Accuracy of groups before a correction and after it, and after the same along vectors that are no signal vectors."""

    before: GroupAccuracy
    signal: GroupAccuracy
    filter: GroupAccuracy
    """Along the filter."""
    random: tuple[GroupAccuracy, ...]
    """Along random vectors."""


def correction(pairs: DirectionPairs, direction: int, features: Float[Tensor, "image position dim"]) -> Correction:
    """Return the correction that takes one direction out.

    Args:
        pairs: Direction pairs.
        direction: Index of the direction.
        features: Features whose negatives give the target; not those that the correction is measured on.

    Raises:
        ValueError: The detector has no negatives, or no signal vector, in these features.
    """
    filter_, threshold = pairs.filters[:, direction], float(pairs.thresholds[direction])
    signal = pairs.signals[:, direction]
    logits = features.double() @ filter_ - threshold
    negatives = logits[logits <= 0]
    if not len(negatives) or not signal.any():
        missing = "no signal vector" if len(negatives) else "no negatives"
        raise ValueError(f"direction {direction} has {missing} in these features, so nothing can be taken out along it")
    return Correction(filter_, threshold, float(negatives.mean()), signal).moving_along(signal)


def fixed_step_correction(
    pairs: DirectionPairs, direction: int, *, length: float = PAPER_LENGTH
) -> FixedStepCorrection:
    """Return the paper's rule for one direction.

    Args:
        pairs: Direction pairs.
        direction: Index of the direction.
        length: Length of the step, in feature units.
    """
    filter_, signal = pairs.filters[:, direction], normalize(pairs.signals[:, direction], dim=0)
    return FixedStepCorrection(filter_, float(pairs.thresholds[direction]), signal, length)


def random_vectors(dim: int, count: int, *, seed: int = 0) -> Float64[Tensor, "vector dim"]:
    """Return random vectors of length 1, uniform over all directions.

    Args:
        dim: Dimension of the features.
        count: Number of vectors.
        seed: Seed of the draws.
    """
    draw = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=draw, dtype=torch.float64), dim=1)


def group_accuracy(
    logits: Float64[Tensor, "image class"], classes: Int64[Tensor, " image"], groups: Int64[Tensor, " image"]
) -> GroupAccuracy:
    """Return the share of images of each group whose largest logit is that of their class.

    Args:
        logits: Logits of the network.
        classes: Class of each image.
        groups: Group of each image, from 0.
    """
    correct = (logits.argmax(1) == classes).double()
    images = torch.bincount(groups)
    hits = torch.bincount(groups, weights=correct, minlength=len(images))
    return GroupAccuracy(torch.where(images > 0, hits / images, torch.nan), images)


def correction_effect(
    head: LinearHead,
    correction: Correction | FixedStepCorrection,
    features: Float[Tensor, "image position dim"],
    classes: Int64[Tensor, " image"],
    groups: Int64[Tensor, " image"],
    *,
    pooled: Float64[Tensor, "image dim"] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> CorrectionEffect:
    """Measure the accuracy of groups before and after a correction, along the filter, and along random vectors.

    Args:
        head: The head.
        correction: The correction; every other vector is used in its place with the same rule.
        features: Features at the positions of each image.
        classes: Class of each image.
        groups: Group of each image, from 0.
        pooled: Mean feature of each image, where `features` has some of the positions only: it moves by the mean move of those.
            None: the mean of `features`.
        draws: Number of random vectors.
        seed: Seed of the random vectors.
    """
    pooled = features.mean(1).double() if pooled is None else pooled

    def measured(corrector: Corrector) -> GroupAccuracy:
        mean = pooled + (corrector(features) - features).mean(1)
        return group_accuracy(mean @ head.weight.T + head.bias, classes, groups)

    vectors = random_vectors(features.shape[2], draws, seed=seed).to(features.device)
    return CorrectionEffect(
        measured(lambda given: given),
        measured(correction),
        measured(correction.moving_along(correction.filter)),
        tuple(measured(correction.moving_along(vector)) for vector in vectors),
    )
