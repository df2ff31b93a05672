"""Places from command lines and back, and the way to them, without a screen."""

from dataclasses import replace

import pytest
from catalogs import both, layers, place, sing

from sing_compute.errors import SingError
from sing_compute.store.place import Comparison, Place
from sing_tui.session import CONTENTS
from sing_tui.session.lookup import find_place, words_of
from sing_tui.session.names import breadcrumbs, file_parts
from sing_tui.session.route import route
from sing_tui.start import Wish

THREE = ("alpha", "beta", "gamma")


def wish(table: str | None = None, compare: str | None = None, others: tuple[str, ...] = (), **items: str) -> Wish:
    return replace(Wish.of(table, {axis.rstrip("_"): item for axis, item in items.items()}, compare), others=others)


def compared(there: Place, axis: str, items: tuple, measure: str) -> Place:
    return replace(there, comparison=Comparison(axis, items, measure))


PLACES = {
    "nothing": (wish(), place("models")),
    "a model": (wish(model="beta"), place("classes", model="beta")),
    "a class": (wish(class_="dog"), place("concepts", model="alpha", class_=1)),
    "a class by its number": (wish(class_="2"), place("concepts", model="alpha", class_=2)),
    "a class of a model": (wish(model="beta", class_="Owl"), place("concepts", model="beta", class_=2)),
    "a concept": (wish(concept="concept 7"), place("concepts", along="class", model="alpha", concept=7)),
    "a concept of a model": (
        wish(concept="7", model="beta"),
        place("concepts", along="class", model="beta", concept=7),
    ),
    "a subset": (wish(model="beta", subset="wrong"), place("classes", model="beta", subset=2)),
    "the first subset": (wish("classes", subset="all"), place("classes", model="alpha")),
    "models": (wish("models"), place("models")),
    "one of the models": (wish("models", model="beta"), place("models")),
    "models of a class": (wish("models", class_="dog"), place("classes", along="model", class_=1)),
    "models of a class and subset": (
        wish("models", class_="dog", subset="right"),
        place("classes", along="model", class_=1, subset=1),
    ),
    "classes": (wish("classes"), place("classes", model="alpha")),
    "classes of a concept": (
        wish("classes", concept="concept 3"),
        place("concepts", along="class", model="alpha", concept=3),
    ),
    "images": (wish("images"), place("images", model="alpha")),
    "images of a class": (wish("images", class_="dog"), place("images", model="alpha", class_=1)),
    "concepts below a subset": (
        wish("concepts", class_="dog", subset="wrong"),
        place("concepts", model="alpha", class_=1),
    ),
    "figures": (wish("models", ""), compared(place("models"), "model", THREE, "")),
    "figures from another model": (
        wish("models", "", model="gamma"),
        compared(place("models"), "model", ("gamma", "alpha", "beta"), ""),
    ),
    "classes of all models": (
        wish("classes", "accuracy"),
        compared(place("classes", model="alpha"), "model", THREE, "accuracy"),
    ),
    "classes of two models": (
        wish("classes", "", ("model=gamma",), model="beta"),
        compared(place("classes", model="beta"), "model", ("beta", "gamma"), "image_score_q50"),
    ),
    "concepts of all models by title": (
        wish(compare="|AS|", class_="dog"),
        compared(place("concepts", model="alpha", class_=1), "model", THREE, "attribute_score_abs"),
    ),
    "concepts of classes": (
        wish("concepts", "z", ("class=owl",), class_="dog"),
        compared(place("concepts", model="alpha", class_=1), "class", (1, 2), "z"),
    ),
    "concepts of classes without a column": (
        wish(None, None, ("class=owl", "class=cat"), class_="dog"),
        compared(place("concepts", model="alpha", class_=1), "class", (1, 2, 0), "attribute_score"),
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_command_line_names_a_place(name: str) -> None:
    words, there = PLACES[name]
    assert find_place(sing(), words)[0] == there


@pytest.mark.parametrize("name", PLACES)
def test_the_words_of_a_place_lead_back_to_it(name: str) -> None:
    there = PLACES[name][1]
    assert find_place(sing(), words_of(sing(), there))[0] == there


def test_a_view_of_the_first_of_two_files_opens_in_one_file() -> None:
    assert find_place(sing(), wish("classes", compare="-", model="beta"))[0] == place("classes", model="beta")


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (wish(), place("layers")),
        (wish(layer="middle"), place("heads", layer=1)),
        (wish(layer="middle", head="2"), place("vectors", layer=1, head=2)),
        (wish("words", layer="top", head="0"), place("words", layer=2, head=0)),
        (wish("layers", head="1"), place("heads", along="layer", head=1)),
        (wish(vector="4", layer="top"), place("vectors", along="head", layer=2, vector=4)),
        (
            wish("vectors", "strength", ("head=2",), layer="top", head="0"),
            compared(place("vectors", layer=2, head=0), "head", (0, 2), "strength"),
        ),
    ],
)
def test_a_command_line_names_a_place_of_an_unknown_analysis_and_back(words: Wish, there: Place) -> None:
    assert find_place(layers(), words)[0] == there
    assert find_place(layers(), words_of(layers(), there))[0] == there


