"""What a linear head sees and does not see."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.errors import HeadError

ROUNDED = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class HeadSplit:
    """Bases of what a head sees and does not see: orthonormal, one vector per row, rank + nullity = dim."""

    row_basis: Float[Tensor, "rank dim"]
    null_basis: Float[Tensor, "nullity dim"]
    singular_values: Float[Tensor, " singular_value"]
    cutoff: float
    """Singular values at or below this counted as zero, in the weight's own units."""

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
        """sigma_r / sigma_(r+1): how clearly kept and dropped directions part; inf where nothing was dropped."""
        if self.rank == len(self.singular_values):
            return math.inf
        below = float(self.singular_values[self.rank])
        return float(self.singular_values[self.rank - 1]) / below if below > 0 else math.inf

    @property
    def tail_ratio(self) -> float:
        """sigma_(r-1) / sigma_r: a large one means that the last kept direction is nearly null; NaN for rank 1."""
        kept = self.singular_values[: self.rank]
        return float(kept[-2] / kept[-1]) if len(kept) > 1 else math.nan

    def null_part(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image dim"]:
        """Pi_n f, by the basis with fewer vectors."""
        if self.nullity <= self.rank:
            return features @ self.null_basis.T @ self.null_basis
        return features - features @ self.row_basis.T @ self.row_basis


@dataclass(frozen=True, slots=True)
class NullSpaceRule:
    """Which singular values count as zero: by the stored precision, or more of them for an approximate null space."""

    kind: str = "numerical"
    value: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "NullSpaceRule":
        """`numerical`, `tol=X`: at or below X sigma_max, `energy=X`: the rest keeps the share X of the squared spectrum.

        Raises:
            HeadError: It is none of these, or X is not between 0 and 1.
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
    """Split feature space by one full SVD of the head, in float64: once per head (SING, arXiv:2603.14610, eq. 1-3).

    Args:
        weight: The head's weight W, logits = W f + b. The bias moves logits but not the null space.
        stored_dtype: Precision the checkpoint was stored in: the noise in the weight, whatever dtype it has now.
        invariance: `logits`: directions that change no logit (the paper's). `softmax`: directions that change no
            probability; a shift common to all logits is free, so W minus its mean over classes is split.
        rule: Which singular values count as zero. An approximate null space moves logits: measure how much.

    Raises:
        HeadError: The weight is all zero or not finite.
    """
    if not torch.isfinite(weight).all() or not weight.any():
        raise HeadError(f"head weight {tuple(weight.shape)} is all zero or not finite; was its checkpoint loaded?")
    matrix = weight.double()
    if invariance == "softmax":
        matrix = matrix - matrix.mean(dim=0)
    classes, dim = matrix.shape
    _, spectrum, right = torch.linalg.svd(matrix, full_matrices=classes < dim)
    cutoff = rank_cutoff(weight.double(), stored_dtype)
    if rule.kind == "tol":
        cutoff = max(cutoff, rule.value * float(spectrum[0]))
    elif rule.kind == "energy":
        lost = 1 - spectrum.square().cumsum(0) / spectrum.square().sum()
        kept = int((lost > 1 - rule.value).sum()) + 1
        cutoff = max(cutoff, float(spectrum[kept])) if kept < len(spectrum) else cutoff
    rank = int((spectrum > cutoff).sum())
    return HeadSplit(row_basis=right[:rank], null_basis=right[rank:], singular_values=spectrum, cutoff=cutoff)


def rank_cutoff(weight: Float[Tensor, "classes dim"], stored_dtype: torch.dtype) -> float:
    """Singular values that rounding alone produces, in the weight's own units.

    float32 and float64: max(c, m) eps sigma_max, as numpy.linalg.matrix_rank, with the eps of the stored precision.
    float16 and bfloat16: that rule would call every value zero, so the expected largest singular value of the rounding
    noise itself is taken: noise of standard deviation eps rms(|W|) / (2 sqrt 3) has one of about that times
    (sqrt c + sqrt m).
    """
    classes, dim = weight.shape
    eps = torch.finfo(stored_dtype).eps
    if stored_dtype in ROUNDED:
        rms = float(weight.square().mean().sqrt())
        return eps / (2 * math.sqrt(3)) * rms * (math.sqrt(classes) + math.sqrt(dim))
    return max(classes, dim) * eps * float(torch.linalg.matrix_norm(weight, ord=2))


def stored_precision(weight: Float[Tensor, "classes dim"], declared: torch.dtype | None = None) -> torch.dtype:
    """The coarsest precision that holds every value exactly: what the weight was rounded to, whatever it is kept in now.

    Checkpoints are often saved in half precision and loaded in float32; the values still tell.

    Args:
        weight: The weight as loaded.
        declared: Dtype of the tensor in its file, where known: a float64 file loaded into float32 stays float32.
    """
    candidates = [weight.dtype] if declared is None else [weight.dtype, declared]
    coarsest = max(candidates, key=lambda dtype: torch.finfo(dtype).eps)
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        if torch.finfo(dtype).eps >= torch.finfo(coarsest).eps and bool(
            (weight == weight.to(dtype).to(weight.dtype)).all()
        ):
            return dtype
    return coarsest
