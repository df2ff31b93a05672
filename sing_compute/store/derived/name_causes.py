"""Compare what the name of a singular vector says with what the vector does: cells, and the agreement of a layer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[Any]

AGREES, DIFFERS, LIKE_RANDOM, UNCHECKED = "agrees", "does not", "like random", "not checked"
"""States of a vector: its name says the attribute that it moves most; another one; it moves no attribute more than a random
direction of its head would that is equally large; it was not tried, or there is only one attribute."""
STRONGEST = 16
"""Vectors of a layer with the largest effect, of which agreement is also stored."""
SETS = ("all vectors", "above random", f"{STRONGEST} strongest")
"""Sets of vectors of a layer of which agreement is stored."""
PERMUTATIONS = 2000
_SEED = 0


def name_shares(picks: Cells, coefficients: Cells, owners: Cells, count: int) -> NDArray[np.float64]:
    """Return the share of each attribute in the coefficients of each vector, the mean of both poles.

    Args:
        picks: Index of each picked word, (..., sign, pick); -1 for none.
        coefficients: Their coefficients, of the same shape; NaN counts as 0.
        owners: Attribute of each word.
        count: Number of attributes.

    Returns:
        Shares (..., attribute). They add up to 1, or to less if a pole has no coefficient above 0.
    """
    weights = np.where((picks >= 0) & (coefficients > 0), coefficients, 0).astype(np.float64)
    owner = np.where(picks >= 0, owners[np.clip(picks, 0, max(len(owners) - 1, 0))], -1)
    sums = np.stack([np.where(owner == attribute, weights, 0).sum(-1) for attribute in range(count)], -1)
    total = sums.sum(-1, keepdims=True)
    return np.asarray(np.divide(sums, total, out=np.zeros_like(sums), where=total > 0).mean(-2))


def largest(values: Cells) -> NDArray[np.int64]:
    """Return the position of the largest of each row, the first of equal ones; -1 for rows without a number above 0."""
    known = np.where(np.isnan(values), -np.inf, values)
    return np.asarray(np.where(known.max(-1) > 0, known.argmax(-1), -1))


def random_effect(amount: Cells, random: Cells, random_amount: Cells) -> NDArray[np.float64]:
    """Return the effect that random directions of a head would have, each as large as one of its vectors.

    Effects are nearly proportional to amounts, so the effect per amount is averaged over the random directions of the head.

    Args:
        amount: How much the head writes along its vectors, (..., vector).
        random: Effects of random directions of the same heads, (..., draw); NaN for none.
        random_amount: How much was removed along them, (..., draw).

    Returns:
        Effects (..., vector).
    """
    known = np.isfinite(random) & (random_amount > 0)
    each = np.divide(random, random_amount, out=np.zeros(random.shape), where=known)
    count = known.sum(-1)
    mean = np.where(count > 0, each.sum(-1) / np.maximum(count, 1), np.nan)
    return np.asarray(amount * mean[..., None])


def above_random(effect: Cells, amount: Cells, random: Cells, random_amount: Cells) -> NDArray[np.bool_]:
    """Return True for each vector that moves some attribute more than an equally large random direction moves any.

    Args:
        effect: Effects (..., vector, attribute); NaN for a vector that was not tried.
        amount: As in `random_effect`.
        random: Effects of random directions, (..., draw, attribute).
        random_amount: As in `random_effect`.
    """
    return np.asarray(effect.max(-1) > random_effect(amount, random.max(-1), random_amount))


def states(said: Cells, moved: Cells, above: Cells, attributes: int) -> NDArray[np.object_]:
    """Return the state of each vector as text.

    Args:
        said: Attribute that its name says; -1 for none.
        moved: Attribute that it moves most; -1 if it was not tried.
        above: True if it moves something more than an equally large random direction does.
        attributes: Number of attributes.
    """
    found = np.where(said == moved, AGREES, DIFFERS).astype(object)
    if attributes < 2:
        found[...] = UNCHECKED
    found[~above] = LIKE_RANDOM
    found[moved < 0] = UNCHECKED
    return found


def chosen_sets(effect: Cells, above: Cells) -> list[NDArray[np.int64]]:
    """Return the vectors of a layer that belong to each of `SETS`, as positions among all of its vectors.

    Args:
        effect: Effects of the layer, (vector, attribute).
        above: True for each vector that is above random.
    """
    top = np.where(np.isnan(effect), -np.inf, effect).max(-1)
    tried = np.flatnonzero(np.isfinite(top))
    strongest = tried[np.argsort(-top[tried], kind="stable")][:STRONGEST]
    return [tried, np.flatnonzero(above), strongest]


def agreement(said: Cells, moved: Cells) -> tuple[float, float, float]:
    """Return how many names say what their vectors do, and how many would by chance, with names permuted among the vectors.

    Args:
        said: Attribute that each name says.
        moved: Attribute that each vector moves most.

    Returns:
        Share that agrees; its exact mean over all permutations; share of `PERMUTATIONS` seeded permutations, with the names as
        they are counted as one, that agree at least as often. All NaN without vectors.
    """
    if not len(said):
        return np.nan, np.nan, np.nan
    hits = int((said == moved).sum())
    values, counts = np.unique(said[said >= 0], return_counts=True)
    chance = sum(int(count) * int((moved == value).sum()) for value, count in zip(values, counts, strict=True))
    shuffled = np.random.default_rng(_SEED).permuted(np.tile(said, (PERMUTATIONS, 1)), axis=1)
    as_many = int(((shuffled == moved).sum(1) >= hits).sum())
    return hits / len(said), chance / len(said) ** 2, (1 + as_many) / (1 + PERMUTATIONS)


def layer_agreement(
    picks: Cells,
    coefficients: Cells,
    owners: Cells,
    effect: Cells,
    amount: Cells,
    random: Cells,
    random_amount: Cells,
) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
    """Return the figures of agreement of each layer, for each of `SETS` and each number of concepts.

    Args:
        picks: Index of each picked word, (layer, head, vector, sign, pick).
        coefficients: Their coefficients, (layer, head, vector, sign, size, pick).
        owners: Attribute of each word.
        effect: Effects (layer, head, vector, attribute).
        amount: How much heads write along their vectors, (layer, head, vector).
        random: Effects of random directions, (layer, head, draw, attribute).
        random_amount: How much was removed along them, (layer, head, draw).

    Returns:
        `count` (layer, set); `agreement`, `chance` and `p` (layer, set, size).
    """
    layers, sizes, attributes = len(effect), coefficients.shape[4], effect.shape[-1]
    count = np.zeros((layers, len(SETS)), dtype=np.int64)
    figures = np.full((3, layers, len(SETS), sizes), np.nan)
    for layer in range(layers):
        flat = effect[layer].reshape(-1, attributes)
        moved = largest(flat)
        above = above_random(effect[layer], amount[layer], random[layer], random_amount[layer])
        sets = chosen_sets(flat, above.reshape(-1))
        count[layer] = [len(rows) for rows in sets]
        for size in range(sizes if attributes > 1 else 0):
            said = largest(name_shares(picks[layer], coefficients[layer, ..., size, :], owners, attributes)).reshape(-1)
            for position, rows in enumerate(sets):
                figures[:, layer, position, size] = agreement(said[rows], moved[rows])
    return {"count": count, "agreement": figures[0], "chance": figures[1], "p": figures[2]}