@pytest.mark.parametrize(
    ("catalog", "words", "message"),
    [
        (sing(), wish("classes", class_="dog"), "--class goes with --table models, concepts or images, not with classes"),
        (sing(), wish("images", concept="3"), "--concept goes with --table classes, not with images"),
        (sing(), wish("models", concept="3"), "--concept goes with --table classes, not with models"),
        (sing(), wish("concepts"), "--table concepts is about one class: add --class NAME"),
        (sing(), wish(model="delta"), "no model 'delta' in results.h5"),
        (sing(), wish(class_="zebra"), "no class 'zebra' in results.h5"),
        (sing(), wish("classes", subset="some"), "no subset 'some' in results.h5"),
        (sing(), wish("nothing"), "no table 'nothing'; there are: models, classes, concepts, images"),
        (sing(), wish(layer="1"), "no axis 'layer'"),
        (sing(), wish(compare="as", concept="3"), "--compare needs a table of its own: leave out --concept"),
        (sing(), wish("models", "as", class_="dog"), "--compare needs a table of its own: leave out --class"),
        (sing(), wish("classes", "nothing"), "no column 'nothing'"),
        (
            sing(),
            wish("images", "", ("class=owl",)),
            "--with-class compares the concepts of classes: add --class NAME, and no --with-model",
        ),
        (
            sing(),
            wish("concepts", "", ("class=owl", "model=beta"), class_="dog"),
            "--with-class compares the concepts of classes: add --class NAME, and no --with-model",
        ),
        (layers(), wish("vectors", layer="top"), "--table vectors is about one head: add --at head=NAME"),
        (layers(), wish("layers", word="red"), "--at word goes with --table heads, not with layers"),
        (layers(), wish("heads", "", layer="top"), "--compare: say what is compared, as in --with head=NAME"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused_in_one_line(catalog, words: Wish, message: str) -> None:
    with pytest.raises(SingError) as refused:
        find_place(catalog, words)
    assert str(refused.value) == message


def test_a_name_that_does_not_lead_back_is_written_as_a_number() -> None:
    catalog = sing()
    catalog.names = {**catalog.names, "class": ("cat", "cat", " owl", "bell\x07"), "concept": ("a", "A", "b")}
    for position, written in ((0, "cat"), (1, "1"), (2, "2"), (3, "3")):
        words = words_of(catalog, place("concepts", model="alpha", class_=position))
        assert f"class={written}" in words.at
    assert "concept=1" in words_of(catalog, place("concepts", along="class", model="alpha", concept=1)).at


def test_items_of_tables_on_the_way_are_named_too() -> None:
    words = words_of(sing(), place("concepts", model="alpha", class_=1), {"subset": 2})
    assert words.at == ("model=alpha", "class=dog", "subset=wrong")
    there, named = find_place(sing(), words)
    assert [visit.place for visit in route(sing(), there, named)] == [
        place("models"),
        place("classes", model="alpha", subset=2),
        there,
    ]


# the way to a place


@pytest.mark.parametrize(
    ("there", "way"),
    [
        (place("models"), []),
        (place("classes", model="beta"), [(place("models"), 1)]),
        (place("images", model="beta"), [(place("models"), 1)]),
        (place("concepts", model="beta", class_=2), [(place("models"), 1), (place("classes", model="beta"), 2)]),
        (place("images", model="beta", class_=2), [(place("models"), 1), (place("classes", model="beta"), 2)]),
        (place("concepts", along="class", model="gamma", concept=5), [(place("models"), 2)]),
        (
            place("classes", along="model", class_=2, subset=1),
            [(place("models"), None), (place("classes", model="alpha", subset=1), 2)],
        ),
        (compared(place("models"), "model", ("gamma", "alpha"), ""), [(place("models"), 2)]),
        (
            compared(place("concepts", model="beta", class_=0), "class", (0, 2), "z"),
            [(place("models"), 1), (place("classes", model="beta"), 0)],
        ),
    ],
)
def test_the_way_to_a_place_has_the_cursor_on_the_row_that_leads_on(there: Place, way: list) -> None:
    visits = route(sing(), there)
    assert [(visit.place, visit.identity) for visit in visits[:-1]] == way
    assert visits[-1].place == there


@pytest.mark.parametrize(
    ("there", "way"),
    [
        (
            place("vectors", layer=2, head=1),
            [(place("layers"), 2), (place("heads", layer=2), 1)],
        ),
        (place("heads", along="layer", head=1), [(place("layers"), None)]),
        (place("words", layer=0, head=2), [(place("layers"), 0), (place("heads", layer=0), 2)]),
    ],
)
def test_the_way_to_a_place_of_an_unknown_analysis(there: Place, way: list) -> None:
    assert [(visit.place, visit.identity) for visit in route(layers(), there)[:-1]] == way


def test_the_way_begins_at_the_list_of_tables_where_there_are_several_first_ones() -> None:
    visits = route(both(), place("heads", layer=2))
    assert [(visit.place, visit.identity) for visit in visits] == [
        (Place(CONTENTS), 1),
        (place("layers"), 2),
        (place("heads", layer=2), None),
    ]
    assert [visit.place for visit in route(both(), Place(CONTENTS))] == [Place(CONTENTS)]
    assert find_place(both(), wish())[0] == Place(CONTENTS)


# words


@pytest.mark.parametrize(
    ("there", "crumbs", "parts"),
    [
        (place("models"), ["models"], ["models"]),
        (place("classes", model="beta"), ["beta", "classes"], ["beta", "classes"]),
        (place("concepts", model="beta", class_=1), ["beta", "dog", "concepts"], ["beta", "dog", "concepts"]),
        (place("images", model="beta"), ["beta", "all images"], ["beta", "images"]),
        (place("images", model="beta", class_=1), ["beta", "dog", "images"], ["beta", "dog", "images"]),
        (place("classes", along="model", class_=1), ["dog", "models"], ["dog", "models"]),
        (
            place("concepts", along="class", model="beta", concept=3),
            ["beta", "concept 3", "classes"],
            ["beta", "concept 3", "classes"],
        ),
        (
            compared(place("models"), "model", ("beta", "alpha"), ""),
            ["beta", "figures of 2 models"],
            ["beta", "figures", "models"],
        ),
        (
            compared(place("concepts", model="beta", class_=1), "model", ("beta", "alpha"), "attribute_score"),
            ["beta", "dog", "AS of 2 models, by concepts"],
            ["beta", "dog", "attribute_score", "concepts"],
        ),
        (
            compared(place("concepts", model="beta", class_=1), "class", (1, 2), "attribute_score_abs"),
            ["beta", "dog", "|AS| of 2 classes, by concepts"],
            ["beta", "dog", "attribute_score_abs", "concepts"],
        ),
    ],
)
def test_a_place_has_a_title_and_a_name_for_its_file(there: Place, crumbs: list[str], parts: list[str]) -> None:
    assert breadcrumbs(sing(), there) == crumbs
    assert file_parts(sing(), there) == parts


def test_a_subset_is_in_the_title_and_in_the_name_of_the_file() -> None:
    there = place("classes", model="beta", subset=2)
    assert breadcrumbs(sing(), there) == ["beta", "classes (wrong images)"]
    assert file_parts(sing(), there) == ["beta", "wrong", "classes"]
    assert file_parts(sing(), place("classes", along="model", class_=1, subset=2)) == ["dog", "models"]


def test_places_of_an_unknown_analysis_have_words_too() -> None:
    assert breadcrumbs(layers(), place("vectors", layer=2, head=1)) == ["top", "1", "vectors"]
    assert breadcrumbs(layers(), place("heads", along="layer", head=1)) == ["1", "layers"]
    assert breadcrumbs(both(), Place(CONTENTS)) == ["contents"]


def test_an_item_that_the_file_does_not_hold_any_more_has_a_dash_for_a_name() -> None:
    assert breadcrumbs(sing(), place("concepts", model="alpha", class_=99)) == ["alpha", "-", "concepts"]
