"""Compute cells of direction pairs from stored cells of the same row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.derived.word_mixes import mix_text

Cells = NDArray[Any]


def pick_text(picks: Cells, coefficients: Cells, names: Cells) -> NDArray[np.object_]:
    """Write the mix of each direction as text: its concepts with their coefficients, the largest first.

    Args:
        picks: Index of each picked word, (direction, pick); -1 for none.
        coefficients: Their coefficients, of the same shape.
        names: All picked words.
    """
    return mix_text(picks[:, None], coefficients[:, None], names, sign=0)


def mean_over_searches(values: Cells) -> NDArray[np.float64]:
    """Return the mean of each row of (direction, search) over the searches whose figure is known; NaN if none is."""
    known = np.isfinite(values)
    found = np.full(len(values), np.nan)
    np.divide(np.where(known, values, 0.0).sum(1), known.sum(1), out=found, where=known.any(1))
    return found


def largest_margin(margin: Cells, sizes: Cells) -> NDArray[np.float64]:
    """Return the change of the margin of the class that a step of 1 along each direction moves most, with its sign.

    Args:
        margin: Mean changes of margins, (direction, class, step).
        sizes: The steps.
    """
    single, found = _largest(margin, sizes)
    return np.asarray(np.take_along_axis(single, found[:, None], 1)[:, 0])


def most_moved_class(margin: Cells, sizes: Cells, names: Cells) -> NDArray[np.object_]:
    """Return the class whose margin changes most; empty text for a direction without influence.

    Args:
        margin: Mean changes of margins, (direction, class, step).
        sizes: The steps.
        names: Names of the classes.
    """
    single, found = _largest(margin, sizes)
    known = np.asarray(np.isfinite(single).any(1))
    chosen = [str(names[k]) if there else "" for k, there in zip(found.tolist(), known.tolist(), strict=True)]
    return np.array(chosen, dtype=object)


def share_of_images(positives: Cells, images: Cells) -> NDArray[np.float64]:
    """Return the share of the images of each row that a detector fires on; NaN without images."""
    found = np.full(len(positives), np.nan)
    np.divide(positives, images, out=found, where=images > 0)
    return found


def fires(logits: Cells) -> NDArray[np.str_]:
    """Return a star for each logit above 0, else the empty text."""
    return np.where(logits > 0, "*", "")


def _largest(margin: Cells, sizes: Cells) -> tuple[Cells, Cells]:
    """Return the changes with the step nearest to 1, and for each direction the class of the largest absolute one."""
    single = margin[..., int(np.abs(sizes - 1).argmin())]
    return single, np.nan_to_num(np.abs(single), nan=-1.0).argmax(1)
