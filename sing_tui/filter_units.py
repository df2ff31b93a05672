"""Compare units in a filter: a number that cannot be meant in the unit of its column is refused, a doubtful one is noted."""

from dataclasses import dataclass, field
from typing import Any

from sing_compute.store import Column
from sing_tui.filter_reader import FilterError

Numbers = Any
"""A column's numbers or one number."""


@dataclass(slots=True)
class Side:
    """One side of a comparison of numbers."""

    start: int
    """Place of its first character."""
    value: Numbers = None
    columns: list[Column] = field(default_factory=list)
    numbers: list[tuple[float, bool]] = field(default_factory=list)
    """The numbers in it, each with True where it has a %."""

    @property
    def bare(self) -> float | None:
        """The number that it is, without %; None for anything else."""
        return self.numbers[0][0] if len(self.numbers) == 1 and not self.columns and not self.numbers[0][1] else None


def check_units(side: Side, other: Side, operator: str) -> list[str]:
    """Check the numbers of one side against the columns of the other one.

    Args:
        side: A side; without columns nothing is checked.
        other: The side whose numbers are checked.
        operator: The comparison between them.

    Returns:
        How a number was understood that could be meant otherwise.

    Raises:
        FilterError: A number cannot be meant in the unit of the columns.
    """
    if not side.columns or other.columns or not other.numbers:
        return []
    column, bare = side.columns[0], other.bare
    share = len(side.columns) == 1 and column.format == "percent"
    if column.unit != "1" and any(percent for _, percent in other.numbers):
        unit = "a count" if column.unit in ("count", "index") else f"in {column.unit}s"
        raise FilterError(f"{column.name} is {unit}: a number with % does not fit it", other.start)
    notes = []
    if bare is not None and share and not side.numbers:
        if abs(bare) > 1:
            raise FilterError(f"{column.name} is a share of 1: write {bare:g}% or {bare / 100:g}", other.start)
        if 0 < abs(bare) < 1:
            notes.append(f"{bare:g} is read as {bare * 100:g}%")
    if bare is not None and operator in ("=", "==", "!=") and not bare.is_integer():
        notes.append(f"{column.name} is rounded on the screen, {operator} asks for exactly {bare:g}")
    return notes
