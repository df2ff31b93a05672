"""Reading for the screen in threads: tables, their order, words in them, details and charts. No Textual.

Every function may be called in a thread. `stop` returns True once a newer request has superseded this one.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sing_compute.errors import SingError
from sing_compute.formats import Glyphs
from sing_compute.store import Store
from sing_compute.store.columns import Loaded
from sing_compute.store.place import Place
from sing_tui.error_reporting import in_one_line
from sing_tui.filters import FilterError
from sing_tui.process import settle
from sing_tui.search import Stop, Superseded
from sing_tui.session.arranging import arrangement
from sing_tui.session.state import FILES, Arrangement, Session
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import View, arrange

if TYPE_CHECKING:
    from sing_compute.charts.registry import Chart
    from sing_tui.details import Detail


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TableRead:
    """A table that was read."""

    view: View | None
    """None where it could not be read."""
    note: str
    """The reason why it could not be read, or not be filtered or sorted as wanted; else empty."""
    session: Session | None = None
    """The session in this file, where another one was open before."""


def read_table(catalog: StoreCatalog, place: Place, wanted: Arrangement, stop: Stop) -> TableRead | None:
    """Read the table at a place, filtered and sorted; without filter or sort where these do not fit it.

    Args:
        catalog: The open file.
        place: The table.
        wanted: Filter and sort.
        stop: Returns True once the request is superseded.

    Returns:
        The table, or why there is none; None if the request is superseded.
    """
    try:
        table = catalog.open(place)
        try:
            return TableRead(arrange(table, wanted, stop), "")
        except Superseded:
            return None
        except FilterError as error:
            found = arrange(table, replace(wanted, filter=""), stop)
            return TableRead(found, f"filter dropped: {error}")
        except SingError as error:
            return TableRead(arrange(table, Arrangement(), stop), f"in the order of the file: {error}")
    except Superseded:
        return None
    except Exception as error:  # a reader that dies takes the screen with it; a damaged file must not
        return TableRead(None, in_one_line(error))


def read_after(before: StoreCatalog, catalog: StoreCatalog, session: Session, stop: Stop) -> TableRead | None:
    """Read the table of a session in a file that took the place of another one.

    Args:
        before: The file of before.
        catalog: The file that is open now.
        session: The state in the file of before.
        stop: Returns True once the request is superseded.

    Returns:
        The table, with the session in the new file; None if the request is superseded.
    """
    from sing_tui.session.following import follow_file

    try:
        followed, said = follow_file(session, before, catalog)
    except SingError as error:  # of a damaged file
        return TableRead(None, in_one_line(error))
    read = read_table(catalog, followed.place, arrangement(followed, catalog), stop)
    return None if read is None else replace(read, session=followed, note="; ".join(filter(None, (said, read.note))))


def arrange_again(view: View, wanted: Arrangement, stop: Stop | None = None) -> View | SingError | None:
    """Filter and sort an open table in another way; None if the request is superseded.

    An error is a result, not raised: the filter cannot be read, or the file is damaged.
    """
    try:
        return arrange(view.table, wanted, stop)
    except Superseded:
        return None
    except SingError as error:
        return error


def load_cells(parts: Sequence[Loaded]) -> None:
    """Load cells that are computed as a whole, which takes a while on a large table.

    Raises:
        SingError: The file is damaged.
    """
    for part in parts:
        part.cells  # noqa: B018


@dataclass(frozen=True, slots=True)
class DetailWanted:
    """The row and the chart that details are read for."""

    place: Place
    view: View
    line: int
    chart: str
    """Name of the chart that fills the screen; empty for the details of the row with its own chart."""
    identity: int | None
    """Position, on the axis of the rows, of the row that the chart is about."""


def read_detail(store: Store, wanted: DetailWanted, glyphs: Glyphs) -> "Detail":
    """Read the details of a row, or its chart; what keeps them from being read takes their place.

    Args:
        store: The open file.
        wanted: The row and the chart.
        glyphs: The signs of the screen.
    """
    from sing_tui.details import Detail, detail_of  # the first rows do not wait for it

    try:
        if not wanted.chart:
            return detail_of(store, wanted.place, wanted.view, wanted.line, glyphs)
        drawn = read_chart(store, wanted.place, wanted.chart, wanted.identity, glyphs)
        compared = wanted.place.comparison
        alone = f" ({compared.items[0]} alone)" if compared is not None and compared.axis == FILES else ""
        every = " All rows are drawn, whatever the filter." if wanted.view.arrangement.filter else ""
        return Detail(drawn.title + alone, reading=drawn.reading + every, shape=drawn.shape)
    except Exception as error:  # whatever a damaged file leads to is said in its place
        return Detail("details", reading=in_one_line(error))


def read_chart(store: Store, place: Place, name: str, identity: int | None, glyphs: Glyphs) -> "Chart":
    """Read one chart of a row; `identity` is the row's position on the axis of the rows.

    Raises:
        SingError: There is no such chart, or the file lacks what it shows.
    """
    from sing_compute.charts.registry import chart

    return chart(store, place, name, identity=identity, glyphs=glyphs)


def warm_up(catalog: StoreCatalog, stop: Stop, *, charts: bool, collector: bool) -> None:
    """Do what would keep a later key waiting.

    Args:
        catalog: The open file. Tables with one row for each item of a group, such as that of all models, are built from many
            small datasets: they are read once, because Backspace leads to them.
        stop: Returns True once the screen is gone.
        charts: Import what draws charts.
        collector: Let the process collect garbage as usual again.
    """
    if charts:
        import textual_plotext.plot  # noqa: F401
    for spec in catalog.tables():
        if catalog.axis(spec.rows).group and not spec.within and not stop():
            with suppress(SingError):  # it is said where the table is wanted
                catalog.open(Place(spec.name))
    if collector:
        settle()
