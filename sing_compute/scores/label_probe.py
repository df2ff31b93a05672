"""What a linear reader without CLIP finds in each half of feature space: labels from Pi_n f against labels from Pi_p f."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.linalg.null_space import HeadSplit
from sing_compute.translator.ridge import RidgeSums

PENALTIES = (1e-4, 1e-2, 1.0)
"""Ridge penalties tried, over trace / dimension of the half's covariance; the best out of fold is reported."""
HALVES = ("null", "principal")


@dataclass(slots=True)
class LabelSums:
    """Per fold and label the number of images and the sum of their features, float64."""

    counts: Float[Tensor, "fold label"]
    features: Float[Tensor, "fold label dim"]

    @classmethod
    def zero(cls, folds: int, labels: int, dim: int, device: torch.device) -> "LabelSums":
        """The sums of no images."""
        features = torch.zeros(folds, labels, dim, dtype=torch.float64, device=device)
        return cls(features.new_zeros(folds, labels), features)

    def add(
        self, features: Float[Tensor, "image dim"], labels: Int[Tensor, " image"], folds: Int[Tensor, " image"]
    ) -> None:
        """Add a batch; labels below 0 are left out."""
        known = labels >= 0
        place = (folds[known].long(), labels[known].long())
        self.counts.index_put_(place, torch.ones_like(place[0], dtype=torch.float64), accumulate=True)
        self.features.index_put_(place, features[known].double(), accumulate=True)


@dataclass(frozen=True, slots=True)
class Probe:
    """Ridge classifiers of labels by the images outside each fold, for each half of feature space and each penalty.

    Least squares on one-hot labels (Fisher's discriminant for two labels), from sums: features are not kept.
    """

    bases: tuple[Tensor, Tensor]
    """Orthonormal rows of each half; its classifiers see a feature's coordinates along them."""
    weights: tuple[Tensor, Tensor]
    """Of each half: (fold, penalty and label, coordinate)."""
    bias: Float[Tensor, "half fold penalty label"]

    @classmethod
    def fit(cls, sums: LabelSums, products: Sequence[RidgeSums], split: HeadSplit) -> "Probe":
        """Fit on all folds but one, five times over.

        Args:
            sums: Of all images that have labels.
            products: Sums of the same images' features, per fold.
            split: The head's two halves.
        """
        bases = (split.null_basis.double(), split.row_basis.double())
        folds, labels = sums.counts.shape
        weights = [sums.features.new_empty(folds, len(PENALTIES) * labels, len(basis)) for basis in bases]
        bias = sums.features.new_empty(len(bases), folds, len(PENALTIES), labels)
        for fold in range(folds):
            others = [part for number, part in enumerate(products) if number != fold and part.count]
            count = sum(part.count for part in others)
            mean = torch.stack([part.features for part in others]).sum(0) / count
            centred = torch.stack([part.feature_products for part in others]).sum(0) - count * torch.outer(mean, mean)
            totals = sums.counts.sum(0) - sums.counts[fold]
            cross = sums.features.sum(0) - sums.features[fold] - torch.outer(totals, mean)
            share = totals / totals.sum().clamp_min(1)
            for half, basis in enumerate(bases):
                weights[half][fold] = _solve(basis @ centred @ basis.T, basis @ cross.T)
                bias[half, fold] = share - (weights[half][fold] @ (basis @ mean)).reshape(len(PENALTIES), labels)
        return cls(bases, (weights[0], weights[1]), bias)

    def right(
        self, features: Float[Tensor, "image dim"], labels: Int[Tensor, " image"], folds: Int[Tensor, " image"]
    ) -> Float[Tensor, "half penalty"]:
        """How many images of a batch get their label by the classifier that never saw them."""
        result = torch.zeros(len(self.bases), len(PENALTIES), dtype=torch.float64, device=features.device)
        for fold in sorted(set(folds.tolist())):
            rows = (folds == fold) & (labels >= 0)
            for half, (basis, weights) in enumerate(zip(self.bases, self.weights, strict=True)):
                bias = self.bias[half, fold]
                guessed = (features[rows].double() @ basis.T @ weights[fold].T).reshape(-1, *bias.shape) + bias
                result[half] += (guessed.argmax(-1) == labels[rows].long()[:, None]).double().sum(0)
        return result


def _solve(inside: Tensor, cross: Tensor) -> Tensor:
    """Weights for each penalty, one below the other: (penalty and label, coordinate)."""
    scale = inside.diagonal().mean().clamp_min(torch.finfo(torch.float64).tiny)
    eye = torch.eye(len(inside), dtype=torch.float64, device=inside.device)
    return torch.cat([torch.linalg.solve(inside + ridge * scale * eye, cross).T for ridge in PENALTIES])
