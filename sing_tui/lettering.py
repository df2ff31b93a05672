"""What pictures drawn from letters share: axes, which rows are shown, density as height, numbers in a fixed width."""

import numpy as np
from numpy.typing import NDArray

from sing_tui.formats import Glyphs, fit, widest


def hill(curve: NDArray[np.floating], low: float, high: float, cells: int, glyphs: Glyphs) -> str:
    """A distribution from its percentiles, from low to high in so many cells: as high as values are dense, | at the median."""
    shares = _density(np.asarray(curve, dtype=np.float64), low, high, cells)
    signs = [glyphs.density[round(share * (len(glyphs.density) - 1))] for share in shares]
    if high > low:
        middle = float(curve[len(curve) // 2])
        signs[min(cells - 1, int((middle - low) / (high - low) * cells))] = "|"
    return "".join(signs)


def _density(curve: NDArray[np.float64], low: float, high: float, cells: int) -> NDArray[np.float64]:
    """Share of values in each cell from low to high by a curve of percentiles, over the largest such share."""
    edges = np.linspace(low, high, cells + 1)
    rising = curve + np.arange(len(curve)) * 1e-9 * max(1.0, float(np.abs(curve).max()))  # equal percentiles: steps
    held = np.diff(np.interp(edges, rising, np.linspace(0, 1, len(curve))))
    return held / held.max() if held.max() > 0 else np.zeros(cells)


def window(count: int, chosen: int, room: int, *, spread: bool = False) -> list[int]:
    """Which of so many rows are shown: those around the chosen one; for -1 the first, or evenly spread ones."""
    room = max(1, room)
    if chosen < 0 and spread and count > room:
        return [round(k * (count - 1) / max(1, room - 1)) for k in range(room)]
    low = max(0, min(chosen - room // 2, count - room))
    return list(range(low, min(low + room, count)))


def names(labels: tuple[str, ...], rows: list[int], chosen: int, width: int, glyphs: Glyphs) -> tuple[list[str], int]:
    """What stands left in the lines of these rows, the chosen one marked, and how many cells that takes."""
    texts = [glyphs.text(labels[row]) for row in rows]
    room = max(8, widest(texts, min(24, width * 2 // 5)))
    marks = (glyphs.right if row == chosen else " " for row in rows)
    return [f"{mark} {fit(text, room, glyphs)}" for mark, text in zip(marks, texts, strict=True)], room + 2


def axis(low: str, name: str, high: str, room: int) -> str:
    """The ends of an axis over so many cells, and what it shows between them where there is room."""
    gap = max(1, room - len(low) - len(high))
    return (low + (name.center(gap) if gap > len(name) + 1 else " " * gap) + high)[:room]


def signed(value: float) -> str:
    """Degrees with their sign in seven cells; - for what cannot be degrees."""
    return f"{value + 0.0:+7.2f}" if can_draw(value) else "-".rjust(7)


def can_draw(value: float) -> bool:
    """Whether this can be an angle in degrees, or a difference of two; a file may hold anything."""
    return abs(value) <= 360  # false for NaN


def known(ends: tuple[float, float]) -> bool:
    """Whether these are the ends of an interval."""
    return bool(np.isfinite(ends).all() and ends[0] <= ends[1])


def sides(parts: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """What of two parts lies left and right of zero."""
    return (min(parts[0], 0), min(parts[1], 0)), (max(parts[0], 0), max(parts[1], 0))
