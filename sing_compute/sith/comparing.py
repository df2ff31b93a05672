"""Compare the heads of two CLIP image towers of one architecture: factors, angles, and what reweighting does not explain."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from sing_compute.errors import TowerError
from sing_compute.sith.attention import AttentionLayer, HeadVectors, decompose


@dataclass(frozen=True, slots=True)
class HeadsChange:
    """How the heads of one layer differ between two towers A and B; W is the folded product of what a head reads and writes."""

    vectors: HeadVectors
    """Singular vectors u_i, v_i and values s_i of A."""
    factor: Float64[Tensor, "head rank"]
    """u_i W_B v_i / s_i: the factor that B gives each vector of A; NaN for vectors that are noise."""
    angle: Float64[Tensor, "head rank"]
    """Degrees, 0 to 90, between the lines along v_i and along what B writes when it reads u_i; NaN where B writes nothing."""
    size: Float64[Tensor, " head"]
    """Frobenius norm of W_A."""
    change: Float64[Tensor, " head"]
    """Frobenius norm of W_B - W_A; 0 if it is rounding."""
    reweighted: Float64[Tensor, " head"]
    """Squared norm of the part sum_i d_i u_i v_i, d_i = u_i (W_B - W_A) v_i, over that of the change; NaN without a change."""
    rest_values: Float64[Tensor, "head new"]
    """Largest singular values of the change without that part."""
    rest_right: Float64[Tensor, "head new dim"]
    """Directions that this rest writes; the largest entry of the direction that it reads is positive."""

    @property
    def explained(self) -> float:
        """Share of the change of all heads that reweighting explains; NaN without a change."""
        total = self.change.square()
        return float((self.reweighted.nan_to_num() * total).sum() / total.sum())


def compare_layers(
    a: AttentionLayer, b: AttentionLayer, *, new: int = 5, stored_dtype: torch.dtype = torch.float32
) -> HeadsChange:
    """Compare the heads of one layer of two towers, each head with the head of the same number.

    The vectors u_i v_i are orthonormal, so the change splits into its projection on them, which reweights the vectors of A, and
    a rest orthogonal to it. An edit by `scale_vectors` has no rest.

    Args:
        a: The layer before.
        b: The same layer behind it; both not folded.
        new: Number of singular vectors of the rest.
        stored_dtype: Dtype in which the weights were stored: changes below its rounding are none.

    Raises:
        TowerError: The layers have other shapes.
    """
    if a.read.shape != b.read.shape:
        raise TowerError(
            f"heads of {tuple(a.read.shape)} and of {tuple(b.read.shape)} (head, width, rank) cannot be compared"
        )
    old, now = a.folded(), b.folded()
    vectors = decompose(old, stored_dtype=stored_dtype)
    real = torch.arange(vectors.values.shape[1]) < vectors.ranks[:, None]
    written = (vectors.left @ now.read) @ now.write
    along = (written * vectors.right).sum(2)
    rounding = _rounding(a, b, stored_dtype)
    delta = torch.where(real, along - vectors.values, 0.0)
    across = torch.linalg.vector_norm(written - along[..., None] * vectors.right, dim=2)
    silent = torch.linalg.vector_norm(written, dim=2) <= rounding[:, None]
    angle = torch.rad2deg(torch.atan2(across, along.abs()))
    change = torch.linalg.vector_norm(_core(now, old.read, -old.write)[0], dim=1)
    change = torch.where(change > rounding, change, 0.0)
    kept = torch.where(real, vectors.values + delta, 0.0)
    rest, right = _core(now, vectors.left.mT, -kept[..., None] * vectors.right)
    share = delta.square().sum(1) / (delta.square().sum(1) + rest.square().sum(1))
    return HeadsChange(
        vectors,
        torch.where(real, along / vectors.values, torch.nan),
        torch.where(real & ~silent, angle, torch.nan),
        torch.linalg.vector_norm(vectors.values, dim=1),
        change,
        torch.where(change > 0, share, torch.nan),
        torch.where(rest > rounding[:, None], rest, 0.0)[:, :new],
        right[:, :new],
    )


def constant_change(a: AttentionLayer, b: AttentionLayer) -> float:
    """Return by how much the part that a layer adds wherever it attends differs, relative to its length in the first tower.

    Args:
        a: The layer before.
        b: The same layer behind it.
    """
    old, now = a.folded().constant, b.folded().constant
    return float((now - old).norm() / old.norm().clamp_min(torch.finfo(torch.float64).tiny))


def _rounding(a: AttentionLayer, b: AttentionLayer, dtype: torch.dtype) -> Float64[Tensor, " head"]:
    """Return an upper bound of the Frobenius norm that rounding the weights of each head adds to its folded product."""

    def norms(layer: AttentionLayer) -> Tensor:
        read, write = (layer.gamma[:, None] * layer.read).flatten(1), layer.write.flatten(1)
        product: Tensor = torch.linalg.vector_norm(read, dim=1) * torch.linalg.vector_norm(write, dim=1)
        return product

    # Errors of the entries are independent, so only 1 / sqrt(rank) of the product of both norms is reached; 2 leaves room.
    bound: Tensor = 2 * torch.finfo(dtype).eps * torch.maximum(norms(a), norms(b)) / a.read.shape[2] ** 0.5
    return bound


def _core(layer: AttentionLayer, read: Tensor, write: Tensor) -> tuple[Tensor, Tensor]:
    """Return singular values and right vectors of the sum of a layer's product and another: read (head, dim, n) times write."""
    left, right = torch.cat([layer.read, read], 2), torch.cat([layer.write, write], 1)
    if left.shape[2] > left.shape[1]:
        u, values, vh = torch.linalg.svd(left @ right, full_matrices=False)
    else:
        left_basis, left_rest = torch.linalg.qr(left)
        right_basis, right_rest = torch.linalg.qr(right.mT)
        small, values, vh = torch.linalg.svd(left_rest @ right_rest.mT)
        u, vh = left_basis @ small, (right_basis @ vh.mT).mT
    largest = u.mT.gather(2, u.mT.abs().argmax(2, keepdim=True))
    return values, vh * torch.where(largest < 0, -1.0, 1.0)
