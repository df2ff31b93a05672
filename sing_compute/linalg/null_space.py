"""Split feature space into what a linear head sees, its principal space, and what it does not see, its null space."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.errors import HeadError

HALF_PRECISIONS = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class HeadSplit:
    """Orthonormal bases of a head's principal space and null space, one vector per row; rank + nullity = dim."""

    row_basis: Float[Tensor, "rank dim"]
    """Basis of the principal space: the span of the weight's rows."""
    null_basis: Float[Tensor, "nullity dim"]
    singular_values: Float[Tensor, " singular_value"]
    """Singular values of the weight, descending, in its own unit."""
    cutoff: float
    """Singular values at or below this count as zero, in the weight's own unit."""

    @property
    def rank(self) -> int:
        """Dimension of the principal space."""
        return len(self.row_basis)

    @property
    def nullity(self) -> int:
        """Dimension of the null space."""
        return len(self.null_basis)

    @property
    def gap(self) -> float:
        """sigma_r / sigma_(r+1): how clearly the two spaces are separated; inf where no smaller singular value is above 0."""
        if self.rank == len(self.singular_values):
            return math.inf
        below = float(self.singular_values[self.rank])
        return float(self.singular_values[self.rank - 1]) / below if below > 0 else math.inf

    @property
    def tail_ratio(self) -> float:
        """sigma_(r-1) / sigma_r: if large, the last direction of the principal space is nearly null; NaN for rank 1."""
        counted = self.singular_values[: self.rank]
        return float(counted[-2] / counted[-1]) if len(counted) > 1 else math.nan

    def at_rank(self, rank: int, *, cutoff: float | None = None) -> "HeadSplit":
        """Return the same head split at another rank.

        Args:
            rank: Dimension of the principal space, 0 to dim.
            cutoff: Singular values at or below this count as zero; None keeps the present one.
        """
        basis = torch.cat([self.row_basis, self.null_basis])
        return HeadSplit(basis[:rank], basis[rank:], self.singular_values, self.cutoff if cutoff is None else cutoff)

    def null_part(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image dim"]:
        """Return Pi_n f, the projection of each feature on the null space, by the basis with fewer vectors.

        Args:
            features: One feature per row, or the rows of a translator's weight.
        """
        if self.nullity <= self.rank:
            return features @ self.null_basis.T @ self.null_basis
        return features - features @ self.row_basis.T @ self.row_basis


@dataclass(frozen=True, slots=True)
class NullSpaceRule:
    """Rule for the singular values that count as zero: those of rounding, or more of them for an approximate null space."""

    kind: str = "numerical"
    """`numerical`, `tol` or `energy`."""
    value: float = 0.0
    """The number X of `tol=X` and `energy=X`."""

    @classmethod
    def parse(cls, text: str) -> "NullSpaceRule":
        """Read a rule as a user writes it.

        Args:
            text: `numerical`; `tol=X`: values up to X times the largest count as zero; `energy=X`: the largest values
                that together have the share X of the squared spectrum count, the others are zero.

        Raises:
            HeadError: The text is none of these, or X is not between 0 and 1.
        """
        kind, separator, number = text.partition("=")
        if text == "numerical":
            return cls()
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if kind not in ("tol", "energy") or not separator or not 0 < value < 1:
            raise HeadError(f"{text!r} is no null space: numerical, tol=1e-2 or energy=0.99 (between 0 and 1)")
        return cls(kind, value)

    def __str__(self) -> str:
        return self.kind if self.kind == "numerical" else f"{self.kind}={self.value:g}"


NUMERICAL = NullSpaceRule()


def split_head(
    weight: Float[Tensor, "classes dim"],
    *,
    stored_dtype: torch.dtype,
    invariance: str = "logits",
    rule: NullSpaceRule = NUMERICAL,
) -> HeadSplit:
    """Split feature space by one full SVD of a head's weight, in float64 (SING, arXiv:2603.14610, eq. 1-3).

    Args:
        weight: The head's weight W, logits = W f + b. The bias b does not change the null space.
        stored_dtype: Precision that the checkpoint was stored in, whatever dtype the weight has now: it gives the size
            of the rounding errors.
        invariance: `logits`: directions of the null space change no logit (as in the paper). `softmax`: they change no
            probability. A shift common to all logits is then allowed, so W minus its mean over classes is split.
        rule: Singular values that count as zero. An approximate null space does change logits; measure by how much.

    Raises:
        HeadError: The weight is all zero or not finite.
    """
    return HeadSplits(weight, stored_dtype).split(invariance, rule)


class HeadSplits:
    """The splits of one head by any rules: one SVD for the logits and one for the softmax, each computed when first asked for."""

    def __init__(self, weight: Float[Tensor, "classes dim"], stored_dtype: torch.dtype) -> None:
        """Check the weight.

        Args:
            weight: As in `split_head`.
            stored_dtype: As in `split_head`.

        Raises:
            HeadError: The weight is all zero or not finite.
        """
        if not torch.isfinite(weight).all() or not weight.any():
            raise HeadError(f"head weight {tuple(weight.shape)} is all zero or not finite; was its checkpoint loaded?")
        self._weight, self._stored = weight.double(), stored_dtype
        self._decomposed: dict[str, tuple[Float[Tensor, " singular_value"], Float[Tensor, "row dim"]]] = {}

    def split(self, invariance: str = "logits", rule: NullSpaceRule = NUMERICAL) -> HeadSplit:
        """Split feature space by a rule.

        Args:
            invariance: As in `split_head`.
            rule: As in `split_head`.
        """
        spectrum, right = self._decompose(invariance)
        largest = float(self._decompose("logits")[0][0])
        cutoff = rank_cutoff(self._weight, self._stored, largest=largest)
        if rule.kind == "tol":
            cutoff = max(cutoff, rule.value * float(spectrum[0]))
        elif rule.kind == "energy":
            lost = 1 - spectrum.square().cumsum(0) / spectrum.square().sum()
            counted = int((lost > 1 - rule.value).sum()) + 1
            cutoff = max(cutoff, float(spectrum[counted])) if counted < len(spectrum) else cutoff
        rank = int((spectrum > cutoff).sum())
        return HeadSplit(row_basis=right[:rank], null_basis=right[rank:], singular_values=spectrum, cutoff=cutoff)

    def _decompose(self, invariance: str) -> tuple[Float[Tensor, " singular_value"], Float[Tensor, "row dim"]]:
        """Return singular values and right singular vectors, those of the null space among them."""
        if invariance not in self._decomposed:
            matrix = self._weight - self._weight.mean(dim=0) if invariance == "softmax" else self._weight
            classes, dim = matrix.shape
            _, spectrum, right = torch.linalg.svd(matrix, full_matrices=classes < dim)
            self._decomposed[invariance] = spectrum, right
        return self._decomposed[invariance]


def rank_cutoff(
    weight: Float[Tensor, "classes dim"], stored_dtype: torch.dtype, *, largest: float | None = None
) -> float:
    """Return the largest singular value that rounding alone can produce, in the weight's own unit.

    float32 and float64: max(classes, dim) eps sigma_max, as in numpy.linalg.matrix_rank, with the eps of the stored
    precision. float16 and bfloat16: by that rule every value would be zero. There it is the expected largest singular
    value of the rounding noise, whose standard deviation is eps rms(W) / (2 sqrt 3): that times
    (sqrt classes + sqrt dim).

    Args:
        weight: The head's weight.
        stored_dtype: Precision that the checkpoint was stored in.
        largest: The weight's largest singular value, where it is known already.
    """
    classes, dim = weight.shape
    eps = torch.finfo(stored_dtype).eps
    if stored_dtype in HALF_PRECISIONS:
        rms = float(weight.square().mean().sqrt())
        return eps / (2 * math.sqrt(3)) * rms * (math.sqrt(classes) + math.sqrt(dim))
    if largest is None:
        largest = float(torch.linalg.matrix_norm(weight, ord=2))
    return max(classes, dim) * eps * largest


def stored_precision(weight: Float[Tensor, "classes dim"], declared: torch.dtype | None = None) -> torch.dtype:
    """Return the coarsest precision that represents every value exactly: the one that the weight was rounded to.

    Checkpoints are often saved in half precision and loaded in float32; the values still show it.

    Args:
        weight: The weight as loaded.
        declared: Dtype of the tensor in its file, where known: a weight loaded in float32 from a float64 file stays
            float32.
    """
    candidates = [weight.dtype] if declared is None else [weight.dtype, declared]
    coarsest = max(candidates, key=lambda dtype: torch.finfo(dtype).eps)
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        if torch.finfo(dtype).eps >= torch.finfo(coarsest).eps and bool(
            (weight == weight.to(dtype).to(weight.dtype)).all()
        ):
            return dtype
    return coarsest
