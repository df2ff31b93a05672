"""From place to place without a screen: open a row, the other table, along an axis, the next subset."""

from dataclasses import replace
from functools import partial

import pytest
from catalogs import at, layers, place, sing, sing_in_words
from sing_places import ALL_IMAGES, CLASSES, CONCEPT_ALONG, CONCEPTS, IMAGES, MODELS

from sing_compute.store.place import Comparison, Place
from sing_tui.session import Refused
from sing_tui.session.arranging import mark
from sing_tui.session.moves import (
    further_table,
    go_along,
    next_subset,
    open_further,
    open_row,
    open_second,
)
from sing_tui.session.state import Arrangement, arrangement_at

CLASS_ALONG = place("classes", along="model", class_=1)


# open a row


@pytest.mark.parametrize(
    ("start", "row", "there"),
    [
        (MODELS, 1, place("classes", model="beta")),
        (CLASSES, 2, place("concepts", model="alpha", class_=2)),
        (place("classes", model="beta", subset=2), 0, place("concepts", model="beta", class_=0)),
        (CLASS_ALONG, 2, place("concepts", model="gamma", class_=1)),
        (CONCEPT_ALONG, 2, place("concepts", model="beta", class_=2)),
    ],
)
def test_enter_opens_the_table_about_the_row(start: Place, row: int, there: Place) -> None:
    session = open_row(at(sing(), start, row), sing())
    assert session.place == there
    assert session.below.place == start
    assert session.below.identity == row


@pytest.mark.parametrize(
    ("start", "row", "there"),
    [
        (place("layers"), 2, place("heads", layer=2)),
        (place("heads", layer=2), 1, place("vectors", layer=2, head=1)),
        (place("heads", along="layer", head=1), 0, place("vectors", layer=0, head=1)),
        (place("vectors", along="head", layer=1, vector=4), 2, place("vectors", layer=1, head=2)),
    ],
)
def test_enter_opens_the_table_about_the_row_of_an_unknown_analysis(start: Place, row: int, there: Place) -> None:
    assert open_row(at(layers(), start, row), layers()).place == there


@pytest.mark.parametrize("start", [CONCEPTS, IMAGES, ALL_IMAGES, place("concepts", model="beta", class_=0)])
def test_enter_shows_the_details_of_a_row_that_leads_nowhere(start: Place) -> None:
    session = open_row(at(sing(), start, 3), sing())
    assert (session.place, session.here.body) == (start, "details")


def test_enter_shows_the_details_of_a_figure() -> None:
    figures = replace(MODELS, comparison=Comparison("model", ("alpha", "beta"), ""))
    session = open_row(at(sing(), figures, 4), sing())
    assert (session.place, session.here.body) == (figures, "details")


@pytest.mark.parametrize("start", [MODELS, CLASSES, CONCEPTS])
def test_enter_says_that_there_is_no_row(start: Place) -> None:
    with pytest.raises(Refused, match="no row here"):
        open_row(at(sing(), start, None), sing())


def test_enter_on_one_item_in_all_others_puts_the_cursor_on_it() -> None:
    assert open_row(at(sing(), CONCEPT_ALONG, 2), sing()).here.identity == 7
    assert open_row(at(layers(), place("vectors", along="head", layer=1, vector=4), 2), layers()).here.identity == 4


def test_enter_in_a_comparison_opens_the_row_of_the_first_item() -> None:
    compared = replace(
        place("classes", model="beta"), comparison=Comparison("model", ("beta", "alpha"), "image_score_q50")
    )
    assert open_row(at(sing(), compared, 2), sing()).place == place("concepts", model="beta", class_=2)


def test_a_table_opens_with_its_declared_sort_and_nothing_filtered() -> None:
    session = open_row(at(sing(), CLASSES, 0), sing())
    spec = sing().table("concepts")
    assert arrangement_at(session.here, spec) == Arrangement(sort="attribute_score_abs", descending=True)
    upward = open_row(at(layers(), place("layers"), 0), layers())
    assert arrangement_at(upward.here, layers().table("heads")) == Arrangement(sort="strength", descending=False)


