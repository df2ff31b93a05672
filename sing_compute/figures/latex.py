"""A table as LaTeX with the lines of booktabs; all text is escaped, so that no name of a file is a command."""

import math
import re
from collections.abc import Sequence

import numpy as np

from sing_compute.formats import UNICODE, number_format
from sing_compute.store import Column, Table

_LONG = 40
"""Signs of a cell from which on its column is wrapped."""
_ROWS = 60
"""Rows written at most."""
_SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}",
    '"': r"{\char34}", "°": r"\textdegree{}", "∞": r"$\infty$", "…": r"\dots{}", "[": "{[}", "]": "{]}", "*": "{*}",
}  # fmt: skip
_POWER = re.compile(r"([-+]?[\d.]+)e([-+]\d+)")
_SIGN = re.compile("[" + re.escape("".join(_SIGNS)) + "]")


def latex_text(text: object) -> str:
    """Return any text as one harmless line of LaTeX."""
    return _SIGN.sub(lambda found: _SIGNS[found[0]], UNICODE.text(text))


def latex_table(table: Table, columns: Sequence[str]) -> str:
    """Return columns of a table as a `tabular` of booktabs, for an input command.

    Args:
        table: The table.
        columns: Names of its columns. Numbers that have a 95 % interval get it in brackets.

    Returns:
        The text, which ends with a line end.
    """
    chosen = [table.column(name) for name in columns]
    rows = range(min(table.length, _ROWS))
    cells = [_cells(table, column, len(rows)) for column in chosen]
    sides = "".join(
        _side(column, texts, first=number == 0)
        for number, (column, texts) in enumerate(zip(chosen, cells, strict=True))
    )
    lines = [
        "% \\usepackage{booktabs,textcomp}",
        f"\\begin{{tabular}}{{@{{}}{sides}@{{}}}}",
        "\\toprule",
        " & ".join(map(_title, chosen)) + r" \\",
        "\\midrule",
        *(" & ".join(column[row] for column in cells) + r" \\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    if table.length > _ROWS:
        lines.insert(0, f"% the first {_ROWS} of {table.length:,} rows; the CSV file has all of them")
    return "\n".join(lines) + "\n"


def _title(column: Column) -> str:
    unit = "" if column.is_text else number_format(column).unit
    return latex_text(column.title + (f" ({unit})" if unit else ""))


def _cells(table: Table, column: Column, count: int) -> list[str]:
    found = column.values.take(np.arange(count))
    if column.is_text:
        return [latex_text(cell) for cell in found]
    write = number_format(column).write
    lows, highs = (_bounds(table, f"{column.name}_{end}", count) for end in ("low", "high"))
    cells = []
    for value, low, high in zip(found, lows, highs, strict=True):
        interval = "" if math.isnan(low + high) else f" {{[}}{_number(write(low))}, {_number(write(high))}{{]}}"
        cells.append(_number(write(float(value))) + interval)
    return cells


def _bounds(table: Table, name: str, count: int) -> list[float]:
    """Return the ends of intervals from the column of this name; NaN where the table lacks it."""
    found = next((each for each in table.columns if each.name == name), None)
    return [math.nan] * count if found is None else [float(end) for end in found.values.take(np.arange(count))]


def _number(text: str) -> str:
    """Write a number with LaTeX's minus sign, and an en dash for no number."""
    if text == "-":
        return "--"
    if exponent := _POWER.fullmatch(text):
        return rf"${exponent[1]}\times10^{{{int(exponent[2])}}}$"
    return latex_text(text).replace("-", "$-$")


def _side(column: Column, cells: Sequence[str], *, first: bool) -> str:
    """Return the kind of a column: numbers to the right, text to the left; long text behind the first column is wrapped."""
    if not column.is_text:
        return "r"
    return r"p{.3\linewidth}" if not first and max(map(len, cells), default=0) > _LONG else "l"
