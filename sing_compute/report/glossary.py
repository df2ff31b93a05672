"""The numbers of a report in words: each column once, however many tables show it."""

from dataclasses import dataclass

from sing_compute.formats import number_format
from sing_compute.number_words import explanation_of
from sing_compute.store import Column
from sing_compute.store.definition import Explanation


@dataclass(frozen=True, slots=True)
class Entry:
    """One column in words."""

    id: str
    title: str
    name: str
    """Heading of the column in a CSV file."""
    unit: str
    words: Explanation


class Glossary:
    """The entries of one page, in the order in which its tables ask for them."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str, Explanation], Entry] = {}

    def entry(self, column: Column) -> Entry:
        """Return the entry of a column; columns with the same texts share one."""
        unit, words = "" if column.is_text else number_format(column).unit, explanation_of(column)
        new = Entry(f"word-{len(self._entries) + 1}", column.title, column.name, unit, words)
        return self._entries.setdefault((column.title, column.name, unit, words), new)

    @property
    def entries(self) -> list[Entry]:
        """All entries."""
        return list(self._entries.values())