def test_enter_opens_a_table_that_the_file_does_not_hold_so_that_it_can_say_why() -> None:
    bare = sing(absent=frozenset({"concepts"}))
    assert open_row(at(bare, CLASSES, 0), bare).place == place("concepts", model="alpha", class_=0)


# the second table


@pytest.mark.parametrize(
    ("start", "row", "there"),
    [
        (MODELS, 1, place("images", model="beta")),
        (CLASSES, 2, place("images", model="alpha", class_=2)),
        (CLASS_ALONG, 1, place("images", model="beta", class_=1)),
        (CONCEPT_ALONG, 0, place("images", model="beta", class_=0)),
    ],
)
def test_i_opens_the_second_table_about_the_row(start: Place, row: int, there: Place) -> None:
    session = open_second(at(sing(), start, row), sing())
    assert (session.place, session.below.place) == (there, start)


@pytest.mark.parametrize(
    ("catalog", "start", "there"),
    [
        (sing(), CONCEPTS, IMAGES),
        (sing(), IMAGES, CONCEPTS),
        (layers(), place("vectors", layer=1, head=2), place("words", layer=1, head=2)),
        (layers(), place("words", layer=1, head=2), place("vectors", layer=1, head=2)),
    ],
)
def test_i_puts_the_other_table_about_the_same_items_in_place(catalog, start: Place, there: Place) -> None:
    before = at(catalog, start, 3)
    session = open_second(before, catalog)
    assert session.place == there
    assert len(session.visits) == len(before.visits)
    assert (session.here.identity, session.here.line) == (None, 0)


def test_i_leaves_a_comparison_for_the_plain_other_table() -> None:
    compared = replace(CONCEPTS, comparison=Comparison("model", ("alpha", "beta"), "z"))
    assert open_second(at(sing(), compared, 3), sing()).place == IMAGES


def test_i_says_why_there_are_no_concepts_of_all_images() -> None:
    with pytest.raises(Refused, match=r"^concepts are shown for one class: go back and open a class$"):
        open_second(at(sing(), ALL_IMAGES, 3), sing())


def test_i_on_figures_says_that_they_are_of_models() -> None:
    figures = replace(MODELS, comparison=Comparison("model", ("alpha", "beta"), ""))
    with pytest.raises(Refused, match=r"^these are figures of models: go back and open one$"):
        open_second(at(sing(), figures, 0), sing())


def test_i_is_refused_where_rows_lead_to_one_table() -> None:
    with pytest.raises(Refused, match="layers lead to no second table"):
        open_second(at(layers(), place("layers"), 0), layers())


def test_marks_go_with_the_rows_that_they_were_of() -> None:
    session = mark(at(sing(), CONCEPTS, 3))
    assert open_second(session, sing()).here.marks == ()


# the third table


WORDS = place("null_directions", model="alpha", class_=1)


@pytest.mark.parametrize(
    ("start", "row", "there"),
    [
        (MODELS, 1, place("null_modes", model="beta")),
        (CLASSES, 2, place("null_directions", model="alpha", class_=2)),
        (CLASS_ALONG, 2, place("null_directions", model="gamma", class_=1)),
    ],
)
def test_capital_i_opens_the_third_table_and_the_other_keys_what_they_always_do(
    start: Place, row: int, there: Place
) -> None:
    catalog = sing_in_words()
    session = at(catalog, start, row)
    assert open_further(session, catalog, 1).place == there
    assert open_further(session, catalog, 1).below.place == start
    assert open_row(session, catalog).place == open_row(session, sing()).place
    assert open_second(session, catalog).place == open_second(session, sing()).place


