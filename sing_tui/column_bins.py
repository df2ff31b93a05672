"""Edges of the bins of a histogram: round numbers, as exact decimal texts, so that a filter of a bin keeps exactly its rows."""

import math
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store import Column
from sing_tui.count_groups import Bins

FEW, MANY = 16, 32
"""Most bins of a histogram: a screen of 24 lines has room for the first number of them, one of 40 lines for the second."""
_FACTORS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(4), Decimal(5), Decimal(10))
_PER_DECADE = (1, 3, 5, 10, 20, 50)
"""Bins for numbers from 1 to 10 on a logarithmic scale."""


def bins_of(column: Column, ascending: NDArray[Any], *, logarithmic: bool, most: int = FEW) -> Bins:
    """Return bins of equal width, or of equal ratio, that hold all of some numbers.

    Whole numbers get bins whose width is a whole number, so that each bin holds as many of them.

    Args:
        column: The column.
        ascending: Its finite numbers, ascending; on a logarithmic scale all above 0.
        logarithmic: True for bins of equal ratio.
        most: Most bins.
    """
    low, high = (ascending[0], ascending[-1]) if len(ascending) else (0, 0)
    whole = ascending.dtype.kind in "iu" or bool(len(ascending) and _is_whole(ascending[:1]) and _is_whole(ascending))
    edges = (
        _ratios(float(low), float(high), most) if logarithmic else _steps(_exact(low), _exact(high), most, whole=whole)
    )
    percent = column.format == "percent"
    texts = [f"{_plain(edge * 100)}%" if percent else _plain(edge) for edge in edges]
    values = np.array([float(text.removesuffix("%")) / (100 if percent else 1) for text in texts])
    compared = values.astype(
        np.float64 if ascending.dtype.kind in "iu" else ascending.dtype
    )  # as rows are compared with them
    first, last = 0, len(edges)
    while last - first > 2 and compared[first + 1] <= low:
        first += 1
    while last - first > 2 and compared[last - 2] > high:
        last -= 1
    return Bins(column, texts[first:last], values[first:last])


def _is_whole(numbers: NDArray[Any]) -> bool:
    return bool((numbers == np.rint(numbers)).all())


def _exact(number: Any) -> Decimal:
    return Decimal(number.item() if isinstance(number, np.generic) else number)


def _steps(low: Decimal, high: Decimal, most: int, *, whole: bool) -> list[Decimal]:
    """Return multiples of 1, 2, 2.5, 4 or 5 times a power of ten, from below `low` to above `high`."""
    span = high - low
    step = _step(span / (most - 2) if span > 0 else abs(low) / 10 or Decimal(1))
    if whole:
        step = Decimal(1) if step < 1 or span < most else step if step == int(step) else Decimal(5)  # 2.5 becomes 5
    first, last = math.floor(low / step) - 1, math.floor(high / step) + 2
    return [k * step for k in range(first, last + 1)]


def _step(least: Decimal) -> Decimal:
    power = Decimal(1).scaleb(least.adjusted())
    return next(factor * power for factor in _FACTORS if factor * power >= least)


def _ratios(low: float, high: float, most: int) -> list[Decimal]:
    """Return powers of ten, and equal ratios between them rounded to three digits, from below `low` to above `high`."""
    decades = math.log10(high) - math.log10(low)
    fitting = [parts for parts in _PER_DECADE if decades * parts <= most - 1]
    parts = fitting[-1] if fitting else 1
    every = 1 if fitting else math.ceil(decades / (most - 1))

    def edge(k: int) -> Decimal:
        whole, part = divmod(k * every, parts)
        return Decimal(f"{10 ** (part / parts):.3g}").scaleb(whole)

    first, last = (math.floor(math.log10(end) * parts / every) for end in (low, high))
    return [edge(k) for k in range(first - 1, last + 3)]


def _plain(number: Decimal) -> str:
    """Write a number without blanks: with an exponent only where it is much shorter."""
    text = format(number.normalize(), "f")
    return text if len(text) <= 12 else f"{number.normalize():E}".replace("E+", "e").replace("E", "e")
