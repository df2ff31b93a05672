"""Words in the text columns of a table, and columns by the names that people give them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store import Column, Table

Mask = NDArray[np.bool_]
_CHUNK = 65536
_CHUNK_BYTES = 2**26


def aliases(table: Table) -> dict[str, Column]:
    """Names a column answers to: its own, then its title in lower case with _ for spaces."""
    named = {column.name: column for column in table.columns}
    for column in table.columns:
        named.setdefault(column.title.lower().replace(" ", "_"), column)
    return named


def contains(table: Table, words: str) -> Mask:
    """Rows with these words in any text column; case counts only if a capital was typed."""
    found = np.zeros(table.length, dtype=bool)
    words = words.strip()
    for column in table.columns:
        if column.is_text:
            found |= text_mask(column, "~", words)
    return found


def text_mask(column: Column, operator: str, wanted: str) -> Mask:
    """Rows whose text contains (~) or is (==) what is wanted; a ! before it turns the test round."""
    exact = wanted != wanted.lower()

    def test(cells: NDArray[Any]) -> Mask:
        cells = cells.astype(np.str_)
        cells = cells if exact else np.char.lower(cells)
        hit: Mask = np.char.find(cells, wanted) >= 0 if "~" in operator else cells == wanted
        return ~hit if operator.startswith("!") else hit

    values = column.values
    if values.names is not None and len(values.names):
        codes = values.codes()
        of_name, of_none = test(values.names), bool(test(np.array([""]))[0])
        return np.where(codes >= 0, of_name[np.maximum(codes, 0)], of_none)
    size = max(1, min(_CHUNK, _CHUNK_BYTES // max(1, 4 * values.source.dtype.itemsize)))
    parts = [test(values.take(np.arange(low, min(low + size, len(values))))) for low in range(0, len(values), size)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)
