"""Screens over the table: a key that does nothing says so, `?` lists the keys, and ^z and ^c work as over a table."""

from pathlib import Path

import pytest
from driving import drawn, lines, press, screen_text, until, wish
from stores import write_store

from sing_tui.app import Explorer
from sing_tui.screens.column_look import LookScreen
from sing_tui.screens.overlay import Overlay
from sing_tui.start import Start


async def test_keys_without_an_effect_are_said_until_the_next_key(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha")))
    suspended = []
    monkeypatch.setattr(Explorer, "action_suspend_process", lambda _: suspended.append(True))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        for key, last in (("H", "esc close"), ("M", "? help"), ("P", "esc close"), ("O", "esc table")):
            if key == "M":
                await press(pilot, "i")
                await drawn(app)
            await press(pilot, key)
            if not isinstance(app.screen, Overlay):  # the rows of this file are no photographs
                assert "photographs" in lines(app)[-2]
                continue
            for strange, said in (("K", "K does nothing here: ? lists the keys"), ("ctrl+c", "Q quits")):
                await press(pilot, strange)
                await until(lambda said=said: said in screen_text(app), app)
            await press(pilot, "j")
            await until(lambda last=last: last in screen_text(app), app)
            await press(pilot, "ctrl+z")
            await until(lambda: suspended, app)
            suspended.clear()
            await press(pilot, "escape")
            await until(lambda: app.screen is app.page, app)
            if key == "M":
                await press(pilot, "i")
                await drawn(app)


async def test_a_file_that_was_replaced_is_said_over_the_table_which_is_read_again_below(tmp_path: Path) -> None:
    path = write_store(tmp_path / "live.h5")
    app = Explorer(path, Start(wish("images", class_="cat")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "H")
        await until(lambda: isinstance(app.screen, LookScreen) and app.screen.answered, app)
        write_store(path, images_per_class=(35, 12, 1, 0))
        app.look()
        await until(lambda: "file changed: these numbers are of before; esc goes back" in lines(app)[-1], app)
        await press(pilot, "K", "j")
        await until(lambda: "file changed: these numbers" in lines(app)[-1], app)  # as long as they are seen
        await press(pilot, "escape")
        await until(lambda: app.screen is app.page, app)
        app.look()
        await until(lambda: app.page.view.table.length == 35, app)
        await press(pilot, "H")
        await until(lambda: isinstance(app.screen, LookScreen) and app.screen.answered, app)
        path.unlink()
        app.look()
        await until(lambda: "live.h5 is gone" in lines(app)[-1], app)


async def test_the_help_of_a_look_lists_its_keys(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "H")
        await until(lambda: isinstance(app.screen, LookScreen) and app.screen.answered, app)
        await press(pilot, "?")
        await until(lambda: "logarithmic scale" in screen_text(app), app)
        await press(pilot, "escape")
        await until(lambda: isinstance(app.screen, LookScreen), app)


async def test_quitting_during_an_export_is_asked_about_over_the_table(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "H")
        await until(lambda: isinstance(app.screen, LookScreen) and app.screen.answered, app)
        runner = app.page.export_runner
        cancelled = []
        running = type("Running", (), {"name": "rows.csv", "cancel": lambda _: cancelled.append(True)})()
        monkeypatch.setattr(runner, "_export", running)
        await press(pilot, "Q")
        await until(lambda: "rows.csv is being written: quit once more to give it up" in lines(app)[-1], app)
        await press(pilot, "ctrl+c")
        await until(lambda: cancelled, app)


async def test_keys_pressed_while_the_file_is_opened_take_effect_on_its_table(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "right", "right", "H")
        await until(lambda: isinstance(app.screen, LookScreen) and app.screen.answered, app)
