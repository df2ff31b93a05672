"""A map as lines of a terminal: two values in each cell by colour, or one by a sign where there are no colours. No Textual."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style

from sing_compute.charts.map_blocks import Values
from sing_tui.colors import BLACK, WHITE, contrast

STEPS = 12
"""Steps of a colour on each side of zero: fewer make longer runs of one colour, so fewer bytes."""
MISSING, EMPTY, CURSOR = -100, -101, -102
"""Codes of what is no value: a missing one, no part of the map, the cursor."""
Codes = NDArray[np.int16]
Line = list[Segment]
_ABOVE, _BELOW = ".:=+*#@", "icoqmMW"
"""Signs of values on both sides of zero, weakest first."""
_SIGNS = {0: " ", MISSING: "?", EMPTY: " "}


@dataclass(frozen=True, slots=True, eq=False)  # one palette is one object, so that styles are found by it at once
class Palette:
    """Colours of a map."""

    zero: ColorTriplet
    positive: ColorTriplet
    negative: ColorTriplet
    missing: ColorTriplet
    cursor: ColorTriplet
    empty: ColorTriplet
    """The screen around the map."""

    def of(self, code: int) -> ColorTriplet:
        """Return the colour of a code."""
        known = {MISSING: self.missing, EMPTY: self.empty, CURSOR: self.cursor}
        if code in known:
            return known[code]
        return blend_rgb(self.zero, self.positive if code > 0 else self.negative, abs(code) / STEPS)


@lru_cache(maxsize=64)
def palette_of(empty: ColorTriplet, *, dark: bool, signed: bool) -> Palette:
    """Return colours that are told apart by people who are colour-blind, too: blue and orange, or one hue of rising lightness.

    Args:
        empty: Colour of the screen.
        dark: True where it is dark.
        signed: True where values go to both sides of zero.
    """
    if dark:
        high = ColorTriplet(255, 160, 40) if signed else ColorTriplet(240, 228, 66)
        return Palette(
            ColorTriplet(44, 44, 48), high, ColorTriplet(90, 185, 255), ColorTriplet(165, 155, 165), WHITE, empty
        )
    high = ColorTriplet(176, 62, 0) if signed else ColorTriplet(76, 36, 120)
    return Palette(
        ColorTriplet(250, 250, 250), high, ColorTriplet(0, 84, 160), ColorTriplet(128, 122, 128), BLACK, empty
    )


def codes_of(values: Values, scale: tuple[float, float]) -> Codes:
    """Return the step of each value on a scale: 0 in its middle or at its lower end, STEPS at its upper end; or MISSING.

    Args:
        values: Numbers of any shape.
        scale: The ends; the lower one is below zero where values go to both sides of it.
    """
    low, high = scale
    start = 0.0 if low < 0 else low
    width = high - start
    steps = np.clip((values - start) * (STEPS / width if width > 0 else 0.0), -STEPS, STEPS)
    return np.where(np.isnan(values), MISSING, np.rint(np.nan_to_num(steps))).astype(np.int16)


@lru_cache(maxsize=8192)
def _style(palette: Palette, upper: int, lower: int) -> Style:
    above, below = (Color.from_triplet(palette.of(code)) for code in (upper, lower))
    return Style(bgcolor=above) if upper == lower else Style(color=above, bgcolor=below)


def half_cells(upper: Sequence[int], lower: Sequence[int], palette: Palette) -> Line:
    """Draw one line of two rows of codes, one pair in each cell."""
    return [
        _segment(palette, top, bottom, len(list(run))) for (top, bottom), run in groupby(zip(upper, lower, strict=True))
    ]


@lru_cache(maxsize=16384)
def _segment(palette: Palette, upper: int, lower: int, count: int) -> Segment:
    return Segment((" " if upper == lower else "▀") * count, _style(palette, upper, lower))


def sign_of(code: int) -> str:
    """Return the sign of a code where there are no colours."""
    if code in _SIGNS:
        return _SIGNS[code]
    signs = _ABOVE if code > 0 else _BELOW
    return signs[min(len(signs) - 1, (abs(code) - 1) * len(signs) // STEPS)]


def signs(codes: Sequence[int], marked: range, style: Style) -> Line:
    """Draw one line of codes, one in each cell; those of `marked` are reversed."""
    text = "".join(map(sign_of, codes))
    parts = (text[: marked.start], text[marked.start : marked.stop], text[marked.stop :])
    return [
        Segment(part, style + Style(reverse=True) if number == 1 else style)
        for number, part in enumerate(parts)
        if part
    ]


def written(codes: Sequence[int], texts: Sequence[str], width: int, palette: Palette | None, style: Style) -> Line:
    """Draw one line of blocks of one width with the number of each in it.

    Args:
        codes: Code of each block; CURSOR for the one under the cursor.
        texts: Its number.
        width: Cells of a block.
        palette: The colours; a number has one that is readable on its block. None for numbers alone.
        style: Style of text without colours.
    """
    found = []
    for code, text in zip(codes, texts, strict=True):
        if palette is None:
            shown = style + Style(reverse=True) if code == CURSOR else style
        else:
            back = palette.of(code)
            shown = _style_of_text(max(WHITE, BLACK, key=lambda color: contrast(color, back)), back)
        found.append(Segment(text.center(width)[:width], shown))
    return found


@lru_cache(maxsize=1024)
def _style_of_text(front: ColorTriplet, back: ColorTriplet) -> Style:
    return Style(color=Color.from_triplet(front), bgcolor=Color.from_triplet(back))


@dataclass(frozen=True, slots=True)
class Legend:
    """The parts of the line that says what colours or signs mean."""

    low: str
    high: str
    """The ends of the scale as they are written."""
    signed: bool
    missing: int = 0
    """Number of missing values; their look is shown where there are any."""

    def segments(self, palette: Palette | None, text: Style) -> Line:
        """Draw the scale from its lower to its upper end, then the look of a missing value.

        Args:
            palette: The colours; None where signs are painted.
            text: Style of text.
        """
        missing = f"{self.missing:,} missing " if self.missing else ""
        if palette is None:
            above, below = f"0 ' ' {_ABOVE} {self.high}", f"{self.low} {_BELOW[::-1]} "
            return [Segment(f" {below if self.signed else ''}{above}  {'? ' if missing else ''}{missing} ", text)]
        scale = [
            Segment(" ", _style(palette, code, code)) for code in range(-STEPS if self.signed else 0, STEPS + 1, 2)
        ]
        middle = len(scale) // 2 if self.signed else 0
        if self.signed:
            scale[middle] = Segment("0", _style_of_text(palette.cursor, palette.zero))
        look = [Segment("  ", _style(palette, MISSING, MISSING)), Segment(f" {missing} ", text)] if missing else []
        return [Segment(f" {self.low} ", text), *scale, Segment(f" {self.high}  ", text), *look]
