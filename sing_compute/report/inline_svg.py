"""A figure as SVG inside a page: no style of its own, so that the page's policy and colours hold, and each letter drawn once."""

import re
import xml.etree.ElementTree as ElementTree

from sing_compute.figures.drawing import Drawable
from sing_compute.figures.output import svg_text

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_LETTER = "scale(0.015625)"
"""matplotlib's transformation of the outline of a letter; nothing else has it."""
_LONG = re.compile(r"-?\d+\.\d{3,}")
_TRANSLATE = re.compile(r"translate\([^)]*\)")
_MOVE = re.compile(r"translate\(([-\d.]+)(?: 0)?\)")
ElementTree.register_namespace("", "http://www.w3.org/2000/svg")


class Letters:
    """The outlines of letters that the figures of one page share."""

    def __init__(self) -> None:
        self._outlines: dict[str, tuple[str, str]] = {}

    def add(self, font_and_code: str, outline: str) -> str:
        """Return the id of a letter; its outline is kept if it is new."""
        name = f"letter-{len(self._outlines)}"
        return self._outlines.setdefault(font_and_code, (name, outline))[0]

    def definitions(self) -> str:
        """Return an element with all letters, for the beginning of the page."""
        paths = "".join(
            f'<path id="{name}" d="{outline}" transform="{_LETTER}"/>' for name, outline in self._outlines.values()
        )
        return f'<svg class="letters" aria-hidden="true" width="0" height="0"><defs>{paths}</defs></svg>'


def inline_svg(shape: Drawable, letters: Letters, *, name: str, title: str, description: str, width: float) -> str:
    """Return a figure as an element of the page.

    Args:
        shape: The numbers.
        letters: The letters of the page; those of this figure are added.
        name: A word of letters, digits and - that no other figure of the page has: all ids of the figure begin with it.
        title: Its title.
        description: Its most important numbers in words.
        width: mm.

    Returns:
        The element. Its colours are presentation attributes, which the page's style can replace.
    """
    root = ElementTree.fromstring(svg_text(shape, name=name, title=title, description=description, width=width))
    known: dict[str, str] = {}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{_SVG}style":
                parent.remove(child)
            elif child.tag == f"{_SVG}path" and child.get("transform") == _LETTER:
                letter = child.get("id", "").removeprefix(f"{name}-")
                known[f"#{child.get('id')}"] = letters.add(letter, " ".join(child.get("d", "").split()))
                parent.remove(child)
    used = _references(root)
    for element in root.iter():
        _simplify(element, known, used, {f"{name}-title", f"{name}-desc"})
    _drop_empty(root)
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    return ElementTree.tostring(root, encoding="unicode")


def _references(root: ElementTree.Element) -> set[str]:
    found = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == _LINK:
                found.add(value[1:])
            elif "url(#" in value:
                found |= set(re.findall(r"url\(#([^)]+)\)", value))
    return found


def _simplify(element: ElementTree.Element, letters: dict[str, str], used: set[str], said: set[str]) -> None:
    """Write the styles of an element as attributes, and leave out what draws nothing."""
    at = element.attrib
    if "id" in at and at["id"] not in used | said:
        del at["id"]
    for rule in filter(None, map(str.strip, at.pop("style", "").split(";"))):
        key, _, value = rule.partition(":")
        at[key.strip()] = value.strip()
    link = at.pop(_LINK, "")
    if link:
        at["href"] = f"#{letters[link]}" if link in letters else link
        move = _MOVE.fullmatch(at.get("transform", "")) if link in letters else None
        if move:
            del at["transform"]
            at["x"] = move[1]
    for key in ("d", "x", "y"):
        if key in at:
            at[key] = _shorter(at[key])
    if "transform" in at:
        at["transform"] = _TRANSLATE.sub(lambda found: _shorter(found[0]), at["transform"])
    if element.tag not in (f"{_SVG}title", f"{_SVG}desc"):
        element.text = None
    element.tail = None


def _shorter(numbers: str) -> str:
    """Round numbers to hundredths of a point."""
    return _LONG.sub(lambda number: f"{float(number[0]):.2f}", " ".join(numbers.split()))


def _drop_empty(parent: ElementTree.Element) -> None:
    """Remove groups of nothing, and put the content of groups without attributes in their place."""
    for child in list(parent):
        _drop_empty(child)
        if child.tag in (f"{_SVG}g", f"{_SVG}defs") and not len(child):
            parent.remove(child)
        elif child.tag == f"{_SVG}g" and not child.attrib:
            place = list(parent).index(child)
            parent[place : place + 1] = list(child)
