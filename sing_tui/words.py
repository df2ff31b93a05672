"""Every number of one row in words: its value, how it is computed, what it means and does not mean, and where that is defined.

The texts stand in words.txt, one for each column of each table.
"""

import math
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.text import Text

from sing_compute.store import Column
from sing_tui.formats import Glyphs
from sing_tui.view import View

_WIDTH = 64
"""Cells of a line: a sheet on 80 columns holds it."""
_UNITS = {"degree": " degrees", "degree^2": " degrees squared", "count": " (a count)", "index": " (an index, from 0)"}
_ENDS = (("classes_low", "classes_high", "over classes"), ("low", "high", "over images"))


@dataclass(frozen=True, slots=True)
class Word:
    """What one column is; parts that have no meaning for it are empty."""

    formula: str = ""
    meaning: str = ""
    caution: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One column of one row."""

    column: Column
    value: str
    word: Word


@cache
def words() -> dict[tuple[str, str], Word]:
    """The texts by table and column."""
    parts = {"=": "formula", "+": "meaning", "-": "caution", "@": "source"}
    found: dict[tuple[str, str], dict[str, str]] = {}
    kind, current = "", {}
    text = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").replace("\n  ", " ")
    for line in text[text.index("[models]") :].splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line[:2] in ("= ", "+ ", "- ", "@ "):
            current[parts[line[0]]] = line[2:]
        elif line:
            current = {}
            found |= {(kind, name): current for name in line.split(", ")}
    return {key: Word(**fields) for key, fields in found.items()}


def told(view: View, line: int) -> list[Told]:
    """Every column of the row on a line of a view; the ends of intervals stand with their values.

    Raises:
        StoreError: The row cannot be read.
    """
    columns = {column.name: column for column in view.table.columns}
    row = view.order[line : line + 1]

    def value(column: Column) -> float:
        return float(column.values.take(row)[0])

    found = []
    ends: set[str] = set()
    for name, column in columns.items():
        if name in ends:
            continue
        if column.is_text:
            text = str(column.values.take(row)[0]) or "-"
        else:
            text = _number(value(column)) + _UNITS.get(column.unit, "")
            for low, high, over in _ENDS:
                pair = (f"{name}_{low}", f"{name}_{high}")
                if set(pair) <= columns.keys():
                    ends |= set(pair)
                    bounds = [value(columns[end]) for end in pair]
                    if not any(map(math.isnan, bounds)):
                        text += f", 95% interval {over} {_number(bounds[0])} to {_number(bounds[1])}"
        found.append(Told(column, text, words().get((view.table.kind, name), Word(meaning=column.description))))
    return found


def word_text(title: str, rows: list[Told], glyphs: Glyphs) -> Text:
    """One paragraph for each column."""
    text = Text()
    text.append(glyphs.text(title), style="bold")
    text.append(" in words    j k scroll, Esc closes\n")
    for row in rows:
        word = row.word
        text.append(f"\n{glyphs.text(row.column.title)}", style="bold")
        text.append(f"  {row.column.name}\n" if row.column.name != row.column.title else "\n")
        for line in textwrap.wrap(row.value, _WIDTH):
            text.append(f"  {glyphs.text(line)}\n", style="bold")
        source = f"Defined: {word.source}" if word.source else ""
        for part in (word.formula and f"= {word.formula}", word.meaning, word.caution, source):
            for line in textwrap.wrap(part, _WIDTH):
                text.append(f"  {glyphs.text(line)}\n")
    return text


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.6g}"
