"""Comparisons without a screen: what `=`, `.` and `,` make of a place."""

from dataclasses import replace
from pathlib import Path

import pytest
from catalogs import at, layers, place, sing

from sing_compute.store import Store
from sing_compute.store.place import Comparison, Place
from sing_tui.session import CONTENTS, Refused, Session, Visit
from sing_tui.session.arranging import arrange_as, mark
from sing_tui.session.comparison import compare, is_in_place, next_measure
from sing_tui.session.moves import back, up
from sing_tui.session.state import Arrangement, arrangement_at
from sing_tui.store_catalog import StoreCatalog

MODELS = place("models")
CLASSES = place("classes", model="beta")
CONCEPTS = place("concepts", model="alpha", class_=1)
IMAGES = place("images", model="alpha", class_=1)
THREE = ("alpha", "beta", "gamma")


def marked(session: Session, *rows: int) -> Session:
    return session.now(replace(session.here, marks=tuple(rows)))


def with_marks_at_models(start: Place, *rows: int) -> Session:
    session = at(sing(), start)
    first = replace(session.visits[0], marks=tuple(rows))
    return replace(session, visits=(first, *session.visits[1:]))


@pytest.mark.parametrize(
    ("start", "column", "measure"),
    [
        (CONCEPTS, "z", "z"),
        (CONCEPTS, "", "attribute_score"),
        (CLASSES, "", "image_score_q50"),
        (CLASSES, "accuracy", "accuracy"),
        (IMAGES, "", "image_score"),
        (place("images", model="alpha"), "confidence", "confidence"),
    ],
)
def test_all_models_are_compared_in_place_in_the_column_under_the_cursor(
    start: Place, column: str, measure: str
) -> None:
    before = at(sing(), start, 5)
    session = compare(before, sing(), column)
    first = start.name("model")
    others = tuple(name for name in THREE if name != first)
    assert session.place == replace(start, comparison=Comparison("model", (first, *others), measure))
    assert len(session.visits) == len(before.visits)
    assert session.here.identity == 5


@pytest.mark.parametrize(
    ("marks", "items"),
    [
        ((0, 2), ("beta", "alpha", "gamma")),
        ((1, 2), ("beta", "gamma")),
        ((0,), ("beta", "alpha", "gamma")),
        ((0, 2, 99), ("beta", "alpha", "gamma")),
    ],
)
def test_marked_models_are_compared_and_all_where_fewer_than_two_are_marked(marks, items) -> None:
    assert compare(with_marks_at_models(CLASSES, *marks), sing()).place.comparison.items == items


def test_figures_of_the_model_under_the_cursor_are_compared_with_those_of_all_others() -> None:
    session = compare(at(sing(), MODELS, 1), sing())
    assert session.place == replace(MODELS, comparison=Comparison("model", ("beta", "alpha", "gamma"), ""))
    assert session.below.place == MODELS


@pytest.mark.parametrize("cursor", [0, 1, 2])
def test_figures_of_exactly_the_marked_models_are_compared_with_the_first_marked(cursor: int) -> None:
    session = compare(marked(at(sing(), MODELS, cursor), 2, 1), sing())
    assert session.place.comparison.items == ("gamma", "beta")


@pytest.mark.parametrize(
    ("catalog", "start", "marks", "there"),
    [
        (
            sing(),
            CLASSES,
            (2, 0),
            replace(
                place("concepts", model="beta", class_=2),
                comparison=Comparison("class", (2, 0), "attribute_score"),
            ),
        ),
        (
            sing(),
            place("concepts", along="class", model="beta", concept=3),
            (1, 2),
            replace(
                place("concepts", model="beta", class_=1),
                comparison=Comparison("class", (1, 2), "attribute_score"),
            ),
        ),
        (
            layers(),
            place("heads", layer=2),
            (0, 2),
            replace(place("vectors", layer=2, head=0), comparison=Comparison("head", (0, 2), "strength")),
        ),
        (
            layers(),
            place("layers"),
            (1, 2),
            replace(place("heads", layer=1), comparison=Comparison("layer", (1, 2), "strength")),
        ),
    ],
)
def test_marked_rows_are_compared_by_the_table_that_they_lead_to(catalog, start, marks, there) -> None:
    before = marked(at(catalog, start), *marks)
    session = compare(before, catalog)
    assert session.place == there
    assert session.below.place == start
    assert session.below.marks == tuple(marks)


