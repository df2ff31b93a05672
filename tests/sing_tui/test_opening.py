"""How the explorer begins with a file, and with a newer one at the same path."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from catalogs import place
from driving import arrangement_of, drawn, first_cells, lines, on_screen, press, status, until, wish
from stores import write_store

from sing_compute.errors import StoreError
from sing_compute.store import Place, Store
from sing_tui.app import Explorer
from sing_tui.loading import warm_up
from sing_tui.start import Start, choose_theme
from sing_tui.store_catalog import StoreCatalog


async def test_the_first_frame_is_painted_before_the_file_is_opened(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames: list[str] = []
    monkeypatch.setattr("sing_tui.opening.Store", lambda path: (frames.append(on_screen(app)), Store(path))[1])
    app = Explorer(store_path)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        assert "opening results.h5" in frames[0]
        assert "alpha" in on_screen(app)


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (Start(wish(model="gamma")), "no model 'gamma'"),
        (Start(wish(class_="zebra")), "no class 'zebra'"),
        (Start(wish(model="alpha"), "is >"), "at character 5"),
        (Start(wish(model="alpha"), "", "nothing"), "no column 'nothing'"),
    ],
)
async def test_a_wrong_start_ends_with_one_error(store_path: Path, begin: Start, part: str) -> None:
    app = Explorer(store_path, begin)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
    assert app.return_code == 2
    assert part in str(app.failure)


async def test_a_broken_file_ends_with_one_error(store_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.h5"
    shutil.copy(store_path, path)
    path.write_bytes(path.read_bytes()[:3000])
    app = Explorer(path)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
    assert app.return_code == 2
    assert "not a readable HDF5 file" in str(app.failure)


@pytest.mark.parametrize(
    ("system", "no_color", "theme"),
    [("truecolor", False, "textual-dark"), ("256", False, "textual-dark"), ("standard", False, "ansi-dark"),
     (None, False, "ansi-dark"), ("truecolor", True, "ansi-dark")],
)  # fmt: skip
def test_few_colours_or_none_wanted_means_the_terminals_own(system: str | None, no_color: bool, theme: str) -> None:
    assert choose_theme(system, no_color) == theme


async def test_a_look_at_an_earlier_file_that_is_late_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_store(tmp_path / "live.h5")
    app, gate = Explorer(path, Start(wish(class_="cat", table="images"))), threading.Event()
    async with app.run_test(size=(120, 24)):
        await drawn(app)
        tell, held = app.call_from_thread, []

        def late(function: Callable[..., object], *arguments: object) -> object:
            if function == app._looked and not held:
                held.append(arguments)
                gate.wait(30)
            return tell(function, *arguments)

        monkeypatch.setattr(app, "call_from_thread", late)
        write_store(path, images_per_class=(35, 12, 1, 0), models=("alpha", "beta", "gamma"))
        app.look()
        await until(lambda: held, app)
        app.look()
        await until(lambda: app.screen.view.table.length == 35, app)
        gate.set()
        await drawn(app)
        assert "R reads it again" not in lines(app)[0]


async def test_a_new_file_is_taken_up_and_the_place_is_kept(tmp_path: Path) -> None:
    path = write_store(tmp_path / "live.h5")
    app = Explorer(path, Start(wish(class_="cat", table="images")))
    async with app.run_test(size=(120, 24)) as pilot:
        await drawn(app)
        await press(pilot, "f", *"is > 10", "enter", "down", "down")
        arrangement = arrangement_of(app)
        write_store(path, images_per_class=(35, 12, 1, 0), models=("alpha", "beta", "gamma"))
        await press(pilot, "slash")
        app.look()
        await drawn(app)
        assert "R reads it again" in lines(app)[0]
        assert app.screen.view.table.length == 30
        await press(pilot, "escape")
        app.look()
        await drawn(app)
        assert app.screen.view.table.length == 35
        assert app.screen.place == place("images", model="alpha", class_=0)
        assert arrangement_of(app) == arrangement
        assert "R reads it again" not in lines(app)[0]
        await press(pilot, "F", "q", "q")
        await drawn(app)
        assert first_cells(app) == ["alpha", "beta", "gamma"]
        path.unlink()
        await press(pilot, "R")
        await drawn(app)
        assert "does not exist" in status(app)
        assert first_cells(app) == ["alpha", "beta", "gamma"]


def test_warming_up_reads_the_numbers_of_all_models_once(three_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr("sing_tui.process.gc.freeze", lambda: frozen.append(True))
    with Store(three_path) as store:
        catalog = StoreCatalog(store)
        warm_up(catalog, lambda: False, charts=False, collector=True)
        monkeypatch.setattr("sing_tui.store_catalog.open_table", lambda *_: pytest.fail("the table was read again"))
        assert catalog.open(Place("models")).length == 3
    assert frozen == [True]


def test_warming_up_leaves_a_damaged_table_to_whoever_opens_it(three_path: Path, tmp_path: Path) -> None:
    path = shutil.copy(three_path, tmp_path / "damaged.h5")
    with h5py.File(path, "r+") as file:
        del file["models/beta/summary/nullity"]
        file["models/beta/summary/nullity"] = "text"
    with Store(path) as store:
        catalog = StoreCatalog(store)
        warm_up(catalog, lambda: False, charts=False, collector=False)
        with pytest.raises(StoreError, match="nullity"):
            catalog.open(Place("models"))
