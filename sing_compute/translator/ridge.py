"""The linear translator, fitted from sums: features are read once and never kept together (SING, eq. 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.errors import TranslatorError


@dataclass(frozen=True, slots=True)
class AffineTranslator:
    """T(f) = A f + a: features of one model, moved into one CLIP image space."""

    weight: Float[Tensor, "clip dim"]
    bias: Float[Tensor, " clip"]

    def __call__(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image clip"]:
        """T(f) of each row, in the precision of the translator."""
        translated: Tensor = features.to(self.weight.dtype) @ self.weight.T + self.bias
        return translated


@dataclass(frozen=True, slots=True)
class RidgeSums:
    """What ridge regression needs to know of features f and targets z: count, sums and products, in float64.

    Sums of disjoint images add; subtracting a fold's sums leaves the sums of the others.
    """

    count: int
    features: Float[Tensor, " dim"]
    targets: Float[Tensor, " clip"]
    feature_products: Float[Tensor, "dim dim"]
    cross_products: Float[Tensor, "dim clip"]
    target_energy: float
    """Sum of squared lengths of the targets."""

    @classmethod
    def zero(cls, dim: int, clip: int, *, device: torch.device | str = "cpu") -> RidgeSums:
        """The sums of no images."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64, device=device)

        return cls(0, zeros(dim), zeros(clip), zeros(dim, dim), zeros(dim, clip), 0.0)

    @classmethod
    def of(cls, features: Float[Tensor, "image dim"], targets: Float[Tensor, "image clip"]) -> RidgeSums:
        """The sums of one batch."""
        f, z = features.double(), targets.double()
        return cls(len(f), f.sum(0), z.sum(0), f.T @ f, f.T @ z, float(z.square().sum()))

    def include(self, features: Float[Tensor, "image dim"], targets: Float[Tensor, "image clip"]) -> RidgeSums:
        """These sums and those of one more batch, added in place: the large matrices are not copied, `self` is used up."""
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
        """Mean feature."""
        mean: Tensor = self.features / self.count
        return mean

    @property
    def mean_target(self) -> Float[Tensor, " clip"]:
        """Mean embedding: what a translator that ignores its input would answer."""
        mean: Tensor = self.targets / self.count
        return mean

    @property
    def lambda_unit(self) -> float:
        """trace(S_ff) / m, S_ff the centred sum of products: the scale that makes a penalty comparable across models."""
        centred = self.feature_products.diagonal() - self.features.square() / self.count
        return float(centred.sum()) / len(self.features)


class RidgePath:
    """Every ridge translator of one set of images, from one eigendecomposition of its centred products.

    Minimises sum ||A f + a - z||^2 + lambda ||A||^2, the intercept a without penalty.

    Raises:
        TranslatorError: Fewer than two images, or features that do not vary.
    """

    def __init__(self, sums: RidgeSums) -> None:
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
        """The translator for one penalty lambda > 0."""
        weight = ((self._projected.T / (self._values + ridge)) @ self._vectors.T).contiguous()
        return AffineTranslator(weight, self.mean_target - weight @ self.mean_feature)

    def rotate(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image dim"]:
        """Features in the eigenvectors' coordinates: what `translate` needs, once for all penalties."""
        rotated: Tensor = (features.double() - self.mean_feature) @ self._vectors
        return rotated

    def turn(self, directions: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
        """Directions in these coordinates: `rotate` without the mean."""
        turned: Tensor = directions @ self._vectors
        return turned

    def translate(self, rotated: Float[Tensor, "image dim"], ridge: float) -> Float[Tensor, "image clip"]:
        """T(f) of rotated features for one penalty, without forming A, in the precision of `rotated`."""
        scaled = (self._projected / (self._values + ridge)[:, None]).to(rotated.dtype)
        return torch.addmm(self.mean_target.to(rotated.dtype), rotated, scaled)
