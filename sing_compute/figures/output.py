"""Figures as SVG text for a page, and as bytes of PDF and PNG for print; the same numbers give the same bytes."""

import io
import re
from html import escape

from sing_compute.figures.drawing import Drawable, draw
from sing_compute.figures.style import WIDTHS, settings
from sing_compute.formats import UNICODE

DPI = 300
_PROLOG = re.compile(r"\A.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_ID = re.compile(r'(\bid="|url\(#|href="#)')
_NO_DATE = {"pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "png": {"Software": None}}


def svg_text(
    shape: Drawable, *, name: str, title: str, description: str, width: float = WIDTHS["page"]
) -> str:  # fmt: skip
    """Return a figure as an element of SVG, text as outlines, with title and text alternative.

    It refers to nothing outside of itself and holds no script. It can be put into a page of HTML, or be a file of its own.

    Args:
        shape: The numbers.
        name: A word of letters, digits and - that no other figure of the page has: all ids of the figure begin with it.
        title: Its title.
        description: Its most important numbers in words, for those who do not see it.
        width: mm.

    Returns:
        The element, which ends with a line end.
    """
    stream = io.StringIO()
    with settings():
        draw(shape, width).savefig(stream, format="svg", metadata={"Date": None})
    text = _METADATA.sub("", _PROLOG.sub("", stream.getvalue()))
    text = _ID.sub(lambda found: f"{found[1]}{name}-", text)
    text = text.replace("*{stroke", f"#{name}-figure_1 *{{stroke")  # a style of this figure alone
    said = f'<title id="{name}-title">{_said(title)}</title>\n <desc id="{name}-desc">{_said(description)}</desc>\n'
    opening, rest = text.split(">", 1)
    return f'{opening} role="img" aria-labelledby="{name}-title {name}-desc">\n {said}{rest.lstrip()}'


def _said(text: str) -> str:
    return escape(UNICODE.text(text))


def print_bytes(shape: Drawable, width: float) -> dict[str, bytes]:
    """Return a figure for print.

    Args:
        shape: The numbers.
        width: mm.

    Returns:
        The bytes of a PDF with embedded fonts, and of a PNG of 300 dots an inch, by ending.
    """
    written = {}
    with settings():
        figure = draw(shape, width)
        for ending, metadata in _NO_DATE.items():
            stream = io.BytesIO()
            figure.savefig(stream, format=ending, dpi=DPI, metadata=metadata)
            written[ending] = stream.getvalue()
    return written
