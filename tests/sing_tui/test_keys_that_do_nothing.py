"""A key that changes nothing here says why: every step of the session is taken until it changes nothing more."""

from dataclasses import replace
from pathlib import Path

import pytest
from catalogs import at, place, sing
from driving import burst, drawn, press, status, wish

from sing_compute.store.place import Comparison, Place
from sing_tui.app import Explorer
from sing_tui.screens.steps import STEPS, Surroundings
from sing_tui.session import Refused, Session
from sing_tui.start import Start

PLACES = {
    "models": place("models"),
    "classes": place("classes", model="alpha"),
    "concepts": place("concepts", model="alpha", class_=1),
    "images": place("images", model="alpha"),
    "a concept in all classes": place("concepts", along="class", model="alpha", concept=7),
    "compared": replace(place("classes", model="alpha"), comparison=Comparison("model", ("alpha", "beta"), "ratio")),
}
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "further": (2,),
    "neighbour": ("last", 1),
    "measure": (1,),
    "chart": (1,),
}
WITHOUT_COLUMN = ("sort", "also")
"""Steps that sort by the column under the cursor: a table that has none is still being read."""


@pytest.mark.parametrize("step", sorted(STEPS.keys() - set(WITHOUT_COLUMN)))
@pytest.mark.parametrize("row", [0, None], ids=["row", "no row"])
@pytest.mark.parametrize("start", PLACES.values(), ids=PLACES.keys())
def test_a_step_changes_the_session_or_says_why_not(start: Place, row: int | None, step: str) -> None:
    catalog = sing()
    session = at(catalog, start, row, shown=(0, 1, 2) if row is not None else ())
    for _ in range(4):
        before: Session = session
        try:
            session = STEPS[step](session, Surroundings(catalog, None, wide=False), *ARGUMENTS.get(step, ()))
        except Refused:
            return
        assert session != before


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["F"], "there is no filter: f begins one"),
        (["o"], "nothing is sorted: the rows are in the order of the file"),
        (["u"], "nothing is marked: the space bar marks a row"),
        (["escape"], "this is the first table: Q quits"),
        (["backspace"], "this is the first table: Q quits"),
    ],
)
async def test_keys_that_found_nothing_to_do_say_so_on_the_screen(three_path: Path, keys: list[str], said: str) -> None:
    app = Explorer(three_path, Start(wish("models")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, *keys)
        assert said in status(app)


async def test_keys_about_a_row_say_that_there_is_none(three_path: Path) -> None:
    app = Explorer(three_path, Start(wish("concepts", model="beta", class_="cat"), filter="as > 900"))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        for key in ("enter", "a", "space", "d"):
            await press(pilot, "F", "f", *"as > 900", "enter")
            await drawn(app)
            assert "no row here" not in status(app)
            await press(pilot, key)
            assert "there is no row here" in status(app), key


async def test_what_was_said_of_a_key_goes_with_the_next_one_that_does_something(three_path: Path) -> None:
    app = Explorer(three_path, Start(wish("models")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        for keys, said in (
            (["u", "A"], "1 of 3 · 3 marked"),
            (["escape", "A"], "1 of 3"),
            (["end", "u", "space"], "3 of 3 · 1 marked"),
            (["F", "u"], "3 of 3"),
            (["u", "d"], "gamma, 3 of 3"),
            (["F", "escape"], "3 of 3"),
        ):
            await press(pilot, *keys)
            await drawn(app)
            assert status(app).startswith(said), keys


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["enter", "F"], "there is no filter: f begins one"),
        (["enter", "u"], "nothing is marked: the space bar marks a row"),
        (["s", "F"], "there is no filter: f begins one"),
        (["s", "full_stop"], "nothing is compared here: = puts models side by side"),
    ],
)
async def test_what_a_key_says_behind_one_that_brings_other_rows_stays(
    three_path: Path, keys: list[str], said: str
) -> None:
    app = Explorer(three_path, Start(wish("models")))
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        burst(*keys, app=app)
        await drawn(app)
        assert status(app) == said
