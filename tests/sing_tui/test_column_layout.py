"""The columns of a table on the screen: values with their intervals, widths, headings."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from planted_numbers import write_planted
from stores import write_store
from strange_datasets import make_unreadable

from sing_compute.formats import ASCII, UNICODE
from sing_compute.store import Column, Comparison, Place, Store, Table, class_table, model_table, open_table
from sing_compute.store.columns import text_column
from sing_tui.session.catalog import CONTENTS_SPEC
from sing_tui.view import Arrangement, arrange
from sing_tui.widgets.column_widths import lay_out
from sing_tui.widgets.columns import CellText
from sing_tui.widgets.table_header import columns_in_sight


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_planted(tmp_path / "results.h5")


def test_a_cell_holds_the_value_and_its_interval(path: Path) -> None:
    with Store(path) as store:
        view = arrange(model_table(store), Arrangement())
        layouts = lay_out(view, UNICODE, 80)
        text = CellText(view, layouts, UNICODE)
        cells = {layout.column.name: text.cell(k, 0) for k, layout in enumerate(layouts)}
        widths = {layout.column.name: layout.width for layout in layouts}
    assert cells["image_score"].split() == ["11.70", "[", "9.25", "12.50]"]
    assert cells["attribute_score"].split() == ["-0.31", "[-0.40", "+0.22]"]
    assert not [name for name in cells if name.endswith(("_low", "_high"))]
    assert all(len(cell) == widths[name] for name, cell in cells.items())


def test_rows_without_interval_leave_its_place_blank(path: Path) -> None:
    with Store(path) as store:
        view = arrange(class_table(store, "alpha"), Arrangement())
        layouts = lay_out(view, UNICODE, 80)
        at = next(k for k, layout in enumerate(layouts) if layout.column.name == "image_score_q50")
        text = CellText(view, layouts, UNICODE)
        cat, owl = text.cell(at, 0), text.cell(at, 2)  # owl has one image
    assert "[" in cat
    assert len(cat) == len(owl)
    assert owl.strip() == f"{float(owl):.2f}"


def test_a_sort_by_an_end_marks_the_column_that_shows_it(path: Path) -> None:
    with Store(path) as store:
        view = arrange(model_table(store), Arrangement("", "image_score_low", True))
        layout = next(layout for layout in lay_out(view, ASCII, 80) if layout.holds("image_score_low"))
    assert layout.column.name == "image_score"
    assert layout.heading(0, "v", ASCII).split() == ["vIS", "[95%]"]


def test_the_filter_takes_the_ends_of_intervals(path: Path) -> None:
    with Store(path) as store:
        table = model_table(store)
        low = table.column("image_score_low").values.all()
        for text in ("image_score_low > 9.2", "is_low > 9.2", "IS_low > 9.2"):
            assert arrange(table, Arrangement(text)).order.tolist() == np.flatnonzero(low > 9.2).tolist()


def test_of_a_path_the_end_stays_in_sight_and_of_a_name_the_beginning(store: Store) -> None:
    view = arrange(open_table(store, Place.of("images", model="alpha", **{"class": 0})), Arrangement())
    layouts = [replace(lay_out(view, ASCII, 80)[0], width=12)]
    text = CellText(view, layouts, ASCII)
    keys = store.array("images/key")
    assert [text.cell(0, line) for line in range(3)] == [f"~{key[-11:]}" for key in keys[:3]]
    named = arrange(open_table(store, Place.of("concepts", model="alpha", **{"class": 0})), Arrangement())
    narrow = replace(lay_out(named, ASCII, 80)[0], width=5)
    assert CellText(named, [narrow], ASCII).cell(0, 0) == "conc~"


@pytest.mark.parametrize("room", [80, 200])
def test_compared_columns_have_little_room_for_names_and_intervals_only_where_it_is_wide(path: Path, room: int) -> None:
    place = Place(
        "classes", (("model", "alpha"),), comparison=Comparison("model", ("alpha", "beta"), "image_score_q50")
    )
    with Store(path) as store:
        layouts = lay_out(arrange(open_table(store, place), Arrangement()), UNICODE, room)
    shown = [layout.column.name for layout in layouts]
    assert "image_score_q50.beta" in shown
    assert "image_score_q50.beta.difference" in shown
    value = layouts[shown.index("image_score_q50.alpha")]
    assert (value.ends is not None) == (room == 200)
    assert layouts[shown.index("image_score_q50.beta.rank_change")].width <= 12


def test_chosen_columns_follow_the_first(path: Path) -> None:
    with Store(path) as store:
        layouts = lay_out(arrange(model_table(store), Arrangement()), UNICODE, 80, ("nullity", "accuracy"))
    assert [layout.column.name for layout in layouts] == ["model", "accuracy", "nullity"]


def test_cells_that_cannot_be_read_show_a_dash_and_the_problem(path: Path) -> None:
    make_unreadable(path, "models/alpha/images/confidence")
    with Store(path) as store:
        view = arrange(open_table(store, Place.of("images", model="alpha")), Arrangement())
        layouts = lay_out(view, ASCII, 80)
        text = CellText(view, layouts, ASCII)
        at = [layout.column.name for layout in layouts].index("confidence")
        assert text.cell(at, 0).strip() == "-"
        assert "confidence" in text.problem


def test_few_columns_of_text_share_the_room_and_many_get_a_fifth_each() -> None:
    def text(name: str) -> Column:
        return text_column(name, name, "", np.array(["x" * 60]))

    def widths(count: int) -> list[int]:
        table = Table(CONTENTS_SPEC, [text(f"c{k}") for k in range(count)], 1, None, {}, "contents")
        return [layout.width for layout in lay_out(arrange(table, Arrangement()), UNICODE, 80)]

    assert widths(3) == [25, 25, 25]  # the mark in front and two gaps take the other five cells
    assert widths(5) == [26, 24, 23, 16, 16]  # three are in sight, and leave no cell beside a cut text


@pytest.mark.parametrize(("table", "figures"), [("models", 3), ("classes", 3), ("concepts", 3), ("images", 3)])
def test_three_figures_with_their_intervals_are_in_sight_at_80_cells_whatever_the_names(
    tmp_path: Path, table: str, figures: int
) -> None:
    names = (
        "a dog of a breed with a very long name indeed",
        "swin_large_patch4_window7_224.ms_in22k",
        "owl",
        "x" * 255,
    )
    path = write_store(tmp_path / "long.h5", class_names=names, models=("vit_" + "large_" * 9, "b"))
    with Store(path) as store:
        keys = {} if table == "models" else {"model": "b"} | ({"class": 0} if table == "concepts" else {})
        view = arrange(open_table(store, Place.of(table, **keys)), Arrangement())
        layouts = lay_out(view, UNICODE, 80)
    shown = [layouts[k] for k in columns_in_sight(layouts, 1, 80)]
    values = [layout for layout in shown if layout.number is not None and layout.column.role in ("value", "share")]
    assert len(values) >= figures
    assert all(layout.ends is not None or layout.column.interval is None for layout in values)
    cut = [layout for layout in shown if layout.width < layout.natural]
    used = 1 + sum(layout.width for layout in shown) + 2 * len(shown)
    assert used >= 80 or not cut  # no text is cut beside free cells
    assert used <= 80


def test_headings_are_whole_where_no_row_has_an_interval(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/classes/interval"][...] = np.nan
    with Store(path) as store:
        layouts = lay_out(arrange(class_table(store, "alpha"), Arrangement()), UNICODE, 80)
    assert any(layout.ends is not None and layout.parts[1] == 0 for layout in layouts)
    assert not [text for layout in layouts if UNICODE.ellipsis in (text := layout.heading(0, "", UNICODE))]
