"""Colours of charts: apart for colour-blind eyes, and readable on the background of any theme."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from rich.color import Color, ColorType, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.style import Style
from rich.text import Text

READABLE = 4.5
"""Least contrast of text and its background (WCAG 2.2, 1.4.3)."""
_HUES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#b8a200", "#8c8cff")
"""Okabe and Ito's colours, blue and orange first, yellow and grey replaced by two that are readable on white, too."""
WHITE, BLACK = ColorTriplet(255, 255, 255), ColorTriplet(0, 0, 0)
_TERMINAL = ("cyan", "yellow", "green", "magenta", "red", "blue")
READABLE_CSS = """
Input:ansi > .input--cursor { text-style: reverse; }
OptionList:focus { background-tint: transparent; }
OptionList > .option-list--option-highlighted { color: $background; background: $primary; }
OptionList:ansi > .option-list--option-highlighted { color: ansi_default; background: ansi_default; text-style: reverse; }
"""
"""Styles that make the text of Textual's own widgets readable: a cursor that is seen without colour, no faint highlight."""
_STEPS = 25
_MUTED = 0.35
_HEX = re.compile("#[0-9A-Fa-f]{6}")


@dataclass(frozen=True, slots=True)
class ChartColors:
    """Colours of what a chart shows, as rich names them; empty texts where there are none."""

    items: tuple[str, ...] = ("",)
    """Each item, or each part, has one; they begin again after the last."""

    def item(self, number: int) -> str:
        """Return the colour of the item of a number."""
        return self.items[number % len(self.items)]


PLAIN = ChartColors()


def chart_colors(base: Style) -> ChartColors:
    """Return colours for charts on a background.

    Args:
        base: Style of the text around the chart. If it has no background of its own, the terminal's colours are taken.
    """
    back = base.bgcolor
    if back is None or back.type is not ColorType.TRUECOLOR:
        return ChartColors(_TERMINAL)
    background = back.get_truecolor()
    return ChartColors(tuple(readable(Color.parse(hue).get_truecolor(), background).hex for hue in _HUES))


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: ColorTriplet) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def readable(color: ColorTriplet, *backgrounds: ColorTriplet, least: float = READABLE) -> ColorTriplet:
    """Return the colour nearest to a given one that is readable on all these backgrounds.

    Args:
        color: The wanted colour.
        backgrounds: All light or all dark.
        least: Least contrast.

    Returns:
        A lighter colour on dark backgrounds, a darker one on light backgrounds; white or black if no other is readable.
    """
    end = max(WHITE, BLACK, key=lambda end: min(contrast(end, background) for background in backgrounds))
    shares = (step / _STEPS for step in range(_STEPS + 1))
    blends = (blend_rgb(color, end, share) for share in shares)
    return next((one for one in blends if all(contrast(one, back) >= least for back in backgrounds)), end)


def readable_theme(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the colours of a theme, those of text changed where they are hard to read on the backgrounds that it is on.

    Args:
        variables: Colour by name, as Textual makes them of a theme; a colour is written #RRGGBB, or is no colour of this kind.

    Returns:
        The same names with a colour for each; unchanged for a theme of the terminal's own colours.
    """
    names = ("background", "surface", "panel", "foreground", "primary", "accent", "text-error")
    known = {name: _triplet(variables.get(name, "")) for name in names}
    if None in known.values():
        return dict(variables)
    colors = {name: color for name, color in known.items() if color is not None}
    behind = [colors[name] for name in ("background", "surface", "panel")]
    changed = {name: readable(colors[name], *behind) for name in ("foreground", "accent", "text-error")}
    muted = readable(blend_rgb(changed["foreground"], colors["surface"], _MUTED), *behind)
    cursor = readable(colors["primary"], *behind[:2])  # the text on it has the colour of the background
    changed |= {"text-muted": muted, "text-disabled": muted, "primary": cursor}
    for state in ("", "-blurred"):
        changed |= {f"block-cursor{state}-background": cursor, f"block-cursor{state}-foreground": behind[0]}
    return {**variables, **{name: color.hex for name, color in changed.items()}}


def _triplet(text: str) -> ColorTriplet | None:
    return ColorTriplet(*(int(text[k : k + 2], 16) for k in (1, 3, 5))) if _HEX.fullmatch(text) else None


def painted(text: str, start: int, styles: Mapping[str, str]) -> Text:
    """Return a line whose signs have colours.

    Args:
        text: The line.
        start: The first character that may have one: names in front of it may hold any sign.
        styles: Colour by sign.
    """
    line = Text(text, no_wrap=True)
    end = start
    for style, signs in groupby(text[start:], lambda sign: styles.get(sign, "")):
        begin, end = end, end + len(list(signs))
        if style:
            line.stylize(style, begin, end)
    return line
