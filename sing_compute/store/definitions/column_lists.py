"""Columns of stored figures, read from a list of them."""

from sing_compute.store.definition import Column, Explanation


def columns(text: str, *, group: str, source: str) -> tuple[Column, ...]:
    """Read columns of stored figures from a table, one a line; an indented line continues the one before.

    A line is `name | title | format | role | dataset | formula | meaning | caution`; `-` for an empty part.

    Args:
        text: The table.
        group: Path of the group that holds the datasets, with `/` at its end.
        source: Page that defines the figures.
    """
    found = []
    for line in text.replace("\n    ", " ").strip().splitlines():
        parts = line.split(" | ")
        name, title, format, role, dataset, formula, meaning, caution = ("" if part == "-" else part for part in parts)
        words = Explanation(formula, meaning, caution, source)
        found.append(Column(name, title, format, group + dataset, words, role=role))
    return tuple(found)
