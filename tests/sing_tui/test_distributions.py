"""Distribution cells: counts as numpy counts them, on one scale for all rows, read when they are seen, exported as counts."""

import csv
import io
import shutil
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from driving import drawn, lines, press, screen_text, status, until, wish

from sing_compute.formats import ASCII, UNICODE
from sing_compute.store import Column, Store
from sing_compute.store.columns import Loaded
from sing_compute.store.place import Place
from sing_tui.app import Explorer
from sing_tui.cell_colors import color_scale
from sing_tui.cli import main
from sing_tui.distributions import BINS, count_rows, strip
from sing_tui.search import DISTRIBUTION
from sing_tui.start import Start
from sing_tui.store_catalog import StoreCatalog


def counts_of(column: Column) -> np.ndarray:
    return np.array([[int(count) for count in str(cell).partition(" ")[0].split("|")] for cell in column.values.all()])


def scale_of(column: Column) -> tuple[float, float]:
    """The scale as the heading says it: `IS 0 to 36`."""
    _, low, _, high = column.title.split()
    return float(low), float(high)


def numpy_counts(values: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    edges = np.linspace(*scale, BINS + 1).astype(values.dtype)
    edges[0], edges[-1] = -np.inf, np.inf
    return np.histogram(values[~np.isnan(values)], edges)[0]


@pytest.mark.parametrize("rows", [1, 5])
def test_numbers_beyond_the_scale_are_in_the_end_bins_and_missing_ones_nowhere(rows: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(20, 15, 600).astype(np.float32)
    values[:4] = np.nan, np.inf, -np.inf, 12.0
    owners = rng.integers(0, rows, 600)
    found = count_rows(values, owners, rows, (0.0, 36.0))
    for row in range(rows):
        np.testing.assert_array_equal(found[row], numpy_counts(values[owners == row], (0.0, 36.0)))
    assert found.sum() == 599


def test_classes_and_models_have_the_distributions_of_their_images(store_path: Path) -> None:
    with Store(store_path) as store, h5py.File(store_path) as file:
        catalog = StoreCatalog(store)
        offsets = file["images/offsets"][()] if "images/offsets" in file else store.offsets
        models = catalog.open(Place("models"))
        column = models.column("image_score_distribution")
        for row, name in enumerate(store.models):
            scores = file[f"models/{name}/images/image_score"][()]
            np.testing.assert_array_equal(counts_of(column)[row], numpy_counts(scores, scale_of(column)))
            classes = catalog.open(Place.of("classes", model=name))
            of_class, shifts = (classes.column(f"{score}_distribution") for score in ("image_score", "attribute_score"))
            index = classes.column("index").values.all()
            angles = file[f"models/{name}/concepts/attribute_score"][()]
            for k, position in enumerate(index):
                own = scores[offsets[position] : offsets[position + 1]]
                np.testing.assert_array_equal(counts_of(of_class)[k], numpy_counts(own, scale_of(of_class)))
                np.testing.assert_array_equal(counts_of(shifts)[k], numpy_counts(angles[position], scale_of(shifts)))


def test_they_are_counted_when_they_are_seen_and_only_where_rows_have_them(store_path: Path, bare_path: Path) -> None:
    with Store(store_path) as store:
        catalog = StoreCatalog(store)
        column = catalog.open(Place.of("classes", model="alpha")).column("image_score_distribution")
        source = column.values.source
        assert isinstance(source, Loaded)
        assert not source.is_loaded
        assert source.reads == store.count("image")
        for place in (
            Place.of("classes", model="alpha", subset=1),
            Place.of("concepts", model="alpha", **{"class": 0}),
            Place.of("images", model="alpha"),
        ):
            assert all(column.format != DISTRIBUTION for column in catalog.open(place).columns)
    with Store(bare_path) as store:
        assert all(column.format != DISTRIBUTION for column in StoreCatalog(store).open(Place("models")).columns)


def test_a_strip_shows_every_row() -> None:
    assert strip("0|1|1000|500|0|0|0|0|0|0|0|14 in 0 to 36", UNICODE) == " ▁▇▄       ▁"
    assert strip("0|1|1000|500|0|0|0|0|0|0|0|14", ASCII) == " .@+       ."
    for nothing in ("|".join("0" * BINS), "", "a|b", "x" * 9):
        assert strip(nothing, UNICODE) == "-"


def test_exports_hold_counts(store_path: Path) -> None:
    done = CliRunner().invoke(main, [str(store_path), "--model", "alpha", "--csv", "-"])
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    refused = ["--model", "alpha", "--sort", "image_score_distribution", "--csv", "-"]
    assert "no order" in CliRunner().invoke(main, [str(store_path), *refused]).stderr
    compared = ["--model", "alpha", "--table", "classes", "--compare", "image_score_distribution", "--csv", "-"]
    assert "distributions are not compared" in CliRunner().invoke(main, [str(store_path), *compared]).stderr
    with Store(store_path) as store:
        table = StoreCatalog(store).open(Place.of("classes", model="alpha"))
        for name in ("image_score_distribution", "attribute_score_distribution"):
            assert [row[name] for row in rows] == table.column(name).values.all().tolist()
            assert (
                rows[0][name].partition(" in ")[2] == table.column(name).title.partition(" ")[2]
            )  # each cell says its scale


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_screen_draws_strips_under_their_scale(store_path: Path, ascii_only: bool) -> None:
    app = Explorer(store_path, Start(wish(model="alpha")), ascii_only=ascii_only)
    async with app.run_test(size=(200, 20)) as pilot:
        await drawn(app)
        page = app.page
        names = [column.name for column in page.table.columns]
        await press(pilot, *["right"] * (names.index("image_score_distribution") - page.table.column))
        column = page.table.columns[page.table.column]
        low, high = scale_of(column)
        expected = [strip(str(cell), app.glyphs) for cell in column.values.all()[page.view.order]]
        await until(lambda: all(text.rstrip() in screen_text(app) for text in expected), app)
        assert f"{low:g} to {high:g}{app.glyphs.degree}" in lines(app)[2]
        await press(pilot, "s")
        assert "no order" in status(app)
        await press(pilot, "H")
        assert "histogram already" in status(app)
        await press(pilot, "x")
        assert str(column.values.all()[page.view.order[page.table.cursor]]) in " ".join(screen_text(app).split())
        await press(pilot, "escape", "f", *"0|0", "enter")
        assert "no row" in screen_text(app)  # words are not looked for in counts


def test_numbers_that_signal_warn_nobody(store_path: Path, tmp_path: Path) -> None:
    """A warning would be written onto the screen."""
    path = Path(shutil.copy(store_path, tmp_path / "signals.h5"))
    signal = np.array(0x7F800001, np.uint32).view(np.float32)
    with h5py.File(path, "r+") as file:
        for name in ("classes/image_score_curve", "images/image_score", "concepts/attribute_score"):
            cells = file[f"models/alpha/{name}"][()]
            cells.view(np.uint32).flat[::5] = signal.view(np.uint32)
            file[f"models/alpha/{name}"][...] = cells
    with Store(path) as store, warnings.catch_warnings():
        warnings.simplefilter("error")
        catalog = StoreCatalog(store)
        for place in (Place("models"), Place.of("classes", model="alpha")):
            for column in catalog.open(place).columns:
                column.values.all()
                color_scale(column, UNICODE)
