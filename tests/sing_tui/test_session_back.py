"""Back from place to place without a screen: what closes first, and where the table below follows to."""

from dataclasses import replace

import pytest
from catalogs import at, both, layers, place, sing
from sing_places import ALL_IMAGES, CLASSES, CONCEPT_ALONG, CONCEPTS, IMAGES, MODELS

from sing_compute.store.place import Comparison, Place
from sing_tui.session import CONTENTS, Refused, Session, Visit
from sing_tui.session.arranging import filter_by, mark, show_chart, show_details
from sing_tui.session.catalog import first_place
from sing_tui.session.moves import (
    back,
    go_along,
    go_to,
    next_subset,
    open_row,
    open_second,
    up,
)
from sing_tui.session.stack import leave_to, same_rows
from sing_tui.session.state import arrangement_at, at_cursor

# back


def test_escape_closes_one_layer_at_a_time() -> None:
    catalog = sing()
    session = filter_by(at(catalog, CONCEPTS, 3), catalog, "as > 0")
    session = session.now(
        replace(session.here, place=replace(CONCEPTS, comparison=Comparison("model", ("alpha", "beta"), "z")))
    )
    session = show_chart(session, "strings")
    seen = []
    for _ in range(5):
        session = back(session, catalog)
        here = session.here
        seen.append(
            (
                here.body,
                bool(arrangement_at(here, catalog.table(here.place.table)).filter),
                here.place.comparison is None,
                here.place.table,
            )
        )
    assert seen == [
        ("table", True, False, "concepts"),
        ("table", False, False, "concepts"),
        ("table", False, True, "concepts"),
        ("table", False, True, "classes"),
        ("table", False, True, "models"),
    ]
    with pytest.raises(Refused, match="this is the first table: Q quits"):
        back(session, catalog)


@pytest.mark.parametrize("start", [MODELS, CLASSES])
def test_backspace_closes_details_before_the_table(start: Place) -> None:
    session = show_details(at(sing(), start, 0), wide=False)
    closed = up(session, sing())
    assert (closed.place, closed.here.body) == (start, "table")


def test_the_first_table_stays_and_the_way_out_is_said() -> None:
    with pytest.raises(Refused, match="this is the first table: Q quits"):
        up(at(sing(), MODELS, 1), sing())


def test_a_filter_does_not_keep_backspace_from_the_table_below() -> None:
    session = filter_by(at(sing(), CONCEPTS, 0), sing(), "as > 0")
    assert up(session, sing()).place == CLASSES


@pytest.mark.parametrize(
    ("catalog", "below", "row", "gone", "after", "cursor"),
    [
        (sing(), MODELS, 0, place("classes", model="gamma"), MODELS, 2),
        (sing(), MODELS, 0, place("images", model="beta"), MODELS, 1),
        (sing(), CLASSES, 0, place("concepts", model="alpha", class_=2), CLASSES, 2),
        (sing(), CLASSES, 0, place("concepts", model="beta", class_=2), place("classes", model="beta"), 2),
        (sing(), CLASSES, 0, place("images", model="gamma", class_=1), place("classes", model="gamma"), 1),
        (sing(), CLASSES, 0, place("classes", along="model", class_=2), CLASSES, 2),
        (sing(), CONCEPTS, 7, place("concepts", along="class", model="alpha", concept=9), CONCEPTS, 9),
        (sing(), CONCEPTS, 7, place("concepts", along="class", model="beta", concept=9), CONCEPTS, 9),
        (sing(), CONCEPT_ALONG, 0, place("concepts", model="beta", class_=2), CONCEPT_ALONG, 2),
        (
            sing(),
            CONCEPT_ALONG,
            0,
            place("concepts", model="gamma", class_=2),
            place("concepts", along="class", model="gamma", concept=7),
            2,
        ),
        (sing(), CLASSES, 0, place("classes", model="beta"), CLASSES, 0),
        (sing(), CONCEPTS, 7, place("images", model="beta", class_=2), CONCEPTS, 7),
        (sing(), IMAGES, 5, place("concepts", along="class", model="alpha", concept=9), IMAGES, 5),
        (layers(), place("heads", layer=0), 0, place("vectors", layer=0, head=2), place("heads", layer=0), 2),
        (layers(), place("heads", layer=0), 0, place("vectors", layer=1, head=2), place("heads", layer=1), 2),
        (layers(), place("layers"), 0, place("heads", layer=2), place("layers"), 2),
    ],
)
def test_the_table_below_follows_where_the_user_went(catalog, below, row, gone, after, cursor) -> None:
    session = go_to(at(catalog, below, row), gone, None)
    back_again = up(session, catalog)
    assert (back_again.place, back_again.here.identity) == (after, cursor)


