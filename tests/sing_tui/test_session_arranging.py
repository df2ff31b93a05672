"""Sort, filter, columns, marks, details, charts and typed text change the session in place, without a screen."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace

import pytest
from catalogs import at, layers, place, sing

from sing_compute.store.place import Comparison
from sing_tui.session import Refused, Visit
from sing_tui.session.arranging import (
    arrange_as,
    arrangement,
    chart_name,
    choosable_columns,
    choose_columns,
    clear_filter,
    close_body,
    filter_by,
    give_up_typing,
    look_for,
    mark,
    reverse_sort,
    show_chart,
    show_details,
    sort_by,
    start_typing,
    stop_typing,
    unmark,
    unsort,
    words_to_find,
)
from sing_tui.session.moves import go_along, open_row, open_second, up
from sing_tui.session.stack import enter
from sing_tui.session.state import Arrangement, at_cursor, columns_at

CATALOG = sing()
CLASSES = place("classes", model="alpha")
CONCEPTS = place("concepts", model="alpha", class_=1)


# sort and filter


@pytest.mark.parametrize(
    ("before", "column", "is_text", "after"),
    [
        (Arrangement(), "as", False, Arrangement("", "as", True)),
        (Arrangement(), "class", True, Arrangement("", "class", False)),
        (Arrangement("x", "as", True), "as", False, Arrangement("x", "as", False)),
        (Arrangement("x", "as", False), "as", False, Arrangement("x", "as", True)),
        (Arrangement("x", "class", False), "class", True, Arrangement("x", "class", True)),
        (Arrangement("x", "as", False), "is", False, Arrangement("x", "is", True)),
    ],
)
def test_a_column_sorts_and_the_same_column_once_more_reverses(before, column, is_text, after) -> None:
    session = arrange_as(at(CATALOG, CLASSES), before)
    assert arrangement(sort_by(session, CATALOG, column, is_text=is_text), CATALOG) == after


def test_reverse_turns_the_sort_and_keeps_the_filter() -> None:
    session = arrange_as(at(CATALOG, CLASSES), Arrangement("x", "as", True))
    assert arrangement(reverse_sort(session, CATALOG), CATALOG) == Arrangement("x", "as", False)


def test_reverse_is_refused_where_nothing_is_sorted() -> None:
    with pytest.raises(Refused, match=r"^nothing is sorted: choose a column with the arrow keys, then s$"):
        reverse_sort(at(CATALOG, CLASSES), CATALOG)


def test_the_order_of_the_file_keeps_the_filter() -> None:
    session = arrange_as(at(CATALOG, CONCEPTS), Arrangement("x", "as", True))
    assert arrangement(unsort(session, CATALOG), CATALOG) == Arrangement("x")


def test_a_filter_keeps_the_sort_and_loses_the_blanks_around_it() -> None:
    session = filter_by(at(CATALOG, CONCEPTS), CATALOG, "  as > 0 ")
    assert arrangement(session, CATALOG) == Arrangement("as > 0", "attribute_score_abs", True)
    assert arrangement(clear_filter(session, CATALOG), CATALOG) == Arrangement("", "attribute_score_abs", True)


@pytest.mark.parametrize(("line", "shown", "row"), [(4, range(9), 3), (0, range(9), None), (0, (3,), 3)])
def test_among_other_rows_the_cursor_stays_on_a_row_that_was_chosen(
    line: int, shown: Sequence[int], row: int | None
) -> None:
    session = at_cursor(filter_by(at(CATALOG, CONCEPTS), CATALOG, "x"), identity=3, line=line, shown=shown)
    for other in (filter_by(session, CATALOG, "as > 0"), clear_filter(session, CATALOG)):
        assert (other.here.identity, other.here.line) == (row, 0)
    assert filter_by(session, CATALOG, " x ") == session


def test_filter_and_sort_of_a_table_stay_while_the_other_table_is_shown_in_its_place() -> None:
    session = arrange_as(at(CATALOG, CONCEPTS), Arrangement("kind = colour", "z", False))
    swapped = open_second(session, CATALOG)
    assert arrangement(swapped, CATALOG) == Arrangement("", "image_score", True)
    assert arrangement(open_second(swapped, CATALOG), CATALOG) == Arrangement("kind = colour", "z", False)


def test_a_table_that_is_opened_again_is_not_filtered() -> None:
    session = filter_by(open_row(at(CATALOG, CLASSES), CATALOG), CATALOG, "as > 0")
    again = open_row(up(session, CATALOG), CATALOG)
    assert arrangement(again, CATALOG).filter == ""


# columns

EVERY = ("class", "as", "is", "accuracy")


def test_all_columns_are_painted_until_some_are_chosen() -> None:
    session = at(CATALOG, CLASSES)
    assert choosable_columns(session, EVERY) == EVERY
    chosen = choose_columns(session, {"is", "class"}, EVERY)
    assert columns_at(chosen) == ("class", "is")
    assert choosable_columns(chosen, EVERY) == ("class", "is")


def test_choosing_every_column_is_choosing_none() -> None:
    assert columns_at(choose_columns(at(CATALOG, CLASSES), EVERY, EVERY)) == ()


def test_chosen_columns_stay_with_the_kind_of_rows() -> None:
    session = choose_columns(at(CATALOG, CLASSES), {"class", "is"}, EVERY)
    inside = open_row(session, CATALOG)
    assert columns_at(inside) == ()
    assert columns_at(up(inside, CATALOG)) == ("class", "is")
    assert columns_at(go_along(session, CATALOG)) == ()
    of_another = open_row(up(up(inside, CATALOG), CATALOG), CATALOG)
    assert columns_at(of_another) == ("class", "is")


def test_a_comparison_paints_all_columns_and_none_can_be_chosen() -> None:
    session = choose_columns(at(CATALOG, CLASSES), {"class", "is"}, EVERY)
    compared = session.now(
        replace(session.here, place=replace(CLASSES, comparison=Comparison("model", ("alpha", "beta"), "is")))
    )
    assert columns_at(compared) == ()
    with pytest.raises(Refused, match=r"^these columns are compared side by side: = goes back to the plain table$"):
        choosable_columns(compared, EVERY)


@pytest.mark.parametrize(("to_top", "row"), [(True, (None, 0)), (False, (3, 5))])
def test_a_sort_goes_to_the_top_or_stays_on_the_row(to_top: bool, row: tuple[int | None, int]) -> None:
    session = at_cursor(at(CATALOG, CONCEPTS, 3), identity=3, line=5)
    found = sort_by(session, CATALOG, "z", is_text=False, to_top=to_top)
    assert (found.here.identity, found.here.line) == row
    back = reverse_sort(at_cursor(found, identity=3, line=5), CATALOG)
    assert (back.here.identity, back.here.line) == (None, 0)


# marks


def test_space_marks_and_unmarks_the_row_under_the_cursor() -> None:
    session = mark(at(CATALOG, CONCEPTS, 3))
    session = mark(at_cursor(session, identity=5, line=1))
    assert session.here.marks == (3, 5)
    assert mark(session).here.marks == (3,)
    assert unmark(session).here.marks == ()


def test_nothing_is_marked_where_there_is_no_row() -> None:
    with pytest.raises(Refused, match="no row here"):
        mark(at(CATALOG, CONCEPTS, None))


# details and charts


def test_on_a_wide_screen_details_go_round_next_to_the_table_alone_and_not_at_all() -> None:
    session = at(CATALOG, CLASSES)
    seen = []
    for _ in range(4):
        session = show_details(session, wide=True)
        seen.append((session.here.body, session.here.details))
    assert seen == [("details", True), ("table", False), ("table", True), ("details", True)]


def test_on_a_narrow_screen_details_come_and_go() -> None:
    session = at(CATALOG, CLASSES)
    seen = []
    for _ in range(3):
        session = show_details(session, wide=False)
        seen.append(session.here.body)
    assert seen == ["details", "table", "details"]


@pytest.mark.parametrize("wide", [True, False])
def test_details_take_the_place_of_a_chart(wide: bool) -> None:
    session = show_details(show_chart(at(CATALOG, CLASSES), "ratios"), wide=wide)
    assert session.here.chart == ""
    assert session.here.body == ("table" if wide else "details")


def test_a_chart_fills_the_screen_another_one_replaces_it_and_its_own_key_closes_it() -> None:
    session = show_chart(at(CATALOG, CLASSES), "ratios")
    assert (session.here.body, session.here.chart) == ("chart", "ratios")
    session = show_chart(session, "")
    assert (session.here.body, session.here.chart) == ("chart", "")
    session = show_chart(show_chart(session, "ratios"), "ratios")
    assert (session.here.body, session.here.chart) == ("table", "")


def test_closing_shows_the_table() -> None:
    session = show_chart(at(CATALOG, CLASSES), "ratios")
    assert close_body(session).here.body == "table"


@pytest.mark.parametrize(
    ("catalog", "start", "number", "name"),
    [
        (CATALOG, CLASSES, 1, "scatter"),
        (CATALOG, CONCEPTS, 7, "parts"),
        (layers(), place("vectors", layer=0, head=1), 2, "lengths"),
    ],
)
def test_number_keys_name_the_charts_of_the_table(catalog, start, number: int, name: str) -> None:
    assert chart_name(at(catalog, start), catalog, number) == name


@pytest.mark.parametrize(
    ("catalog", "start", "number"), [(CATALOG, CLASSES, 8), (layers(), place("layers"), 1), (CATALOG, CLASSES, 0)]
)
def test_a_number_without_chart_is_refused(catalog, start, number: int) -> None:
    with pytest.raises(Refused, match=f"^this table has no chart {number}$"):
        chart_name(at(catalog, start), catalog, number)


def test_a_table_opens_as_a_table_and_the_chart_below_is_still_there_afterwards() -> None:
    session = show_chart(at(CATALOG, CLASSES), "ratios")
    inside = open_row(session, CATALOG)
    assert inside.here.body == "table"
    assert up(inside, CATALOG).here.chart == "ratios"


# typing


def test_giving_up_a_filter_goes_back_to_filter_and_row_of_before() -> None:
    before = filter_by(at(CATALOG, CONCEPTS, 3), CATALOG, "as > 0")
    session = start_typing(before, CATALOG, "filter")
    session = at_cursor(filter_by(session, CATALOG, "zebra"), identity=None, line=0)
    assert give_up_typing(session) == before


@pytest.mark.parametrize(("line", "row"), [(4, 3), (0, None)])
def test_while_a_filter_is_typed_the_row_of_before_counts(line: int, row: int | None) -> None:
    session = start_typing(at_cursor(at(CATALOG, CONCEPTS), identity=3, line=line), CATALOG, "filter")
    for identity, letters in ((None, "i"), (7, "is"), (8, "is > 2")):
        session = at_cursor(filter_by(session, CATALOG, letters), identity=identity, line=2, shown=(identity,))
    assert filter_by(session, CATALOG, "is > 20").here.identity == row
    moved = at_cursor(session, identity=9, line=5)
    assert filter_by(moved, CATALOG, "is > 20").here.identity == 9
    assert give_up_typing(moved).here.identity == 3


def test_giving_up_a_search_goes_back_to_the_row_and_leaves_the_filter() -> None:
    before = at(CATALOG, CONCEPTS, 3)
    session = at_cursor(start_typing(before, CATALOG, "find"), identity=9, line=9)
    assert give_up_typing(session) == before


def test_what_was_typed_stays_once_it_is_taken() -> None:
    session = filter_by(start_typing(at(CATALOG, CONCEPTS), CATALOG, "filter"), CATALOG, "as > 0")
    taken = stop_typing(session)
    assert taken.typing is None
    assert arrangement(taken, CATALOG).filter == "as > 0"
    assert give_up_typing(taken) == taken


def test_words_that_were_looked_for_stay_with_their_table() -> None:
    session = look_for(at(CATALOG, CLASSES), " owl ")
    assert words_to_find(session) == "owl"
    with pytest.raises(Refused, match=r"^nothing was looked for yet: / starts$"):
        words_to_find(open_row(session, CATALOG))
    assert words_to_find(up(open_row(session, CATALOG), CATALOG)) == "owl"


# the state


def test_a_state_is_never_changed() -> None:
    session = at(CATALOG, CLASSES, 1)
    kept = replace(session)
    filter_by(mark(show_chart(session, "ratios")), CATALOG, "x")
    choose_columns(session, {"class"}, EVERY)
    enter(session, CONCEPTS)
    assert session == kept
    with pytest.raises(FrozenInstanceError):
        session.here.line = 3


def test_the_cursor_keeps_the_order_of_the_rows_until_another_one_is_given() -> None:
    session = at_cursor(at(CATALOG, CLASSES), identity=2, line=0, shown=(2, 1, 0))
    moved = at_cursor(session, identity=1, line=1)
    assert (moved.here.identity, moved.here.line, moved.here.shown) == (1, 1, (2, 1, 0))


def test_the_order_of_the_rows_makes_no_other_visit() -> None:
    assert Visit(CLASSES, shown=(1, 2)) == Visit(CLASSES)