def test_one_mark_is_no_comparison_of_classes() -> None:
    assert compare(mark(at(sing(), CLASSES, 1)), sing()).place.comparison.axis == "model"


@pytest.mark.parametrize(
    ("catalog", "start", "words"),
    [
        (
            sing(models=("alpha",)),
            MODELS,
            "this file holds one model; mark two classes (space) to compare their concepts",
        ),
        (
            sing(models=("alpha",)),
            CONCEPTS,
            "this file holds one model; mark two classes (space) to compare their concepts",
        ),
        (
            sing(),
            place("classes", along="model", class_=1),
            "here the models are rows of one table: go back to compare all their figures",
        ),
        (
            sing(),
            place("concepts", along="class", model="alpha", concept=1),
            "one concept is shown in all classes: go back to compare models",
        ),
        (layers(), place("vectors", layer=0, head=1), "mark two layers (space) to compare their heads"),
        (layers(), place("layers"), "mark two layers (space) to compare their heads"),
    ],
)
def test_where_nothing_can_be_compared_it_says_what_can(catalog, start: Place, words: str) -> None:
    with pytest.raises(Refused) as refused:
        compare(at(catalog, start), catalog)
    assert str(refused.value) == words


def test_the_list_of_tables_is_not_compared() -> None:
    with pytest.raises(Refused):
        compare(Session((Visit(Place(CONTENTS), identity=0),)), sing())


def test_models_are_not_compared_where_there_is_no_row() -> None:
    with pytest.raises(Refused, match="no row here"):
        compare(at(sing(), MODELS, None), sing())


# sort


@pytest.mark.parametrize("start", [CLASSES, CONCEPTS, IMAGES])
def test_a_sorted_table_is_sorted_by_what_is_compared(start: Place) -> None:
    session = arrange_as(at(sing(), start), Arrangement("as > 0", "something", False))
    compared = compare(session, sing(), "z")
    spec = sing().table(start.table)
    assert arrangement_at(compared.here, spec) == Arrangement("as > 0", "z", False)


def test_a_table_in_the_order_of_the_file_stays_so() -> None:
    session = arrange_as(at(sing(), CONCEPTS), Arrangement())
    assert arrangement_at(compare(session, sing(), "z").here, sing().table("concepts")) == Arrangement()


@pytest.mark.parametrize(
    ("sort", "after"),
    [("z.beta.difference", "z"), ("z.alpha", "z"), ("concept", "concept"), ("kind", "kind"), ("", "")],
)
def test_the_plain_table_is_sorted_by_what_was_compared_or_by_the_names(sort: str, after: str) -> None:
    compared = replace(CONCEPTS, comparison=Comparison("model", THREE, "z"))
    session = arrange_as(at(sing(), compared), Arrangement("", sort, True))
    ended = compare(session, sing())
    assert ended.place == CONCEPTS
    assert arrangement_at(ended.here, sing().table("concepts")).sort == after


# the end of a comparison


@pytest.mark.parametrize("end", [compare, back])
def test_a_comparison_in_place_ends_in_the_plain_table(end) -> None:
    before = at(sing(), CONCEPTS, 7)
    session = end(compare(before, sing()), sing())
    assert session.place == CONCEPTS
    assert session.here.identity == 7
    assert len(session.visits) == len(before.visits)


