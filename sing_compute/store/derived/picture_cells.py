"""Compute cells of the table of pictures."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def kind_of_picture(rendering: NDArray[Any], kinds: NDArray[Any]) -> NDArray[np.str_]:
    """Return the kind of the embedding of each picture.

    Args:
        rendering: Index of the embedding of each picture.
        kinds: Kind of every embedding.
    """
    found = np.full(len(rendering), "-", dtype=np.asarray(kinds).astype(str).dtype if len(kinds) else "U1")
    there = (rendering >= 0) & (rendering < len(kinds))
    found[there] = np.asarray(kinds).astype(str)[rendering[there]]
    return found
