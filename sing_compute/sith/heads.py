"""Name the singular vectors of a layer's heads, and compare COMP with NNOMP and top-k on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from sing_compute.linalg.comp import Codes
from sing_compute.sith.attention import HeadVectors, decompose
from sing_compute.sith.naming import METHODS, Dictionary, Names, both_poles, judge_codes, name_directions
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
    side: str = "right",
) -> NamedLayer:
    """Name both poles of every singular vector of the heads of a layer, with the norm before the layer folded in.

    A head whose weights are all 0 has no vectors.

    Args:
        tower: The tower.
        number: Number of the layer, from 0.
        image_mean: Mean of unit image embeddings; zeros if it is not known.
        dictionary: The concepts.
        sizes: Numbers of concepts K, ascending.
        coherence: COMP's weight of the likeness to concepts picked before.
        side: `right` for the vectors that heads write, `left` for those that they read.
    """
    vectors = decompose(tower.layers[number].folded())
    named = torch.arange(vectors.values.shape[1]) < vectors.ranks[:, None]
    directions = both_poles(vectors.right if side == "right" else vectors.left)[named].flatten(0, 1)
    found = [
        name_directions(tower, directions, image_mean, dictionary, sizes, method=method, coherence=coherence)
        for method in METHODS
    ]
    return _layer(vectors, named, found, sizes, poles=2)


def judged_layer(
    tower: Tower,
    number: int,
    image_mean: Float64[Tensor, " clip"],
    dictionary: Dictionary,
    picks: Int64[Tensor, "head vector pick"],
    coefficients: Float64[Tensor, "head vector pick"],
    *,
    side: str = "right",
    folded: bool = True,
) -> NamedLayer:
    """Return a layer with names that were made elsewhere, of the positive poles alone, and measure how well they fit.

    Args:
        tower: The tower.
        number: Number of the layer, from 0.
        image_mean: As for `name_layer`.
        dictionary: The concepts that the names pick from.
        picks: Index of each concept. Vectors of a head that have no picks, because there are fewer here, have no names.
        coefficients: Coefficients of the picks.
        side: `right` or `left`.
        folded: The norm before the layer was folded in.
    """
    layer = tower.layers[number]
    vectors = decompose(layer.folded() if folded else layer)
    count = min(vectors.values.shape[1], picks.shape[1])
    ranks = vectors.ranks.clamp(max=count)
    named = torch.arange(vectors.values.shape[1]) < ranks[:, None]
    directions = (vectors.right if side == "right" else vectors.left)[named]
    here = named[:, :count]
    size = picks.shape[2]
    codes = Codes(picks[:, :count][here], {size: coefficients[:, :count][here]})
    found = judge_codes(tower, directions, image_mean, dictionary, codes)
    return replace(_layer(vectors, named, [found], [size], poles=1), rank=ranks)


def _layer(
    vectors: HeadVectors, named: Tensor, found: Sequence[Names], sizes: Sequence[int], *, poles: int
) -> NamedLayer:
    """Put the names of the named poles at their places among all vectors, and compare the methods that were `found`."""
    heads, count = vectors.values.shape
    names = found[0]

    def spread(values: Tensor, *, filler: float = torch.nan) -> Tensor:
        full = torch.full((heads, count, 2, *values.shape[1:]), filler, dtype=torch.float64).to(values.dtype)
        whole = full[named]
        whole[:, :poles] = values.reshape(-1, poles, *values.shape[1:])
        full[named] = whole
        return full

    coefficients = torch.full((len(names.codes.picks), len(sizes), sizes[-1]), torch.nan, dtype=torch.float64)
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
        torch.stack([_means(each, sizes) for each in found], 1),
    )


def _means(names: Names, sizes: Sequence[int]) -> Float64[Tensor, "figure size"]:
    unused = torch.stack([names.codes.unused(size).double().mean() / size for size in sizes])
    return torch.stack([names.cosine.mean(1), names.fidelity.mean(1), names.coherence.nanmean(1), unused])
