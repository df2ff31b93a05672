"""Large tables, sorted, filtered and searched beside the screen, which goes on answering."""

from pathlib import Path
from threading import Event

import numpy as np
import pytest
from driving import (
    AT,
    arrangement_of,
    burst,
    drawn,
    handled,
    lines,
    numbers,
    on_screen,
    places,
    press,
    shown,
    status,
    until,
    wish,
)

from sing_compute.store import Store
from sing_tui import loading
from sing_tui.app import Explorer
from sing_tui.screens import table_reading
from sing_tui.session.arranging import filter_by
from sing_tui.start import Start
from sing_tui.view import View, arrange

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("soon")]

MODELS = ("alpha", "beta", "gamma")
SIZE = (99, 30)
"""Room for all columns that are compared, and none for details beside them."""


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of more than five rows are worked out beside the screen."""
    for module in ("widgets.columns", "screens.table_reading", "screens.search"):
        monkeypatch.setattr(f"sing_tui.{module}.AT_ONCE", 5)


async def test_places_are_worked_out_beside_the_screen_which_shows_dots_meanwhile(
    three_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sing_compute.store import comparison

    gate, real = Event(), comparison.ranks
    monkeypatch.setattr(comparison, "ranks", lambda values, every=(): (gate.wait(30), real(values, every))[1])
    app = Explorer(three_path, AT["images"])
    async with app.run_test(size=(140, 30)) as pilot:
        await drawn(app)
        await press(pilot, "d", "d")
        await drawn(app)
        burst("equals_sign", app=app)
        await until(lambda: app.screen.place.comparison and "rank" in on_screen(app), app)
        row = next(line for line in lines(app) if line.startswith(" cat/"))
        assert row.rstrip().endswith("…")
        await press_only(pilot, "down")
        assert app.screen.table.cursor == 1  # it goes on answering
        gate.set()
        await until(lambda: not any("…" in line for line in lines(app)[3:-2]), app)
        values = [shown(app, f"image_score.{model}")[0] for model in MODELS]
        line = app.screen.view.order[1]
        expected = [places(values[0])[line] - places(other)[line] for other in values[1:]]
        key = str(app.screen.view.table.columns[0].values.all()[line])
        assert numbers(app, key)[-2:] == expected


async def press_only(pilot, *keys: str) -> None:
    """Press keys without waiting for what works beside the screen."""
    burst(*keys, app=pilot.app)
    await handled(pilot.app)


async def played(path: Path, keys: tuple[tuple[str, ...], ...]) -> list[tuple]:
    """Rows, cursor and status after each group of keys."""
    app, seen = Explorer(path, Start(wish(table="images"))), []
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        for group in keys:
            await press(pilot, *group)
            await drawn(app)
            seen.append((app.screen.view.order.tolist(), app.screen.table.cursor, status(app)))
    return seen


async def test_large_tables_sort_filter_and_find_like_small_ones(
    three_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = (
        ("right", "right", "s"),
        ("r", "down", "down"),
        ("equals_sign",),
        (*["right"] * 8, "s"),
        ("equals_sign", "f", *"class = dog"),
        ("enter", "down"),
        ("f", *["backspace"] * 3, *"cat", "enter"),
        ("f",),
        (*" x and (",),
        ("escape",),
        ("F", "slash", *"dog"),
        ("enter", "n"),
        ("N",),
        ("slash", *"owl/00020"),
        ("escape",),
        ("o",),
        ("f", *"zzz", "enter"),
        ("escape",),
    )
    small = await played(three_path, keys)
    for module in ("widgets.columns", "screens.table_reading", "screens.search"):
        monkeypatch.setattr(f"sing_tui.{module}.AT_ONCE", 5)
    for group, before, after in zip(keys, small, await played(three_path, keys), strict=True):
        assert after == before, group
    assert [len(rows) for rows, *_ in small[4:7]] == [7, 7, 9]


async def test_keys_pressed_while_rows_are_put_in_order_are_about_the_new_order(
    three_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, begun = Event(), []

    def slow(table, wanted, stop=None) -> View:
        if wanted.sort == "confidence":
            begun.append(wanted)
            gate.wait(30)
        return arrange(table, wanted, stop)

    monkeypatch.setattr(loading, "arrange", slow)
    app = Explorer(three_path, Start(wish(table="images")))
    async with app.run_test(size=SIZE):
        await drawn(app)
        page = app.page
        at = [column.name for column in page.table.columns].index("confidence")
        page.table.move_column(at - page.table.column)
        burst("s", "e", "escape", "space", "space", app=app)  # Esc gives up the form of an export
        await until(lambda: begun, app)
        await handled(app)
        assert page.session.here.marks == ()
        assert page.session.place.table == "images"
        gate.set()
        await until(lambda: len(page.session.here.marks) == 2, app)
        confidence = page.view.table.column("confidence").values.all()
        assert app.screen is page
        assert set(page.session.here.marks) == set(np.argsort(-confidence, kind="stable")[:2].tolist())


async def test_steps_to_the_next_class_do_not_wait_for_rows_but_other_keys_do(
    three_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, read = Event(), table_reading.read_table

    def slow(catalog, there, *rest):
        if there.key("class") in (1, 2):
            gate.wait(30)
        return read(catalog, there, *rest)

    app = Explorer(three_path, Start(wish(table="images", model="alpha", class_="cat")))
    async with app.run_test(size=SIZE):
        await drawn(app)
        page = app.page
        monkeypatch.setattr(table_reading, "read_table", slow)
        burst("right_square_bracket", "right_square_bracket", "space", app=app)
        await until(lambda: page.place.key("class") == 2, app)
        await handled(app)
        assert page.session.here.marks == ()
        gate.set()
        await until(lambda: page.session.here.marks, app)
        first = page.view.identity(0)
        assert page.session.here.marks == (first,)
        assert page.catalog.label("image", first, page.place).startswith("owl/")


async def test_a_newer_filter_overtakes_an_older_one(
    three_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, held = Event(), []

    def slow(table, wanted, stop=None) -> View:
        if wanted.filter == "dog":
            held.append("begun")
            gate.wait(30)
            try:
                return arrange(table, wanted, stop)
            finally:
                held.append("over")
        return arrange(table, wanted, stop)

    monkeypatch.setattr(loading, "arrange", slow)
    app = Explorer(three_path, Start(wish(table="images")))
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        burst("f", *"dog", app=app)
        await until(lambda: held, app)
        for key in ("backspace", "backspace", "backspace", *"owl"):
            burst(key, app=app)  # one at a time: sent together, Textual's Input takes letters before other keys
            await handled(pilot.app)
        await until(lambda: app.screen.view.arrangement.filter == "owl", app)
        gate.set()
        await until(lambda: len(held) == 2, app)
        await drawn(app)
        texts = [column.values.all() for column in app.screen.view.table.columns if column.is_text]
        expected = [row for row in range(21) if any("owl" in str(cells[row]) for cells in texts)]
        assert sorted(app.screen.view.order.tolist()) == expected
        assert arrangement_of(app).filter == app.screen.view.arrangement.filter == "owl"
        await press(pilot, "enter")
        assert "filter owl" in status(app)


async def test_an_answer_that_comes_just_before_a_newer_one_does_not_push_it_out(
    three_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = {"dog": Event(), "owl": Event()}

    def slow(table, wanted, stop=None) -> View:
        if wanted.filter in gates:
            gates[wanted.filter].wait(30)
        return arrange(table, wanted)  # superseded, it answers all the same

    monkeypatch.setattr(loading, "arrange", slow)
    app = Explorer(three_path, Start(wish(table="images")))
    async with app.run_test(size=SIZE):
        await drawn(app)
        page = app.page
        for text in gates:  # both are under way when the first answer arrives
            page.act(lambda session, text=text: filter_by(session, app.catalog, text))
        for gate in gates.values():
            gate.set()
        await drawn(app)
        assert page.view.arrangement.filter == arrangement_of(app).filter == "owl"


async def test_a_sort_that_is_asked_for_while_another_table_is_read_is_kept(three_path: Path) -> None:
    app = Explorer(three_path, AT["concepts"])
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        await press(pilot, "o", "down")
        item, measure, table = app.screen.identity, "attribute_score_abs", app.screen.table
        at = [column.name for column in table.columns].index(measure)
        await press(pilot, *["right"] * (at - table.column))
        for key, model in (("right_curly_bracket", "beta"), ("right_curly_bracket", "gamma")):
            burst(key, "S", app=app)
            await drawn(app)
            assert app.screen.place.name("model") == model
            assert arrangement_of(app).sort == measure
            with Store(three_path) as store:
                score = store.array(f"models/{model}/concepts/{measure}")[0]
            shown_scores = app.screen.view.table.column(measure).values.take(app.screen.view.order)
            assert shown_scores.tolist() == sorted(score.tolist(), reverse=arrangement_of(app).descending)
            assert app.screen.identity == item


async def test_a_search_that_was_given_up_moves_nothing(
    three_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, gate, over, real = Event(), Event(), Event(), View.matches

    def slow(view: View, words: str, stop=None) -> object:
        begun.set()
        gate.wait(30)
        try:
            return real(view, words)  # superseded, it answers all the same
        finally:
            over.set()

    monkeypatch.setattr(View, "matches", slow)
    app = Explorer(three_path, Start(wish(table="images")))
    async with app.run_test(size=SIZE) as pilot:
        await drawn(app)
        await press(pilot, "down")
        burst("slash", *"owl/00020", app=app)
        await until(lambda: app.page.session.here.looked_for == "owl/00020", app)
        await until(begun.is_set, app)  # given up before it began, it would never be over
        burst("escape", app=app)
        await until(lambda: app.page.session.typing is None, app)
        gate.set()
        await until(over.is_set, app)
        await drawn(app)
        assert app.screen.table.cursor == 1
        assert "2 of 21" in status(app)
