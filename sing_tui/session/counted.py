"""A place of counts: the rows of another table that pass a filter, counted by some of its columns. Data only."""

from dataclasses import dataclass

from sing_compute.store.definition import Axis, Column, TableSpec
from sing_compute.store.place import Place

COUNTS = "counts"
"""The built-in table of counts. Every catalog has it; the file does not."""
COUNTS_AXIS = Axis(COUNTS, "groups of rows that have the same values in the columns that are counted by")
COUNTS_SPEC = TableSpec(
    COUNTS,
    COUNTS,
    (),
    "count",
    (
        Column("count", "count", "count", role="count", unit="count", description="how many rows have these values"),
        Column("share", "share", "percent", role="share", unit="1", description="their share of the rows that are counted"),
    ),
    sort="count",
)  # fmt: skip


_NOWHERE = Place("")


@dataclass(frozen=True, slots=True)
class Counted(Place):
    """The rows of a place that pass a filter, counted by columns."""

    base: Place = _NOWHERE
    """The place whose rows are counted."""
    filter: str = ""
    """The filter that they pass."""
    by: tuple[str, ...] = ()
    """The columns: each is a name, or `name/width` for the bins of a number."""


def counted(base: Place, filter: str, by: tuple[str, ...]) -> Counted:
    """Return the place of the counts of a table's rows."""
    return Counted(COUNTS, base=base, filter=filter, by=by)


def base_of(place: Place) -> Place:
    """Return the place whose rows are counted; any other place itself."""
    return place.base if isinstance(place, Counted) else place
