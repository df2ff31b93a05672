"""A file that is still computed, added to or replaced while the explorer looks."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from catalogs import place
from driving import arrangement_of, drawn, place_line, press, screen_text, until, wish
from rich.cells import cell_len
from stores import write_store

from sing_compute.store import Store
from sing_tui.app import Explorer
from sing_tui.opening import open_again
from sing_tui.screens.opening import OpeningScreen
from sing_tui.start import Start


@pytest.fixture
def run_state(tmp_path: Path) -> Path:
    (tmp_path / "new.h5.work").mkdir()
    return tmp_path / "new.h5.work" / "progress.json"


def leave(path: Path, **changes: object) -> None:
    now = time.time()
    state = {
        "version": 1, "task": "features", "done": 420, "total": 1000, "rate": 2.0, "started": now - 200,
        "task_started": now - 139, "written": now, "pid": os.getpid(), "host": os.uname().nodename,
        "command": "sing-compute",
    }  # fmt: skip
    path.write_text(json.dumps(state | changes))


async def looked(app: Explorer, condition: Callable[[str], bool]) -> None:
    """Look at the run and the file, as the timer does every two seconds, until the text on the screen is as wanted."""
    app.look()
    await until(lambda: condition(screen_text(app)), app)


async def test_a_file_that_is_still_computed_is_waited_for_and_opened(tmp_path: Path, run_state: Path) -> None:
    leave(run_state)
    path = tmp_path / "new.h5"
    app = Explorer(path, Start(wish(model="beta"), "dog"))
    async with app.run_test(size=(80, 24)):
        await until(lambda: isinstance(app.screen, OpeningScreen) and app.screen.is_mounted, app)
        await looked(app, lambda text: "at work on new.h5: features 42%, 4:" in text)
        leave(run_state, done=990)
        await looked(app, lambda text: "99%, 0:0" in text)
        leave(run_state, pid=2**22 + 1)
        await looked(app, lambda text: "no run is at work on it; q leaves" in text)
        write_store(path)
        run_state.unlink()
        await looked(app, lambda text: "beta › classes" in text)
        await drawn(app)
        assert app.screen.place == place("classes", model="beta")
        assert app.screen.table.lines == 1


async def test_the_wait_for_a_file_can_be_left(tmp_path: Path, run_state: Path) -> None:
    leave(run_state)
    app = Explorer(tmp_path / "new.h5", memory=tmp_path / "state.json")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: "new.h5" in screen_text(app), app)
        await press(pilot, "q")
        await until(lambda: app.return_code is not None, app)
    assert app.return_code == 0


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_a_run_that_adds_to_the_file_shows_how_far_it_is(
    tmp_path: Path, run_state: Path, ascii_only: bool
) -> None:
    path = write_store(tmp_path / "new.h5")
    app = Explorer(path, Start(wish(model="alpha")), ascii_only=ascii_only)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        leave(run_state, task="ネコ: scores")
        name = "??" if ascii_only else "ネコ"
        await looked(app, lambda text: f"sing-compute: {name}: scores 42%, 4:" in text.splitlines()[0])
        assert cell_len(place_line(app)) == 80
        leave(run_state, pid=2**22 + 1)
        await looked(app, lambda text: "features 42%, stalled" in text.splitlines()[0])
        await press(pilot, "enter")
        assert "stalled" in place_line(app)
        run_state.unlink()
        await looked(app, lambda text: "sing-compute" not in text.splitlines()[0])


async def test_marks_filter_sort_and_row_outlive_a_new_file(tmp_path: Path) -> None:
    path = write_store(tmp_path / "live.h5")
    app = Explorer(path, Start(wish(model="alpha", class_="cat")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "f", *"kind = colour", "enter", "space", "space", "down", "equals_sign")
        screen = app.screen
        before = (screen.place, arrangement_of(app), screen.identity, screen.session.here.marks)
        assert len(before[3]) == 2
        write_store(path, models=("alpha", "beta", "gamma"), seed=1)
        app.look()
        await until(lambda: len(app.catalog.store.models) == 3, app)
        await drawn(app)
        assert app.screen is screen
        assert len(app.catalog.store.models) == 3
        assert (screen.place, arrangement_of(app), screen.identity, screen.session.here.marks) == before
        with Store(path) as store:
            score = store.array("models/beta/concepts/attribute_score_abs")[0]
        assert screen.view.table.column("attribute_score_abs.beta").values.all() == pytest.approx(score)


async def test_threads_that_report_after_the_end_of_the_screen_are_not_heard(store_path: Path) -> None:
    """The watch for a new file, and the reader of one, may be at work when the app ends."""
    app = Explorer(store_path)
    async with app.run_test():
        await drawn(app)
        found = open_again(store_path)
    assert not app.screen_stack
    app._looked(None, app._opened, True)
    app._take(found)
    found.store.close()
