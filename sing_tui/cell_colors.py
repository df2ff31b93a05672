"""Colours behind numbers: angles and shares on a scale that the header names, blue below zero and orange above it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color, ColorSystem, ColorType, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.style import Style

from sing_compute.formats import Glyphs
from sing_compute.store import Column
from sing_compute.store.sorting import quantile
from sing_tui.colors import BLACK, READABLE, WHITE, contrast

LEVELS = 6
"""Steps of colour on each side of zero."""
_ALL = 50_000
"""Values up to which all of them are asked for the scale."""
_SAMPLE = 256
_SHARE = 0.98
"""Share of the values that lie within the scale; those beyond it have the full colour."""
_BELOW, _ABOVE, _AMOUNT = "#0072b2", "#e07b00", "#009e73"
"""Okabe and Ito's blue and green, and their vermilion made yellower: apart for colour-blind eyes."""
_STRONGEST = 0.85
_ENOUGH = 0.35
"""Share of a hue that is seen well: where the text of a theme leaves less, it is black or white on these cells."""


@dataclass(frozen=True, slots=True)
class ColorScale:
    """The value of the full colour of a column."""

    end: float
    """In the unit of the column, above 0."""
    signed: bool
    """True if values below zero have a colour of their own."""
    text: str
    """The scale as the header writes it."""

    def level(self, value: float) -> int:
        """Return the step of colour of a value: below 0 for one below zero, 0 for none."""
        if math.isnan(value):
            return 0
        share = max(-1.0 if self.signed else 0.0, min(value / self.end, 1.0))
        return round(share * LEVELS)


def color_scale(column: Column, glyphs: Glyphs) -> ColorScale | None:
    """Return the scale of a column of angles or shares; None for any other one, and for one without a value.

    Args:
        column: The column; its values must be there (`Values.waits_for`).
        glyphs: The signs of the screen.

    Raises:
        SingError: Its cells cannot be read.
    """
    if column.role == "share" and column.format == "percent":
        return ColorScale(1.0, False, "0-100%")
    is_value = column.role in ("value", "difference")
    if not is_value or column.unit != "degree" or column.format not in ("degrees", "signed degrees"):
        return None
    signed = column.format == "signed degrees" or column.role == "difference"
    with np.errstate(invalid="ignore"):  # a file may hold signalling NaN
        sizes = np.abs(_some(column))
    sizes = sizes[np.isfinite(sizes)]
    if not len(sizes):
        return None
    end = _round_up(quantile(np.sort(sizes), _SHARE))
    sign = ("+-" if glyphs.ascii_only else "±") if signed else "0-"
    return ColorScale(end, signed, f"{sign}{end:g}{'' if glyphs.ascii_only else glyphs.degree}")


def _some(column: Column) -> NDArray[np.float64]:
    """Return all values of a column, or some from its beginning, middle and end where it is long."""
    values, count = column.values, len(column.values)
    if count <= _ALL:
        return values.all().astype(np.float64)
    starts = (0, (count - _SAMPLE) // 2, count - _SAMPLE)
    return np.concatenate([values.take(np.arange(start, start + _SAMPLE)) for start in starts]).astype(np.float64)


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


@dataclass(frozen=True, slots=True)
class CellColors:
    """Styles of coloured cells by step; those for amounts are of columns without a sign."""

    above: Sequence[Style]
    below: Sequence[Style]
    amounts: Sequence[Style]

    def style(self, level: int, *, signed: bool) -> Style:
        """Return the style of a step other than 0."""
        side = self.amounts if not signed else self.above if level > 0 else self.below
        return side[abs(level) - 1]


@lru_cache(maxsize=32)
def cell_colors(base: Style, color_system: str | None) -> CellColors | None:
    """Return colours behind numbers that leave them readable; None where there are fewer than 256 colours.

    Args:
        base: Style of the numbers. If it has no background of its own, the colours are the terminal's: there are none then.
        color_system: The terminal's, as rich names it.
    """
    back, front = base.bgcolor, base.color
    if color_system not in ("256", "truecolor") or back is None or front is None:
        return None
    if back.type is not ColorType.TRUECOLOR or front.type is not ColorType.TRUECOLOR:
        return None
    few = color_system == "256"
    sides = (_side(base, Color.parse(hue).get_truecolor(), few=few) for hue in (_ABOVE, _BELOW, _AMOUNT))
    return CellColors(*sides)


def _side(base: Style, hue: ColorTriplet, *, few: bool) -> tuple[Style, ...]:
    """Return the styles of one side, from the faintest to the strongest that is readable."""
    if base.bgcolor is None or base.color is None:
        return ()
    back, front = base.bgcolor.get_truecolor(), base.color.get_truecolor()
    end = max(WHITE, BLACK, key=lambda end: contrast(end, back))
    strongest, front = max(
        ((_strongest(back, front, hue, few=few), front) for front in (front, end)),
        key=lambda found: (min(found[0], _ENOUGH), found[1] == front),
    )
    found: list[Style] = []
    for step in range(1, LEVELS + 1):
        color = _seen(blend_rgb(back, hue, strongest * step / LEVELS), few=few)
        if found and contrast(front, color) < READABLE:
            found.append(found[-1])
        else:
            found.append(base + Style(color=Color.from_triplet(front), bgcolor=Color.from_triplet(color)))
    return tuple(found)


def _strongest(back: ColorTriplet, front: ColorTriplet, hue: ColorTriplet, *, few: bool) -> float:
    """Return the largest share of a hue in a background on which text is readable."""
    shares = (_STRONGEST * step / 40 for step in range(40, -1, -1))
    return next(
        (share for share in shares if contrast(front, _seen(blend_rgb(back, hue, share), few=few)) >= READABLE), 0
    )


def _seen(color: ColorTriplet, *, few: bool) -> ColorTriplet:
    """Return the colour that a terminal shows."""
    return Color.from_triplet(color).downgrade(ColorSystem.EIGHT_BIT).get_truecolor() if few else color
