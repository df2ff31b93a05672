"""The next item of an axis in place, without a screen."""

from dataclasses import replace

import pytest
from catalogs import at, layers, place, sing

from sing_compute.store.place import Comparison, Place
from sing_tui.session import Refused
from sing_tui.session.arranging import arrange_as, mark
from sing_tui.session.moves import step, stepped_axis
from sing_tui.session.state import Arrangement, arrangement_at

CLASSES = place("classes", model="alpha")
CONCEPTS = place("concepts", model="alpha", class_=1)
IMAGES = place("images", model="alpha", class_=1)


@pytest.mark.parametrize(
    ("catalog", "start", "last", "first", "row"),
    [
        (sing(), place("models"), None, None, None),
        (sing(), CLASSES, None, "model", None),
        (sing(), CONCEPTS, "class", "model", None),
        (sing(), IMAGES, "class", "model", None),
        (sing(), place("images", model="alpha"), "class", "model", None),
        (sing(), place("classes", along="model", class_=1), "class", None, "class"),
        (sing(), place("concepts", along="class", model="alpha", concept=2), "concept", "model", "concept"),
        (layers(), place("layers"), None, None, None),
        (layers(), place("heads", layer=0), "layer", None, None),
        (layers(), place("vectors", layer=0, head=1), "head", "layer", None),
        (layers(), place("heads", along="layer", head=1), "head", None, "head"),
        (layers(), place("vectors", along="head", layer=0, vector=3), "layer", None, "vector"),
    ],
)
def test_each_pair_of_keys_steps_an_axis_of_the_place(catalog, start, last, first, row) -> None:
    assert stepped_axis(catalog, start, "last") == last
    assert stepped_axis(catalog, start, "first") == first
    assert stepped_axis(catalog, start, "row") == row


@pytest.mark.parametrize(
    ("start", "which", "by", "there"),
    [
        (CONCEPTS, "last", 1, place("concepts", model="alpha", class_=2)),
        (CONCEPTS, "last", -1, place("concepts", model="alpha", class_=0)),
        (CONCEPTS, "first", 1, place("concepts", model="beta", class_=1)),
        (CONCEPTS, "first", -1, place("concepts", model="gamma", class_=1)),
        (CLASSES, "first", 1, place("classes", model="beta")),
        (place("classes", model="gamma", subset=2), "first", 1, place("classes", model="alpha", subset=2)),
        (IMAGES, "last", 1, place("images", model="alpha", class_=2)),
        (place("classes", along="model", class_=0), "last", 1, place("classes", along="model", class_=1)),
        (
            place("concepts", along="class", model="alpha", concept=2),
            "row",
            1,
            place("concepts", along="class", model="alpha", concept=3),
        ),
        (
            place("concepts", along="class", model="alpha", concept=2),
            "first",
            -1,
            place("concepts", along="class", model="gamma", concept=2),
        ),
    ],
)
def test_a_step_shows_the_neighbour_in_place(start: Place, which: str, by: int, there: Place) -> None:
    before = at(sing(), start)
    session = step(before, sing(), which, by)
    assert session.place == there
    assert len(session.visits) == len(before.visits)


@pytest.mark.parametrize(
    ("start", "which", "by", "there"),
    [
        (place("vectors", layer=0, head=1), "last", 1, place("vectors", layer=0, head=2)),
        (place("vectors", layer=0, head=1), "first", 1, place("vectors", layer=1, head=1)),
        (place("heads", layer=2), "last", -1, place("heads", layer=1)),
        (
            place("vectors", along="head", layer=0, vector=3),
            "row",
            1,
            place("vectors", along="head", layer=0, vector=4),
        ),
        (
            place("vectors", along="head", layer=0, vector=3),
            "last",
            1,
            place("vectors", along="head", layer=1, vector=3),
        ),
    ],
)
def test_a_step_shows_the_neighbour_of_an_unknown_analysis(start: Place, which: str, by: int, there: Place) -> None:
    assert step(at(layers(), start), layers(), which, by).place == there


