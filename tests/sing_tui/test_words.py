"""The page that says the numbers of a row in words: every column has its text, and its numbers are those of the store."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from driving import AT, lines, on_screen, press, settle
from stores import write_store

from sing_compute.store import FIELDS, Store, Table, class_table, concept_table, image_table, model_table
from sing_compute.store.columns import CLASSES, CONCEPTS, IMAGES, MODELS
from sing_tui.app import Explorer
from sing_tui.formats import ASCII
from sing_tui.start import LEVELS, Start, Wish
from sing_tui.view import Arrangement, arrange
from sing_tui.words import told, word_text, words


@pytest.fixture
def full_path(tmp_path: Path) -> Path:
    """A file with every column there is: three models, groups, WordNet ids, intervals over classes."""
    path = write_store(tmp_path / "full.h5", models=("alpha", "beta", "gamma"), groups=("in", "out"))
    with h5py.File(path, "r+") as file:
        file["classes/wnid"] = np.array([b"n01", b"n02", b"n03", b"n04"])
        for model in file["models"].values():
            model["bootstrap/classes_interval"][...] = [1.0, 2.0]
    return path


def tables(store: Store) -> dict[str, Table]:
    return {
        "models": model_table(store),
        "classes": class_table(store, "alpha"),
        "concepts": concept_table(store, "alpha", 0),
        "images": image_table(store, "alpha"),
    }


def test_every_column_of_every_table_has_its_words_and_no_words_are_idle(full_path: Path) -> None:
    with Store(full_path) as store:
        found = tables(store)
        shown = {
            (kind, row.column.name) for kind, table in found.items() for row in told(arrange(table, Arrangement()), 0)
        }
        every = {(kind, column.name) for kind, table in found.items() for column in table.columns}
    assert shown == set(words())
    ends = {name for _, name in every - shown}
    assert ends
    assert all(re.search("_(low|high)$", name) for name in ends)
    for kind, listed in (("models", MODELS), ("classes", CLASSES), ("concepts", CONCEPTS), ("images", IMAGES)):
        assert {(kind, name) for name, _ in listed} <= shown


def test_every_number_has_formula_meaning_caution_and_source() -> None:
    for (kind, name), word in words().items():
        text = name in ("model", "class", "concept", "kind", "image", "prediction", "group", "wnid", "index")
        assert word.meaning, (kind, name)
        assert word.source, (kind, name)
        assert bool(word.formula) == bool(word.caution or name == "top_concept") == (not text), (kind, name)
        for part in (word.formula, word.meaning, word.caution, word.source):
            assert part.isascii()
            assert "  " not in part


def test_every_place_in_the_method_that_is_named_is_there() -> None:
    method = (Path(__file__).resolve().parents[2] / "docs" / "method.md").read_text()
    sections = {line.lstrip("# ").lower() for line in method.splitlines() if line.startswith("## ")}
    named = {place for word in words().values() for place in re.findall(r"docs/method\.md, ([^;]+)", word.source)}
    assert named
    assert named <= sections, named - sections
    assert not [
        word.source for word in words().values() if "docs/method.md" in word.source.replace("docs/method.md, ", "")
    ]


def test_the_words_hold_the_numbers_of_the_row_with_unit_and_intervals(full_path: Path) -> None:
    with Store(full_path) as store:
        view = arrange(model_table(store), Arrangement("", "accuracy", True))
        model = store.models[view.identity(1)]
        rows = {row.column.name: row.value for row in told(view, 1)}
        for name, value in store.summary(model).items():
            if name not in rows:
                continue
            number = rows[name].split()[0].rstrip(",")
            assert float(number) == pytest.approx(value, rel=1e-5), name
            assert ("degrees" in rows[name]) == (FIELDS[f"models/{{model}}/summary/{name}"].unit == "degree"), name
        names = store.array(f"models/{model}/bootstrap/figure").tolist()
        low, high = store.array(f"models/{model}/bootstrap/images_interval")[1, names.index("image_score")]
    assert f"95% interval over images {low:.6g} to {high:.6g}" in rows["image_score"]
    assert "95% interval over classes 1 to 2" in rows["image_score"]
    assert "interval" not in rows["accuracy"]


def test_words_fit_a_narrow_sheet_and_plain_ascii(full_path: Path) -> None:
    with Store(full_path) as store:
        for table in tables(store).values():
            text = str(word_text("ネコ", told(arrange(table, Arrangement()), 0), ASCII))
            assert text.isascii()
            assert max(map(len, text.splitlines())) <= 80 - 10


@pytest.mark.asyncio
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("size", "ascii_only"), [((80, 24), True), ((200, 50), False)])
async def test_the_page_opens_at_the_column_under_the_cursor_and_closes(
    store_path: Path, level: str, size: tuple[int, int], ascii_only: bool
) -> None:
    app = Explorer(store_path, AT[level], ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        screen = app.screen
        while screen.table.columns[screen.table.column].is_text:
            await press(pilot, "right")
        chosen = screen.table.columns[screen.table.column]
        await press(pilot, "x")
        assert app.screen is not screen
        word = words()[level, chosen.name]
        heading = next(line for line in lines(app) if chosen.name in line)
        assert lines(app).index(heading) < 8
        assert word.formula[:30] in " ".join(on_screen(app).split())
        assert not ascii_only or on_screen(app).isascii()
        for key in ("G", "g", "j", "k", "pagedown", "x"):
            await press(pilot, key)
        assert app.screen is screen
        await press(pilot, "colon", *"in words", "enter")
        assert app.screen is not screen
        await press(pilot, "escape")
        assert app.screen is screen


@pytest.mark.asyncio
async def test_a_row_that_cannot_be_read_is_a_line_and_no_page(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5")
    with h5py.File(path, "r+") as file:
        name = "models/alpha/images/confidence"
        del file[name]
        file.create_dataset(name, shape=43, dtype="f4", chunks=(43,), compression="gzip")
        file[name].id.write_direct_chunk((0,), b"no gzip at all")
    app = Explorer(path, Start(Wish(table="images", model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = app.screen
        await press(pilot, "x")
        assert app.screen is screen
        assert "confidence: cannot be read" in screen.query_one("#status").left
