"""Compute the cells that set what a vector's name says beside what the vector does."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.derived.name_causes import above_random, largest, name_shares, random_effect, states

Cells = NDArray[Any]


def named_attribute(
    picks: Cells, coefficients: Cells, owners: Cells, effect: Cells, names: Cells
) -> NDArray[np.object_]:
    """Return the attribute that the name of each vector says; empty text for a vector without one.

    Args:
        picks: Index of each picked word, (vector, sign, pick).
        coefficients: Their coefficients, of the same shape.
        owners: Attribute of each word.
        effect: Effects (vector, attribute), for the number of attributes.
        names: Names of the attributes.
    """
    return _named(largest(name_shares(picks, coefficients, owners, effect.shape[-1])), names)


def moved_attribute(effect: Cells, names: Cells) -> NDArray[np.object_]:
    """Return the attribute that each vector moves most; empty text for one that was not tried."""
    return _named(largest(effect), names)


def effect_of_most(effect: Cells) -> NDArray[np.float64]:
    """Return the largest effect of each vector; NaN for one that was not tried."""
    return np.asarray(effect.max(-1))


def name_state(
    picks: Cells, coefficients: Cells, owners: Cells, effect: Cells, amount: Cells, random: Cells, random_amount: Cells
) -> NDArray[np.object_]:
    """Return for each vector if its name is true; codes and effects as above, the rest as in `above_random`."""
    attributes = effect.shape[-1]
    said = largest(name_shares(picks, coefficients, owners, attributes))
    return states(said, largest(effect), above_random(effect, amount, random, random_amount), attributes)


def random_effect_of_most(effect: Cells, amount: Cells, random: Cells, random_amount: Cells) -> NDArray[np.float64]:
    """Return the effect that each vector must exceed to be above random; arguments as in `above_random`."""
    return random_effect(amount, random.max(-1), random_amount)


def named_share(picks: Cells, coefficients: Cells, owners: Cells, effect: Cells) -> NDArray[np.float64]:
    """Return the share of each attribute in the name of one vector, whose codes are (sign, pick) and effects (attribute)."""
    return name_shares(picks, coefficients, owners, len(effect))


def random_effects(effect: Cells, amount: Cells, random: Cells, random_amount: Cells) -> NDArray[np.float64]:
    """Return the effect on each attribute of a random direction that is as large as one vector.

    Args:
        effect: Effects of the vector, (attribute).
        amount: How much the head writes along it.
        random: Effects of random directions of its head, (draw, attribute).
        random_amount: How much was removed along them, (draw).
    """
    return random_effect(np.asarray(amount).reshape(1), random.T, random_amount)[:, 0]


def image_names(positions: Cells, keys: Cells) -> NDArray[np.object_]:
    """Return the names of the images of each row, (row, extreme), in one text."""
    return np.array(
        [", ".join(str(keys[k]) for k in row if 0 <= k < len(keys)) for row in positions.tolist()], dtype=object
    )


def _named(positions: Cells, names: Cells) -> NDArray[np.object_]:
    return np.array([str(names[k]) if 0 <= k < len(names) else "" for k in positions.tolist()], dtype=object)