@pytest.mark.parametrize(
    ("catalog", "start", "which", "by", "words"),
    [
        (sing(), place("concepts", model="alpha", class_=2), "last", 1, "this is the last class"),
        (sing(), place("concepts", model="alpha", class_=0), "last", -1, "this is the first class"),
        (
            sing(),
            place("images", model="alpha"),
            "last",
            1,
            "this table is of all classes: there is no next class",
        ),
        (
            sing(),
            place("concepts", along="class", model="alpha", concept=23),
            "row",
            1,
            "this is the last concept",
        ),
        (
            sing(),
            place("concepts", along="class", model="alpha", concept=0),
            "row",
            -1,
            "this is the first concept",
        ),
        (sing(models=("alpha",)), CONCEPTS, "first", 1, "this file holds one model"),
        (layers(), place("vectors", layer=0, head=2), "last", 1, "this is the last head"),
        (layers(), place("vectors", layer=2, head=0), "first", 1, "this is the last layer"),
        (sing(), place("models"), "last", 1, "there is nothing to step through here"),
        (layers(), place("layers"), "first", 1, "there is nothing to step through here"),
    ],
)
def test_a_step_that_is_not_possible_says_why(catalog, start, which, by, words) -> None:
    session = at(catalog, start)
    with pytest.raises(Refused) as refused:
        step(session, catalog, which, by)
    assert str(refused.value) == words


def test_items_without_rows_are_passed_over() -> None:
    catalog = sing(without_rows={"class": frozenset({1, 3})})
    session = step(at(catalog, place("concepts", model="alpha", class_=0)), catalog, "last", 1)
    assert session.place.index("class") == 2


@pytest.mark.parametrize(("by", "expected"), [(1, 0), (-1, 2)])
def test_neighbours_are_those_of_the_table_below_in_its_order(by: int, expected: int) -> None:
    session = at(sing(), CONCEPTS)
    below = replace(session.below, shown=(2, 1, 0))
    session = replace(session, visits=(session.visits[0], below, session.here))
    assert step(session, sing(), "last", by).place.index("class") == expected


@pytest.mark.parametrize("shown", [(2, 0), ()])
def test_neighbours_are_those_of_the_file_where_the_table_below_does_not_show_the_item(shown: tuple[int, ...]) -> None:
    session = at(sing(), CONCEPTS)
    session = replace(session, visits=(session.visits[0], replace(session.below, shown=shown), session.here))
    assert step(session, sing(), "last", 1).place.index("class") == 2


def test_the_order_of_another_models_table_does_not_count() -> None:
    session = at(sing(), CONCEPTS)
    below = replace(session.below, place=place("classes", model="beta"), shown=(2, 1, 0))
    session = replace(session, visits=(session.visits[0], below, session.here))
    assert step(session, sing(), "last", 1).place.index("class") == 2


@pytest.mark.parametrize("which", ["last", "first"])
def test_filter_sort_cursor_and_marks_stay_with_rows_that_are_the_same_things(which: str) -> None:
    catalog = sing()
    session = mark(arrange_as(at(catalog, CONCEPTS, 7), Arrangement("as > 0", "kind", False)))
    after = step(session, catalog, which, 1).here
    assert (after.identity, after.marks) == (7, (7,))
    assert arrangement_at(after, catalog.table("concepts")) == Arrangement("as > 0", "kind", False)


def test_images_of_another_class_are_other_images() -> None:
    session = mark(at(sing(), IMAGES, 7))
    after = step(session, sing(), "last", 1).here
    assert (after.identity, after.line, after.marks) == (None, 0, ())
    of_another_model = step(session, sing(), "first", 1).here
    assert (of_another_model.identity, of_another_model.marks) == (7, (7,))


@pytest.mark.parametrize(
    ("items", "by", "after"),
    [
        (("alpha", "beta", "gamma"), 1, ("beta", "alpha", "gamma")),
        (("alpha", "beta", "gamma"), -1, ("gamma", "alpha", "beta")),
        (("alpha", "gamma"), 1, ("beta", "alpha", "gamma")),
    ],
)
def test_a_comparison_of_models_is_with_the_model_that_is_stepped_to(items, by, after) -> None:
    compared = replace(CONCEPTS, comparison=Comparison("model", items, "z"))
    stepped = step(at(sing(), compared), sing(), "first", by).place
    assert stepped.comparison == Comparison("model", after, "z")
    assert stepped.name("model") == after[0]


def test_a_comparison_of_classes_steps_its_first_class_over_the_others() -> None:
    compared = replace(
        place("concepts", model="alpha", class_=0), comparison=Comparison("class", (0, 1), "attribute_score")
    )
    session = step(at(sing(), compared), sing(), "last", 1)
    assert session.place.comparison.items == (2, 1)
    assert session.place.index("class") == 2
    with pytest.raises(Refused, match="this is the last class"):
        step(session, sing(), "last", 1)
    assert step(session, sing(), "first", 1).place.comparison.items == (2, 1)


def test_a_comparison_of_models_stays_when_the_class_is_stepped() -> None:
    comparison = Comparison("model", ("alpha", "beta"), "z")
    stepped = step(at(sing(), replace(CONCEPTS, comparison=comparison)), sing(), "last", 1).place
    assert (stepped.comparison, stepped.index("class")) == (comparison, 2)