def test_concepts_images_and_null_directions_of_a_class_replace_each_other() -> None:
    catalog = sing_in_words()
    assert place("null_directions", **dict(CONCEPTS.keys)) == WORDS
    for start, second, third in ((CONCEPTS, IMAGES, WORDS), (IMAGES, CONCEPTS, WORDS), (WORDS, CONCEPTS, IMAGES)):
        session = at(catalog, start, 1)
        for move, there in ((open_second, second), (partial(open_further, number=1), third)):
            moved = move(session, catalog)
            assert moved.place == there
            assert len(moved.visits) == len(session.visits)


@pytest.mark.parametrize("start", [MODELS, CLASSES, CONCEPTS, IMAGES])
def test_capital_i_is_not_offered_by_a_file_without_null_directions_in_words(start: Place) -> None:
    catalog = sing_in_words(absent=frozenset({"null_directions", "null_modes", "null_words"}))
    assert further_table(catalog, start, 1) is None
    with pytest.raises(Refused, match="lead to no third table"):
        open_further(at(catalog, start, 1), catalog, 1)


# along an axis


@pytest.mark.parametrize(
    ("catalog", "start", "row", "there", "cursor"),
    [
        (sing(), place("classes", model="beta"), 2, place("classes", along="model", class_=2), 1),
        (
            sing(),
            place("classes", model="beta", subset=3),
            2,
            place("classes", along="model", class_=2, subset=3),
            1,
        ),
        (sing(), CONCEPTS, 7, place("concepts", along="class", model="alpha", concept=7), 1),
        (layers(), place("heads", layer=2), 1, place("heads", along="layer", head=1), 2),
        (layers(), place("vectors", layer=2, head=1), 4, place("vectors", along="head", layer=2, vector=4), 1),
    ],
)
def test_a_shows_the_row_once_for_each_item_of_the_last_axis(catalog, start, row, there, cursor) -> None:
    session = go_along(at(catalog, start, row), catalog)
    assert (session.place, session.here.identity) == (there, cursor)


@pytest.mark.parametrize(
    ("catalog", "start", "row", "there", "cursor"),
    [
        (sing(), CONCEPT_ALONG, 2, place("concepts", model="beta", class_=2), 7),
        (sing(), CLASS_ALONG, 2, place("classes", model="gamma"), 1),
        (layers(), place("heads", along="layer", head=1), 0, place("heads", layer=0), 1),
    ],
)
def test_a_once_more_opens_the_rows_own_table_with_the_cursor_on_the_item(catalog, start, row, there, cursor) -> None:
    session = go_along(at(catalog, start, row), catalog)
    assert (session.place, session.here.identity) == (there, cursor)


def test_a_in_a_comparison_shows_the_row_along_the_axis_of_the_plain_table() -> None:
    compared = replace(CLASSES, comparison=Comparison("model", ("alpha", "beta"), "accuracy"))
    assert go_along(at(sing(), compared, 2), sing()).place == place("classes", along="model", class_=2)


@pytest.mark.parametrize("start", [MODELS, place("models")])
def test_a_is_refused_where_a_place_has_no_axis(start: Place) -> None:
    with pytest.raises(Refused, match="belong to one place alone"):
        go_along(at(sing(), start, 0), sing())


def test_one_row_along_an_axis_is_shown_in_the_order_of_the_file() -> None:
    session = go_along(at(sing(), CONCEPTS, 7), sing())
    assert arrangement_at(session.here, sing().table("concepts")) == Arrangement()


# subsets


def test_v_goes_round_through_the_subsets_and_the_first_one_is_not_named() -> None:
    session = at(sing(), CLASSES, 2)
    seen = []
    for _ in range(4):
        session = next_subset(session, sing())
        seen.append(session.place.index("subset"))
        assert session.here.identity == 2
    assert seen == [1, 2, 3, None]


@pytest.mark.parametrize("start", [MODELS, CONCEPTS])
def test_v_is_refused_where_a_table_has_no_subsets(start: Place) -> None:
    with pytest.raises(Refused, match="no subsets"):
        next_subset(at(sing(), start, 0), sing())
