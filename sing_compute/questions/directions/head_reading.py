"""Set direction pairs beside what the head reads: null shares, and names in CLIP by the translator of the file."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from sing_compute.directions.naming import SignalNames, name_signals
from sing_compute.directions.null_shares import HeadAgreement, NullShares, head_agreement, null_shares
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.errors import SingError
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.sith.naming import Dictionary
from sing_compute.store import Store
from sing_compute.store.text import clean, store_error

_PART = 1 << 16
"""Positions that are added up at once."""


@dataclass(frozen=True, slots=True)
class HeadReading:
    """Null shares of direction pairs, beside chance, and the rows of the head that their filters are most like."""

    split: HeadSplit
    shares: NullShares | None
    """None for a head without null space."""
    agreement: HeadAgreement


def read_by_head(
    inputs: DirectionInputs,
    pairs: DirectionPairs,
    covariance: Float64[Tensor, "dim dim"],
    random: Float64[Tensor, "draw dim"],
) -> HeadReading:
    """Return how much of each direction pair the head can read.

    Args:
        inputs: Features and head.
        pairs: The direction pairs.
        covariance: Covariance of the features.
        random: Directions drawn with it.
    """
    split = head_split(inputs)
    shares = shares_of(inputs, pairs, split, covariance, random)
    return HeadReading(split, shares, head_agreement(pairs.filters, inputs.head.weight, split))


def shares_of(
    inputs: DirectionInputs,
    pairs: DirectionPairs,
    split: HeadSplit,
    covariance: Float64[Tensor, "dim dim"],
    random: Float64[Tensor, "draw dim"],
) -> NullShares | None:
    """Return the null shares of signal vectors, beside chance; None for a head without null space.

    Args:
        inputs: Features and head.
        pairs: The direction pairs.
        split: Null space of the head.
        covariance: Covariance of the features.
        random: Directions drawn with it.
    """
    weight = inputs.head.weight
    read = weight - weight.mean(0) if inputs.invariance == "softmax" else weight
    return null_shares(pairs, split, read, covariance, random) if split.nullity else None


def head_split(inputs: DirectionInputs) -> HeadSplit:
    """Split the head at the rank that the file states, or at that of rounding where it states none.

    Args:
        inputs: Features and head.

    Raises:
        StoreError: The file states no possible rank.
    """
    weight, rank = inputs.head.weight, inputs.rank
    exact = split_head(weight, stored_dtype=torch.float32, invariance=inputs.invariance)
    if rank is None:
        return exact
    if not 0 < rank <= weight.shape[1]:
        raise store_error(f"models/{inputs.model}/summary/rank: not from 1 to {weight.shape[1]}")
    return exact.at_rank(rank)


def covariance_of(inputs: DirectionInputs) -> Float64[Tensor, "dim dim"]:
    """Return the covariance of the features over all positions, in float64, added up in parts."""
    flat = inputs.features.flatten(0, 1)
    mean = torch.stack([part.double().sum(0) for part in torch.split(flat, _PART)]).sum(0) / len(flat)
    total = torch.zeros(flat.shape[1], flat.shape[1], dtype=torch.float64)
    for part in torch.split(flat, _PART):
        centred = part.double() - mean
        total += centred.T @ centred
    return total / len(flat)


def translator_of(store: Store, model: str) -> Float64[Tensor, "clip dim"] | None:
    """Return the matrix A of a model's translator; None if the file has none.

    Raises:
        StoreError: It is damaged.
    """
    path = f"models/{model}/translator/weight"
    if path not in store:
        return None
    weight = torch.from_numpy(store.array(path)).double()
    if not weight.isfinite().all():
        raise store_error(f"{store.path.name}: {path}: not all finite")
    return weight


def names_of(
    pairs: DirectionPairs,
    translator: Float64[Tensor, "clip dim"],
    random: Float64[Tensor, "draw dim"],
    dictionary: Dictionary,
    size: int,
) -> SignalNames:
    """Name signal vectors by mixes of concepts, beside directions with the covariance of the features.

    Args:
        pairs: The direction pairs.
        translator: The matrix A of the translator.
        random: Directions drawn with the covariance of the features.
        dictionary: The concepts, centred.
        size: Number of concepts of a mix.

    Raises:
        SingError: The translator reads features of another size.
    """
    if translator.shape[1] != len(pairs.filters):
        raise SingError(
            f"the translator reads features of {translator.shape[1]} numbers, the head of {len(pairs.filters)}"
        )
    words = min(size, int(dictionary.usable.sum()))
    return name_signals(
        pairs.signals, translator, random, dictionary.atoms, (size,), usable=dictionary.usable, words=words
    )


def say_what_is_missing(inputs: DirectionInputs, reading: HeadReading, *, named: bool) -> list[str]:
    """Return a line for each figure that the file does not allow."""
    lines = []
    if reading.shares is None:
        lines.append(f"{clean(inputs.model)}: its head has no null space, so directions have no null share")
    if not named:
        lines.append(f"{clean(inputs.model)}: no translator into CLIP space is stored, so directions have no words")
    return lines
