"""Compute cells from the codes of singular vectors: their concepts as text, and means over the vectors of a head or a layer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[Any]


def mix_text(picks: Cells, coefficients: Cells, names: Cells, *, sign: int) -> NDArray[np.object_]:
    """Write the mix of each vector as text: its concepts with their coefficients, the largest first.

    Args:
        picks: Index of each picked word, (vector, sign, pick); -1 for none.
        coefficients: Their coefficients, of the same shape. A pick with coefficient 0 is left out.
        names: All picked words.
        sign: The pole, 0 or 1.
    """
    found = []
    for words, weights in zip(picks[:, sign], coefficients[:, sign], strict=True):
        found.append(", ".join(f"{word} {weight:.2f}" for word, weight in used_words(words, weights, names)))
    return np.array(found, dtype=object)


def used_words(picks: Cells, coefficients: Cells, names: Cells) -> list[tuple[str, float]]:
    """Return the concepts of one mix with their coefficients, the largest first; those with coefficient 0 are left out."""
    order = np.argsort(-coefficients, kind="stable").tolist()
    used = [k for k in order if coefficients[k] > 0 and 0 <= picks[k] < len(names)]
    return [(str(names[picks[k]]), float(coefficients[k])) for k in used]


def first_mix_text(picks: Cells, coefficients: Cells, names: Cells, *, sign: int) -> NDArray[np.object_]:
    """Write the mix of the first vector of each head as text; arguments as in `mix_text`, with (head, vector, sign, pick)."""
    if not picks.shape[1]:
        return np.full(len(picks), "", dtype=object)
    return mix_text(picks[:, 0], coefficients[:, 0], names, sign=sign)


def word_used(picks: Cells, coefficients: Cells, names: Cells, *, sign: int) -> NDArray[np.object_]:
    """Return the word of each pick of one pole; empty text for a pick with coefficient 0. Picks are (sign, pick)."""
    pairs = zip(picks[sign], coefficients[sign], strict=True)
    return np.array([str(names[k]) if weight > 0 and 0 <= k < len(names) else "" for k, weight in pairs], dtype=object)


def unused_picks(picks: Cells, coefficients: Cells, *, sign: int) -> NDArray[np.int64]:
    """Count the picks of one pole of each vector that have coefficient 0; NaN coefficients are those of a smaller K."""
    return np.asarray(((picks[:, sign] >= 0) & (coefficients[:, sign] == 0)).sum(1))


def unused_share(picks: Cells, coefficients: Cells) -> NDArray[np.float64]:
    """Return the share of the picks of each row that have coefficient 0."""
    there = (picks >= 0) & ~np.isnan(coefficients)
    return _ratio(_summed(there & (coefficients == 0)), _summed(there))


def mean_of_known(values: Cells) -> NDArray[np.float64]:
    """Return the mean of the numbers of each row that are known; NaN where none is."""
    known = np.isfinite(values)
    return _ratio(_summed(np.where(known, values, 0.0).astype(np.float64)), _summed(known))


def total_strength(values: Cells) -> NDArray[np.float64]:
    """Return the root of the sum of squares of each row: the Frobenius norm of what the singular values belong to."""
    return np.asarray(np.sqrt(_summed(values.astype(np.float64) ** 2)))


def first_share(values: Cells) -> NDArray[np.float64]:
    """Return the share of the first singular value in the sum of squares of each row; NaN where that is 0."""
    return _ratio((values[:, :1] ** 2).sum(1), (values**2).sum(1))


def _summed(values: Cells) -> Cells:
    return np.asarray(values.reshape(len(values), -1).sum(1))


def _ratio(numerators: Cells, denominators: Cells) -> NDArray[np.float64]:
    """Divide, with NaN where the denominator is 0."""
    found = np.full(len(numerators), np.nan)
    np.divide(numerators, denominators, out=found, where=denominators != 0)
    return found
