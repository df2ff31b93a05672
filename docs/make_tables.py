"""Writes the tables of docs/store.md from the schema and of docs/explorer.md from the keys: `python docs/make_tables.py`."""

from itertools import groupby
from pathlib import Path

from textual.binding import Binding

from sing_compute.store import catalogue
from sing_compute.store.definition import Analysis, Axis, Field
from sing_tui.actions import BINDINGS, ONLY_ON, key_name

STORE = Path(__file__).with_name("store.md")
EXPLORER = Path(__file__).with_name("explorer.md")
MARK = "<!-- tables: python docs/make_tables.py -->\n"


def row(field: Field) -> str:
    """One dataset as a line of a Markdown table."""
    meaning = field.description.replace("||", "‖").replace("|AS|", "abs AS")
    cells = (f"`{field.path}`", field.dtype, ", ".join(field.axes) or "-", field.unit, field.level, meaning)
    return f"| {' | '.join(cells)} |"


def axis_row(axis: Axis) -> str:
    """One axis as a line of a Markdown table."""
    return f"| {axis.name} | {axis.meaning} |"


def analysis_tables(analysis: Analysis) -> str:
    """The axes and datasets of one analysis, the datasets in a table for each group."""
    parts = [f"## {analysis.title[0].upper()}{analysis.title[1:]}"]
    if analysis.axes:
        parts.append("\n".join(["| axis | meaning |", "|---|---|", *map(axis_row, analysis.axes)]))
    for group, fields in groupby(analysis.fields, key=lambda field: field.path.rpartition("/")[0]):
        lines = [f"### `{group}`", "", "| path | type | axes | unit | | meaning |", "|---|---|---|---|---|---|"]
        parts.append("\n".join([*lines, *map(row, fields)]))
    return "\n\n".join(parts)


def store_tables() -> str:
    """The datasets of every analysis."""
    return "\n\n".join(analysis_tables(analysis) for analysis in catalogue.analyses())


def key_row(binding: Binding) -> str:
    """One action as a line of a Markdown table."""
    keys = " ".join(f"`{key_name(key)}`" for key in binding.key.split(","))
    tables = ", ".join(ONLY_ON.get(binding.action, ()))
    return f"| {keys} | {binding.description.replace('|', chr(92) + '|')} | {tables} | `{binding.id}` |"


def key_tables() -> str:
    """The keys of a table screen, grouped as in its help."""
    groups: dict[str, list[Binding]] = {}
    for binding in BINDINGS:
        groups.setdefault(binding.tooltip, []).append(binding)
    lines = ["| key | does | only on | name in `[keys]` |", "|---|---|---|---|"]
    for group, bindings in groups.items():
        lines += [f"| **{group}** | | | |", *map(key_row, bindings)]
    return "\n".join(lines)


def main() -> None:
    """Replace everything below the mark of each page."""
    for page, tables in ((STORE, store_tables()), (EXPLORER, key_tables())):
        text = page.read_text(encoding="utf-8").partition(MARK)[0]
        page.write_text(f"{text}{MARK}\n{tables}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