def test_the_cursor_below_stays_where_the_filter_hides_the_row_that_was_left() -> None:
    session = at(sing(), CLASSES, 0, shown=(0, 1))
    session = go_to(session, place("concepts", model="alpha", class_=2), None)
    assert up(session, sing()).here.identity == 0


def test_a_comparison_below_keeps_its_models_and_puts_the_one_that_was_left_first() -> None:
    compared = replace(CLASSES, comparison=Comparison("model", ("alpha", "beta"), "accuracy"))
    session = go_to(at(sing(), compared, 0), place("concepts", model="beta", class_=1), None)
    after = up(session, sing()).place
    assert after.comparison.items == ("beta", "alpha")
    assert after.name("model") == "beta"


def test_filter_sort_marks_and_body_below_are_as_they_were_left() -> None:
    catalog = sing()
    session = mark(at_cursor(filter_by(at(catalog, CLASSES), catalog, "as > 0"), identity=1, line=0))
    session = show_chart(session, "ratios")
    before = session.here
    assert up(open_row(session, catalog), catalog).here == before


# rows that mean the same


@pytest.mark.parametrize(
    ("catalog", "one", "other", "same"),
    [
        (sing(), CONCEPTS, place("concepts", model="beta", class_=2), True),
        (sing(), CLASSES, place("classes", model="beta", subset=1), True),
        (sing(), IMAGES, place("images", model="beta", class_=1), True),
        (sing(), IMAGES, place("images", model="alpha", class_=2), False),
        (sing(), IMAGES, ALL_IMAGES, False),
        (sing(), CONCEPTS, IMAGES, False),
        (sing(), CONCEPTS, CONCEPT_ALONG, False),
        (sing(), MODELS, replace(MODELS, comparison=Comparison("model", ("alpha", "beta"), "")), False),
        (sing(), CONCEPTS, replace(CONCEPTS, comparison=Comparison("model", ("alpha", "beta"), "z")), True),
        (layers(), place("words", layer=0, head=1), place("words", layer=2, head=0), True),
    ],
)
def test_rows_are_the_same_things_unless_they_belong_to_another_item(catalog, one, other, same) -> None:
    assert same_rows(one, other, catalog) is same


# several first tables


def test_a_file_with_one_first_table_opens_there() -> None:
    assert first_place(sing()) == MODELS
    assert first_place(layers()) == place("layers")


def test_a_file_with_several_first_tables_opens_at_their_list() -> None:
    catalog = both()
    assert first_place(catalog) == Place(CONTENTS)
    session = Session((Visit(first_place(catalog), identity=1),))
    assert open_row(session, catalog).place == place("layers")
    assert up(open_row(session, catalog), catalog).place == Place(CONTENTS)


def test_the_list_of_tables_has_no_second_table_no_subset_and_no_axis() -> None:
    session = Session((Visit(Place(CONTENTS), identity=0),))
    for act in (open_second, go_along, next_subset):
        with pytest.raises(Refused):
            act(session, both())


@pytest.mark.parametrize(
    ("depth", "tables"),
    [(0, ["models"]), (1, ["models", "classes"]), (2, ["models", "classes", "concepts"])],
)
def test_a_step_of_the_top_line_closes_the_tables_about_more_items(depth: int, tables: list[str]) -> None:
    catalog = sing()
    session = show_chart(at(catalog, CONCEPTS, 3), "strings")
    found = leave_to(session, catalog, depth)
    assert [visit.place.table for visit in found.visits] == tables
    assert found.here.body == "table"
