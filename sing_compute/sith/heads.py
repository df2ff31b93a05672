"""Name the singular vectors of a layer's heads, and compare COMP with NNOMP and top-k on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from sing_compute.sith.attention import decompose
from sing_compute.sith.naming import METHODS, Dictionary, Names, both_poles, name_directions
from sing_compute.sith.towers import Tower

FIGURES = ("cosine", "fidelity", "coherence", "unused")
"""Means over all poles of a layer, by which methods are compared."""


@dataclass(frozen=True, slots=True)
class NamedLayer:
    """The singular vectors of one layer in words. Vectors that are noise have picks of -1 and NaN in the place of figures.

    A head whose weights are all 0, as after an edit, has rank 0 and no names.
    """

    value: Float64[Tensor, "head vector"]
    rank: Int64[Tensor, " head"]
    pick: Int64[Tensor, "head vector sign pick"]
    """Index in the dictionary of each pick, in the order of picking."""
    coefficient: Float64[Tensor, "head vector sign size pick"]
    """NaN behind the first K picks."""
    cosine: Float64[Tensor, "head vector sign size"]
    fidelity: Float64[Tensor, "head vector sign size"]
    ceiling: Float64[Tensor, "head vector sign"]
    coherence: Float64[Tensor, "head vector sign size"]
    methods: Float64[Tensor, "figure method size"]
    """Means over all poles, by `FIGURES` and `METHODS`."""


def name_layer(
    tower: Tower,
    number: int,
    image_mean: Float64[Tensor, " clip"],
    dictionary: Dictionary,
    sizes: Sequence[int],
    *,
    coherence: float,
) -> NamedLayer:
    """Name both poles of every singular vector that the heads of a layer write, with the norm before the layer folded in.

    Args:
        tower: The tower.
        number: Number of the layer, from 0.
        image_mean: Mean of unit image embeddings; zeros if it is not known.
        dictionary: The concepts.
        sizes: Numbers of concepts K, ascending.
        coherence: COMP's weight of the likeness to concepts picked before.
    """
    vectors = decompose(tower.layers[number].folded())
    heads, count = vectors.values.shape
    named = torch.arange(count) < vectors.ranks[:, None]
    directions = both_poles(vectors.right)[named].flatten(0, 1)
    found = {
        method: name_directions(tower, directions, image_mean, dictionary, sizes, method=method, coherence=coherence)
        for method in METHODS
    }
    names = found["comp"]

    def spread(values: Tensor, *, filler: float = torch.nan) -> Tensor:
        """Put values of the named poles at their places among all vectors."""
        full = torch.full((heads, count, 2, *values.shape[1:]), filler, dtype=torch.float64).to(values.dtype)
        full[named] = values.reshape(-1, 2, *values.shape[1:])
        return full

    most = sizes[-1]
    coefficients = torch.full((len(directions), len(sizes), most), torch.nan, dtype=torch.float64)
    for position, size in enumerate(sizes):
        coefficients[:, position, :size] = names.codes.coefficients[size]
    return NamedLayer(
        vectors.values,
        vectors.ranks,
        spread(names.codes.picks, filler=-1.0),
        spread(coefficients),
        spread(names.cosine.T),
        spread(names.fidelity.T),
        spread(names.ceiling),
        spread(names.coherence.T),
        torch.stack([_means(found[method], sizes) for method in METHODS], 1),
    )


def _means(names: Names, sizes: Sequence[int]) -> Float64[Tensor, "figure size"]:
    unused = torch.stack([names.codes.unused(size).double().mean() / size for size in sizes])
    return torch.stack([names.cosine.mean(1), names.fidelity.mean(1), names.coherence.nanmean(1), unused])