@pytest.mark.parametrize("end", [compare, back, up])
@pytest.mark.parametrize(("start", "marks"), [(MODELS, ()), (CLASSES, (0, 2))])
def test_a_comparison_that_was_opened_closes_again(end, start: Place, marks: tuple[int, ...]) -> None:
    before = marked(at(sing(), start, 1), *marks)
    session = end(compare(before, sing()), sing())
    assert session.place == start
    assert session.here.marks == tuple(marks)
    assert len(session.visits) == len(before.visits)


@pytest.mark.parametrize(
    ("catalog", "there", "in_place"),
    [
        (sing(), CONCEPTS, False),
        (sing(), replace(CONCEPTS, comparison=Comparison("model", THREE, "z")), True),
        (sing(), replace(CONCEPTS, comparison=Comparison("class", (1, 2), "z")), False),
        (sing(), replace(MODELS, comparison=Comparison("model", THREE, "")), False),
        (layers(), replace(place("vectors", layer=0, head=1), comparison=Comparison("head", (1, 2), "angle")), False),
    ],
)
def test_comparisons_of_a_group_above_the_rows_are_in_place(catalog, there: Place, in_place: bool) -> None:
    assert is_in_place(catalog, there) is in_place


# measures


@pytest.mark.parametrize(
    ("by", "steps", "measure"),
    [(1, 1, "z"), (1, 2, "q"), (1, 3, "attribute_score"), (-1, 1, "attribute_score"), (-1, 2, "q")],
)
def test_full_stop_and_comma_go_round_through_the_columns(by: int, steps: int, measure: str) -> None:
    session = compare(at(sing(), CONCEPTS, 7), sing(), "attribute_score_abs")
    for _ in range(steps):
        session = next_measure(session, sing(), by)
    assert session.place.comparison == Comparison("model", THREE, measure)
    assert session.here.identity == 7


@pytest.mark.parametrize("start", [CLASSES, CONCEPTS, IMAGES])
def test_every_numeric_column_of_a_stored_table_can_be_compared(three_path: Path, start: Place) -> None:
    with Store(three_path) as store:
        catalog = StoreCatalog(store)
        plain = catalog.open(start)
        ends = {end for column in plain.columns for end in column.interval or ()}
        names = [c.name for c in plain.columns if not c.is_text and c.name not in {"index", "count", *ends}]
        session = compare(at(catalog, start), catalog)
        first = names.index(session.place.comparison.measure)
        for step in range(len(names)):
            session = next_measure(session, catalog, 1)
            measure = session.place.comparison.measure
            assert measure == names[(first + step + 1) % len(names)]
            assert catalog.open(session.place).column(f"{measure}.{session.place.comparison.items[1]}.difference").unit
        back = next_measure(next_measure(session, catalog, -1), catalog, -1)
        assert back.place.comparison.measure == names[(first - 2) % len(names)]


def test_a_measure_that_the_table_lacks_gives_way_to_the_first() -> None:
    session = compare(at(sing(), CONCEPTS), sing(), "gone")
    assert next_measure(session, sing(), -1).place.comparison.measure == "attribute_score"


def test_marked_heads_are_compared_in_another_column() -> None:
    session = compare(marked(at(layers(), place("heads", layer=2)), 0, 2), layers())
    assert next_measure(session, layers(), 1).place.comparison.measure == "angle"


@pytest.mark.parametrize(
    ("catalog", "start", "words"),
    [
        (sing(), CONCEPTS, "nothing is compared here: = puts models side by side"),
        (sing(), MODELS, "nothing is compared here: = puts models side by side"),
        (layers(), place("layers"), "nothing is compared here: = puts layers side by side"),
        (
            sing(),
            replace(MODELS, comparison=Comparison("model", THREE, "")),
            "all figures of these models are here already",
        ),
    ],
)
def test_without_a_column_to_compare_in_it_says_so(catalog, start: Place, words: str) -> None:
    with pytest.raises(Refused) as refused:
        next_measure(at(catalog, start), catalog, 1)
    assert str(refused.value) == words
