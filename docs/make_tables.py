"""Writes the tables of docs/store.md from the schema: `python docs/make_tables.py`."""

from itertools import groupby
from pathlib import Path

from sing_compute.store.schema import FIELDS, Field

PAGE = Path(__file__).with_name("store.md")
MARK = "<!-- tables: python docs/make_tables.py -->\n"


def row(field: Field) -> str:
    """One dataset as a line of a Markdown table."""
    meaning = field.description.replace("||", "‖").replace("|AS|", "abs AS")
    cells = (f"`{field.path}`", field.dtype, ", ".join(field.axes) or "-", field.unit, field.level, meaning)
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Replace everything below the mark."""
    parts = []
    for group, fields in groupby(FIELDS.values(), key=lambda field: field.path.rpartition("/")[0]):
        lines = [f"### `{group}`", "", "| path | type | axes | unit | | meaning |", "|---|---|---|---|---|---|"]
        parts.append("\n".join([*lines, *map(row, fields)]))
    text = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(text + MARK + "\n" + "\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
