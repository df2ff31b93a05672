"""Writes the tables of docs/store.md from the schema and of docs/explorer.md from the keys: `python docs/make_tables.py`."""

from itertools import groupby
from pathlib import Path

from textual.binding import Binding

from sing_compute.store.schema import FIELDS, Field
from sing_tui.actions import BINDINGS, ONLY_ON, key_name

STORE = Path(__file__).with_name("store.md")
EXPLORER = Path(__file__).with_name("explorer.md")
MARK = "<!-- tables: python docs/make_tables.py -->\n"


def row(field: Field) -> str:
    """One dataset as a line of a Markdown table."""
    meaning = field.description.replace("||", "‖").replace("|AS|", "abs AS")
    cells = (f"`{field.path}`", field.dtype, ", ".join(field.axes) or "-", field.unit, field.level, meaning)
    return f"| {' | '.join(cells)} |"


def store_tables() -> str:
    """The datasets, a table for each group."""
    parts = []
    for group, fields in groupby(FIELDS.values(), key=lambda field: field.path.rpartition("/")[0]):
        lines = [f"### `{group}`", "", "| path | type | axes | unit | | meaning |", "|---|---|---|---|---|---|"]
        parts.append("\n".join([*lines, *map(row, fields)]))
    return "\n\n".join(parts)


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
