"""How the cells of a column are written in a CSV file: in full, so that numbers read back bit for bit."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.text import csv_text


def csv_cells(values: NDArray[Any]) -> list[str]:
    """Write the cells of one column.

    Args:
        values: Numbers or texts, (row,).

    Returns:
        For each number the shortest text that reads back to the same bits, nothing for NaN; for each text one that no
        spreadsheet takes for a formula.
    """
    if values.dtype == np.float32:
        return _short_decimals(values)
    if values.dtype.kind == "f":
        texts = map(repr, values.tolist()) if values.dtype == np.float64 else values.astype(np.str_).tolist()
        return ["" if cell == "nan" else cell for cell in texts]
    if values.dtype.kind in "iu":
        return list(map(str, values.tolist()))
    return [csv_text(str(cell)) for cell in values]


_PLAIN = (1e-4, 1e6)
"""Sizes of float32 numbers that six digits before the point and twelve behind it always hold."""
_TENS = 10 ** np.arange(13)


def _short_decimals(values: NDArray[np.float32]) -> list[str]:
    """Write the shortest decimals of float32 numbers, the digits of all of them at once, in fours.

    Numbers of other sizes than `_PLAIN`, zero, NaN and infinity are left to numpy's own, slower writing.
    """
    sizes = np.abs(values)
    plain = (sizes > _PLAIN[0]) & (sizes < _PLAIN[1])
    whole = _scaled(np.where(plain, sizes, np.float32(1)))
    leading, in_full, trailing = _fours()
    cells = np.empty((len(values), 6), np.uint32)
    nothing_behind = np.ones(len(values), bool)
    for place in (5, 4, 3):
        whole, digits = np.divmod(whole, 10_000)
        cells[:, place] = np.where(nothing_behind, trailing[digits], in_full[digits])
        nothing_behind &= digits == 0
    signs = cells.view(np.uint8).reshape(len(values), 24)
    signs[nothing_behind, 12] = ord("0")
    high, low = np.divmod(whole, 10_000)
    cells[:, 0] = leading[high]
    cells[:, 1] = np.where(high == 0, leading[low], in_full[low])
    signs[whole == 0, 7] = ord("0")
    cells[:, 2] = 0
    signs[:, 8] = ord(".")
    signs[:, 0] = ord("\n")
    signs[values < 0, 1] = ord("-")
    texts = cells.tobytes().translate(None, b"\0").decode("ascii").split("\n")[1:]
    others = np.flatnonzero(~plain)
    for row, text in zip(others.tolist(), values[others].astype(np.str_).tolist(), strict=True):
        texts[row] = "" if text == "nan" else text
    return texts


def _scaled(sizes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return numbers of `_PLAIN` size times 10^12, rounded to the fewest digits (6 to 9) that read back to the same float32."""
    found, rows = np.empty(len(sizes), np.int64), np.arange(len(sizes))
    exact = sizes.astype(np.float64)
    before_point = np.floor(np.log10(exact)).astype(np.int64) + 1
    for digits in range(6, 10):
        decimals = digits - before_point
        scale = _TENS[decimals].astype(np.float64)
        rounded = np.rint(exact * scale)
        found[rows] = rounded.astype(np.int64) * _TENS[12 - decimals]
        longer = (rounded / scale).astype(np.float32) != sizes
        rows, sizes, exact, before_point = rows[longer], sizes[longer], exact[longer], before_point[longer]
    return found


@cache
def _fours() -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the four digits of 0 to 9999 as bytes: NUL for leading zeros, in full, NUL for trailing zeros."""
    texts = [f"{number:04d}" for number in range(10_000)]
    parts = (
        [text.lstrip("0").rjust(4, "\0") for text in texts],
        texts,
        [text.rstrip("0").ljust(4, "\0") for text in texts],
    )
    leading, in_full, trailing = (np.frombuffer("".join(part).encode("ascii"), np.uint32) for part in parts)
    return leading, in_full, trailing
