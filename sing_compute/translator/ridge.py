"""Fit the linear translator from sums over images, so that features are read once and never held together (SING, eq. 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.errors import TranslatorError


@dataclass(frozen=True, slots=True)
class AffineTranslator:
    """T(f) = A f + a: maps features of one model into one CLIP image space."""

    weight: Float[Tensor, "clip dim"]
    bias: Float[Tensor, " clip"]

    def __call__(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image clip"]:
        """Return T(f) of each row, in the precision of the translator."""
        translated: Tensor = features.to(self.weight.dtype) @ self.weight.T + self.bias
        return translated


@dataclass(frozen=True, slots=True)
class RidgeSums:
    """Sums of features f and targets z (image embeddings) over images, in float64: all that ridge regression needs.

    Sums of disjoint sets of images add; subtracting the sums of one fold leaves those of the others.
    """

    count: int
    """Number of images."""
    features: Float[Tensor, " dim"]
    """Sum of f."""
    targets: Float[Tensor, " clip"]
    """Sum of z."""
    feature_products: Float[Tensor, "dim dim"]
    """Sum of f f^T."""
    cross_products: Float[Tensor, "dim clip"]
    """Sum of f z^T."""
    target_energy: float
    """Sum of |z|^2."""

    @classmethod
    def zero(cls, dim: int, clip: int, *, device: torch.device | str = "cpu") -> RidgeSums:
        """Return the sums of no images.

        Args:
            dim: Length of a feature.
            clip: Length of an embedding.
            device: Device of the tensors.
        """

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64, device=device)

        return cls(0, zeros(dim), zeros(clip), zeros(dim, dim), zeros(dim, clip), 0.0)

    @classmethod
    def of(cls, features: Float[Tensor, "image dim"], targets: Float[Tensor, "image clip"]) -> RidgeSums:
        """Return the sums of one batch.

        Args:
            features: Features of any precision.
            targets: Unit embeddings of the same images.
        """
        f, z = features.double(), targets.double()
        return cls(len(f), f.sum(0), z.sum(0), f.T @ f, f.T @ z, float(z.square().sum()))

    def include(self, features: Float[Tensor, "image dim"], targets: Float[Tensor, "image clip"]) -> RidgeSums:
        """Add one batch in place and return the sums; do not use `self` afterwards. The large matrices are not copied.

        Args:
            features: Features of any precision.
            targets: Unit embeddings of the same images.
        """
        f, z = features.double(), targets.double()
        return RidgeSums(
            self.count + len(f),
            self.features.add_(f.sum(0)),
            self.targets.add_(z.sum(0)),
            self.feature_products.addmm_(f.T, f),
            self.cross_products.addmm_(f.T, z),
            self.target_energy + float(z.square().sum()),
        )

    def __add__(self, other: RidgeSums) -> RidgeSums:
        return self._combine(other, 1)

    def __sub__(self, other: RidgeSums) -> RidgeSums:
        return self._combine(other, -1)

    def _combine(self, other: RidgeSums, sign: int) -> RidgeSums:
        return RidgeSums(
            self.count + sign * other.count,
            self.features + sign * other.features,
            self.targets + sign * other.targets,
            self.feature_products + sign * other.feature_products,
            self.cross_products + sign * other.cross_products,
            self.target_energy + sign * other.target_energy,
        )

    @property
    def mean_feature(self) -> Float[Tensor, " dim"]:
        """Mean of f."""
        mean: Tensor = self.features / self.count
        return mean

    @property
    def mean_target(self) -> Float[Tensor, " clip"]:
        """Mean of z, the output of a translator that ignores its input."""
        mean: Tensor = self.targets / self.count
        return mean

    @property
    def lambda_unit(self) -> float:
        """trace(S_ff) / dim, S_ff the centred feature products: a penalty divided by it compares across models."""
        centred = self.feature_products.diagonal() - self.features.square() / self.count
        return float(centred.sum()) / len(self.features)


class RidgePath:
    """All ridge translators of one set of images, for any penalty, from one eigendecomposition of the centred products.

    A and a minimise sum ||A f + a - z||^2 + lambda ||A||^2; the intercept a has no penalty.
    """

    def __init__(self, sums: RidgeSums) -> None:
        """Decompose the centred feature products.

        Args:
            sums: Sums over the images to fit on.

        Raises:
            TranslatorError: Fewer than two images, or features that do not vary.
        """
        if sums.count < 2:
            raise TranslatorError(
                f"a translator needs at least two images to fit on, got {sums.count}; give more images"
            )
        if not sums.lambda_unit > 0:
            raise TranslatorError(
                "the features of all images are equal: nothing can be translated; are these the right weights?"
            )
        self.mean_feature, self.mean_target = sums.mean_feature, sums.mean_target
        centred = sums.feature_products - sums.count * torch.outer(self.mean_feature, self.mean_feature)
        cross = sums.cross_products - sums.count * torch.outer(self.mean_feature, self.mean_target)
        values, self._vectors = torch.linalg.eigh(centred)
        self._values = values.clamp_min(0.0)
        self._projected = self._vectors.T @ cross

    def fit(self, ridge: float) -> AffineTranslator:
        """Return the translator for one penalty, in float64.

        Args:
            ridge: Penalty lambda, above 0.
        """
        weight = ((self._projected.T / (self._values + ridge)) @ self._vectors.T).contiguous()
        return AffineTranslator(weight, self.mean_target - weight @ self.mean_feature)

    def rotate(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image dim"]:
        """Return centred features in the eigenvectors' coordinates, float64: the input of `translate` for every penalty."""
        rotated: Tensor = (features.double() - self.mean_feature) @ self._vectors
        return rotated

    def rotate_directions(self, directions: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
        """Return directions in the eigenvectors' coordinates: like `rotate`, but no mean is subtracted."""
        rotated: Tensor = directions @ self._vectors
        return rotated

    def translate(self, rotated: Float[Tensor, "image dim"], ridge: float) -> Float[Tensor, "image clip"]:
        """Return T(f) of rotated features for one penalty, in the precision of `rotated`; A is not formed.

        Args:
            rotated: Features as `rotate` gives them.
            ridge: Penalty lambda, above 0.
        """
        scaled = (self._projected / (self._values + ridge)[:, None]).to(rotated.dtype)
        return torch.addmm(self.mean_target.to(rotated.dtype), rotated, scaled)
