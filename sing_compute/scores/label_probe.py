"""Predict labels from Pi_n f and from Pi_p f by linear classifiers, without CLIP: what each half of feature space holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.linalg.null_space import HeadSplit
from sing_compute.translator.ridge import RidgeSums

PENALTIES = (1e-4, 1e-2, 1.0)
"""Ridge penalties tried, over trace / dimension of the half's covariance; the best accuracy out of fold is reported."""
HALVES = ("null", "principal")
"""The two halves of feature space, in the order of all results here."""


@dataclass(slots=True)
class LabelSums:
    """Number of images and sum of their features for each fold and label, float64."""

    counts: Float[Tensor, "fold label"]
    features: Float[Tensor, "fold label dim"]

    @classmethod
    def zero(cls, folds: int, labels: int, dim: int, device: torch.device) -> "LabelSums":
        """Return the sums of no images.

        Args:
            folds: Number of folds.
            labels: Number of labels.
            dim: Length of a feature.
            device: Device of the tensors.
        """
        features = torch.zeros(folds, labels, dim, dtype=torch.float64, device=device)
        return cls(features.new_zeros(folds, labels), features)

    def add(
        self, features: Float[Tensor, "image dim"], labels: Int[Tensor, " image"], folds: Int[Tensor, " image"]
    ) -> None:
        """Add a batch in place.

        Args:
            features: Features of any precision.
            labels: Label of each image; images with a label below 0 are left out.
            folds: Fold of each image.
        """
        known = labels >= 0
        place = (folds[known].long(), labels[known].long())
        self.counts.index_put_(place, torch.ones_like(place[0], dtype=torch.float64), accumulate=True)
        self.features.index_put_(place, features[known].double(), accumulate=True)


@dataclass(frozen=True, slots=True)
class LabelProbe:
    """Ridge classifiers of labels, fitted without each fold, for each half of feature space and each penalty.

    They are least squares on one-hot labels (for two labels, Fisher's discriminant), fitted from sums over images.
    """

    bases: tuple[Tensor, Tensor]
    """Orthonormal basis of each half, one vector per row; its classifiers read a feature's coordinates along them."""
    weights: tuple[Tensor, Tensor]
    """Weights of each half: (fold, penalty and label, coordinate)."""
    bias: Float[Tensor, "half fold penalty label"]

    @classmethod
    def fit(cls, sums: LabelSums, products: Sequence[RidgeSums], split: HeadSplit) -> "LabelProbe":
        """Fit the classifiers, once without each fold.

        Args:
            sums: Sums over all images that have labels.
            products: Sums over the features of the same images, one for each fold.
            split: The two halves of feature space.
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

    def count_correct(
        self, features: Float[Tensor, "image dim"], labels: Int[Tensor, " image"], folds: Int[Tensor, " image"]
    ) -> Float[Tensor, "half penalty"]:
        """Count the images of a batch that get their label from the classifier fitted without their fold.

        Args:
            features: Features of any precision.
            labels: Label of each image; images with a label below 0 are left out.
            folds: Fold of each image.
        """
        result = torch.zeros(len(self.bases), len(PENALTIES), dtype=torch.float64, device=features.device)
        for fold in sorted(set(folds.tolist())):
            rows = (folds == fold) & (labels >= 0)
            for half, (basis, weights) in enumerate(zip(self.bases, self.weights, strict=True)):
                bias = self.bias[half, fold]
                values = (features[rows].double() @ basis.T @ weights[fold].T).reshape(-1, *bias.shape) + bias
                result[half] += (values.argmax(-1) == labels[rows].long()[:, None]).double().sum(0)
        return result


def _solve(inside: Tensor, cross: Tensor) -> Tensor:
    """Solve for the weights of each penalty: (penalty and label, coordinate)."""
    scale = inside.diagonal().mean().clamp_min(torch.finfo(torch.float64).tiny)
    eye = torch.eye(len(inside), dtype=torch.float64, device=inside.device)
    return torch.cat([torch.linalg.solve(inside + ridge * scale * eye, cross).T for ridge in PENALTIES])
