"""The linear part of an attention layer: what its heads read, write, and which singular vectors their product has."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """One attention layer without its attention weights A_h: for rows x it adds sum_h A_h x read_h write_h + constant.

    x is the normalised input, n(x) * gamma + beta with n(x) of mean 0 and variance 1.
    """

    read: Float64[Tensor, "head dim rank"]
    """W_V: maps the normalised input to the values of each head."""
    read_bias: Float64[Tensor, "head rank"]
    write: Float64[Tensor, "head rank dim"]
    """W_O, a layer scale included: maps values to what the head adds to the residual stream."""
    write_bias: Float64[Tensor, " dim"]
    gamma: Float64[Tensor, " dim"]
    """Scale of the norm before the layer."""
    beta: Float64[Tensor, " dim"]
    """Shift of that norm."""
    layer_scale: Float64[Tensor, " dim"]
    """Factor of each channel behind the output weights, which `write` and `write_bias` include."""

    @property
    def heads(self) -> int:
        """Number of heads."""
        return len(self.read)

    @property
    def constant(self) -> Float64[Tensor, " dim"]:
        """The part that the layer adds wherever it attends: attention weights sum to 1, so biases of values pass unchanged."""
        return self.write_bias + (self.read_bias[:, None] @ self.write)[:, 0].sum(0)

    def folded(self) -> "AttentionLayer":
        """Return the layer as it acts on n(x), with the norm's scale and shift inside it, and without its effect on the mean.

        n(x) has mean 0, so the mean over each row that reads it changes nothing; and every later norm removes the mean over the
        channels of what is written. All singular vectors are then orthogonal to the vector of ones.
        """
        bias = self.read_bias + self.beta @ self.read
        read = self.gamma[:, None] * self.read
        return AttentionLayer(
            read - read.mean(1, keepdim=True),
            bias,
            self.write - self.write.mean(2, keepdim=True),
            self.write_bias - self.write_bias.mean(),
            torch.ones_like(self.gamma),
            torch.zeros_like(self.beta),
            self.layer_scale,
        )


@dataclass(frozen=True, slots=True)
class HeadVectors:
    """Singular value decomposition of read_h write_h for each head h: sum over k of value_k left_k^T right_k."""

    values: Float64[Tensor, "head rank"]
    """Singular values, descending, in the unit of the weights."""
    left: Float64[Tensor, "head rank dim"]
    """Unit directions that a head reads; the largest entry of each is positive, which fixes the sign of both vectors."""
    right: Float64[Tensor, "head rank dim"]
    """Unit directions that a head writes."""
    ranks: Int64[Tensor, " head"]
    """Number of vectors of each head above rounding; those behind them are noise and mean nothing."""


def decompose(layer: AttentionLayer, *, stored_dtype: torch.dtype = torch.float32) -> HeadVectors:
    """Return the singular vectors of each head.

    The product of read (dim, rank) and write (rank, dim) is never formed: two QR decompositions leave a matrix of (rank, rank).

    Args:
        layer: The layer, as a rule `folded`, as in the paper.
        stored_dtype: Dtype in which the weights were stored: its rounding says which singular values are zero.
    """
    read_basis, read_rest = torch.linalg.qr(layer.read)
    write_basis, write_rest = torch.linalg.qr(layer.write.mT)
    u, values, vh = torch.linalg.svd(read_rest @ write_rest.mT)
    left = u.mT @ read_basis.mT
    largest = left.gather(2, left.abs().argmax(2, keepdim=True))
    sign = torch.where(largest < 0, -1.0, 1.0)
    left *= sign
    right = (sign * vh) @ write_basis.mT
    dim = layer.read.shape[1]
    cutoff = dim * torch.finfo(stored_dtype).eps * values[:, :1]
    return HeadVectors(values, left, right, (values > cutoff).sum(1))
