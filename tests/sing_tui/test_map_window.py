"""The part of a map that is seen, without a screen: zoom, cursor and order; and the way to a map and from a pair to its table."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from catalogs import at, place, sing, sing_with_steering
from sing_places import ALL_IMAGES, CLASSES, CONCEPT_ALONG, CONCEPTS, IMAGES, MODELS

from sing_compute.charts.map_blocks import by_strength, scale_of, strengths
from sing_compute.charts.maps import Side, ValueMap
from sing_compute.formats import UNICODE
from sing_compute.store import catalogue
from sing_compute.store.place import Place
from sing_tui.maps.view import MapView
from sing_tui.maps.words import legend_of, pair_text
from sing_tui.session import Refused
from sing_tui.session.map_window import MapWindow, at_block, levels, moved, zoomed
from sing_tui.session.mapping import map_place, mapped_table, open_pair, start_of_map
from sing_tui.session.moves import open_further, open_second
from sing_tui.session.names import breadcrumbs
from sing_tui.session.state import CONTENTS

MAP = place("concepts", along="class", model="alpha")


@pytest.mark.parametrize("room", [(36, 63), (88, 183), (2, 5), (1, 1)])
@pytest.mark.parametrize("count", [(1000, 1300), (6, 22), (10, 1203), (1, 1), (3, 1), (1, 40)])
def test_the_whole_map_is_seen_first_and_each_step_is_nearer(count: tuple[int, int], room: tuple[int, int]) -> None:
    steps = levels(count, room)
    window = MapWindow(count, room)
    assert window.seen == window.blocks  # nothing is outside
    assert steps[-1].block == (1, 1)
    assert steps[-1].size[1] >= 9  # wide enough for a number
    for here, nearer in pairwise(steps):
        assert all(a >= b for a, b in zip(here.block, nearer.block, strict=True))
        assert all(a <= b for a, b in zip(here.size, nearer.size, strict=True))
        assert here != nearer
    assert len(steps) < 20


def test_every_block_is_reached_and_stays_in_sight() -> None:
    window = zoomed(MapWindow((100, 70), (10, 9)), 2, (0, 0))
    met = set()
    for _ in range(window.blocks[0] + 5):
        (row, _), (first, _), (seen, _) = window.cursor, window.first, window.seen
        assert first <= row < first + seen
        met.add(row)
        window = moved(window, 1, 0)
    assert met == set(range(window.blocks[0]))
    rows, columns = window.span((window.blocks[0] - 1, window.blocks[1] - 1))
    assert (rows.stop, columns.stop) == (100, 70)
    assert at_block(window, (-5, 10**6)).cursor == (0, window.blocks[1] - 1)


def drawn_map(rows: int = 90, columns: int = 120) -> ValueMap:
    values = np.random.default_rng(2).normal(size=(rows, columns)).astype(np.float32)
    values[31, 77] = -50
    sides = [
        Side(
            axis,
            np.arange(len(strength)),
            np.array([f"{axis} {k}" for k in range(len(strength))]),
            strength,
            by_strength(strength),
        )
        for axis, strength in zip(("class", "concept"), strengths(values), strict=True)
    ]
    column = catalogue.table("concepts").columns[1]
    return ValueMap(MAP, column, values, *sides, "degree", True, scale_of(values, signed=True), 0)


def test_the_pair_under_the_cursor_stays_there_through_zoom_order_and_size() -> None:
    view = MapView.of(drawn_map(), (10, 15))
    assert view.pair == (31, 77)  # the strongest comes first
    assert view.values()[0, 0] == -50
    for step in (1, 1, 1, 1, -2, -2):
        view = view.zoomed(step)
        assert view.pair == (31, 77)
    view = view.reordered()
    assert view.pair == (31, 77)
    assert view.window.cursor != (0, 0)
    view = view.resized((30, 40))
    assert view.pair == (31, 77)
    values, (top, left), cursor = view.values(), view.window.first, view.window.cursor
    assert values[cursor[0] - top, cursor[1] - left] == -50


def test_a_name_leads_to_a_block_of_one_value() -> None:
    view = MapView.of(drawn_map(), (10, 15)).at_pair(12, None)
    assert view.window.here.is_single
    row, column = view.pair
    assert row == 12
    assert abs(view.shown.values[12, column]) == np.abs(view.shown.values[12]).max()
    assert view.at_pair(None, 77).pair == (31, 77)
    assert view.at_pair(5, 6).pair == (5, 6)


def test_a_click_is_on_the_block_that_is_painted_there() -> None:
    view = MapView.of(drawn_map(), (10, 15)).zoomed(9)
    assert view.at_screen((0, 0)).window.cursor == view.window.first
    clicked = view.at_screen((view.window.here.size[0], 0)).window.cursor
    assert clicked == (view.window.first[0] + 1, view.window.first[1])


# the way to a map, and back to a table


@pytest.mark.parametrize(
    ("start", "row", "there", "pair"),
    [
        (MODELS, 1, place("concepts", along="class", model="beta"), (None, None)),
        (CLASSES, 2, MAP, (2, None)),
        (CONCEPTS, 7, MAP, (1, 7)),
        (IMAGES, 3, MAP, (1, None)),
        (ALL_IMAGES, 3, MAP, (None, None)),
        (CONCEPT_ALONG, 2, place("concepts", along="class", model="beta"), (2, 7)),
        (place("classes", along="model", class_=1), 2, place("concepts", along="class", model="gamma"), (1, None)),
    ],
)
def test_a_map_is_of_the_model_where_one_is(start: Place, row: int, there: Place, pair: tuple[int | None, ...]) -> None:
    session = at(sing(), start, row)
    assert map_place(session, sing()) == there
    assert start_of_map(session, sing(), there) == pair


def test_from_each_of_two_tables_of_a_class_a_map_is_of_that_table() -> None:
    steering = place("steering", along="class", model="alpha")
    catalog = sing_with_steering()
    for start, there in ((CLASSES, MAP), (CONCEPTS, MAP), (place("steering", model="alpha", class_=1), steering)):
        assert map_place(at(catalog, start, 2), catalog) == there
    opened = open_further(at(catalog, CLASSES, 1), catalog, 2)  # the key D
    assert opened.place == place("steering", model="alpha", class_=1)
    assert open_second(opened, catalog).place == CONCEPTS
    assert open_pair(opened, catalog, steering, 2, 0).place == place("steering", model="alpha", class_=2)
    across = place("steering", along="class", model="alpha", target=1)
    assert breadcrumbs(catalog, across) == ["alpha", "target dog", "classes"]  # the class dog has other tables
    without = sing()
    assert mapped_table(without, CLASSES) == without.table("concepts")


def test_without_figures_of_two_axes_there_is_no_map() -> None:
    catalog = sing(maps=frozenset())
    assert mapped_table(catalog, CLASSES) is None
    assert mapped_table(sing(), Place(CONTENTS)) is None
    with pytest.raises(Refused, match="this file has none"):
        map_place(at(catalog, CLASSES, 1), catalog)
    with pytest.raises(Refused, match="open a model"):
        map_place(at(sing(), Place(CONTENTS), 1), sing())
    empty = at(sing(), MODELS, 1)
    with pytest.raises(Refused, match="needs a row"):
        map_place(empty.now(replace(empty.here, identity=None)), sing())


def test_a_pair_opens_the_table_of_its_row_and_esc_leads_back() -> None:
    from sing_tui.session.moves import up

    session = at(sing(), CLASSES, 0)
    there = open_pair(session, sing(), MAP, 2, 9)
    assert (there.place, there.here.identity) == (place("concepts", model="alpha", class_=2), 9)
    back = up(there, sing())
    assert (back.place, back.here.identity) == (CLASSES, 2)


def test_values_that_round_to_0_are_said_with_their_size_and_a_name_is_not_said_twice() -> None:
    drawn = drawn_map()
    for factor, high in ((1e-5, "+5.0e-04°"), (1, "+50.00°")):
        values = drawn.values * factor
        shown = replace(drawn, values=values, scale=scale_of(values, signed=True))
        assert legend_of(shown, UNICODE).high == high
        said = pair_text(MapView.of(shown, (90, 120)), str, UNICODE)
        assert said == f"class 31 · concept 77 · AS {high.replace('+', '-')}"
