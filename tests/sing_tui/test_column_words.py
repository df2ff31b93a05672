"""The numbers of a row in words: every column has its text, and its numbers are those of the store."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store

from sing_compute.formats import ASCII
from sing_compute.store import FIELDS, Comparison, Place, Store, Table, catalogue, model_table, open_table
from sing_compute.store.definition import Explanation
from sing_tui.view import Arrangement, arrange
from sing_tui.words import column_texts, words_text

NAMING = ("label", "code", "text", "index")
EXPLAINED = (
    *("models", "classes", "concepts", "images", "null_directions", "null_modes", "null_words", "directions"),
    *("unread_directions", "direction_classes", "direction_images", "direction_corrections", "direction_rivals"),
    *("direction_matches", "direction_losses", "steering"),
)
"""Tables whose columns docs/method.md or docs/directions.md defines."""


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
    keys = {"model": "alpha", "class": 0}
    return {
        spec.name: open_table(store, Place.of(spec.name, **{axis: keys[axis] for axis in spec.within}))
        for spec in catalogue.tables(store)
    }


def test_every_declared_column_has_its_words(full_path: Path) -> None:
    with Store(full_path) as store:
        found = tables(store)
        assert set(found) == {"models", "classes", "concepts", "images"}
        for name, table in found.items():
            shown = {row.column.name: row.explanation for row in column_texts(arrange(table, Arrangement()), 0)}
            declared = {column.name: column.explanation for column in catalogue.table(name).columns}
            assert shown == declared
            ends = {column.name for column in table.columns} - shown.keys()
            assert ends == {end for c in table.columns for bounds in c.intervals for end in (bounds.low, bounds.high)}


def test_every_number_has_formula_meaning_caution_and_source() -> None:
    for spec in map(catalogue.table, EXPLAINED):
        for column in spec.columns:
            words, where = column.explanation, (spec.name, column.name)
            assert words.meaning, where
            assert words.source, where
            assert bool(words.formula) == (
                column.role not in NAMING or column.name in ("top_concept", "leak_concept")
            ), where
            assert bool(words.caution) == bool(words.formula), where
            for part in (words.formula, words.meaning, words.caution, words.source):
                assert part.isascii()
                assert "  " not in part


def test_every_section_of_the_method_that_is_named_is_there() -> None:
    method = (Path(__file__).resolve().parents[2] / "docs" / "method.md").read_text()
    sections = {line.lstrip("# ").lower() for line in method.splitlines() if line.startswith("## ")}
    sources = {c.explanation.source for name in EXPLAINED for c in catalogue.table(name).columns}
    named = {place for source in sources for place in re.findall(r"docs/method\.md, ([^;]+)", source)}
    assert named
    assert named <= sections, named - sections
    assert not [source for source in sources if "docs/method.md" in source.replace("docs/method.md, ", "")]


def test_the_words_hold_the_numbers_of_the_row_with_unit_and_intervals(full_path: Path) -> None:
    with Store(full_path) as store:
        view = arrange(model_table(store), Arrangement("", "accuracy", True))
        model = store.models[view.identity(1)]
        rows = {row.column.name: row.value for row in column_texts(view, 1)}
        for name, value in store.summary(model).items():
            if name not in rows:
                continue
            number = rows[name].split()[0].rstrip(",")
            assert float(number) == pytest.approx(value, rel=1e-5), name
            assert ("degrees" in rows[name]) == (FIELDS[f"models/{{model}}/summary/{name}"].unit == "degree"), name
        names = store.array(f"models/{model}/bootstrap/figure").tolist()
        low, high = store.array(f"models/{model}/bootstrap/images_interval")[1, names.index("image_score")]
    ends = f"95% interval over images {low:.6g} to {high:.6g}, 95% interval over classes 1 to 2"
    assert rows["image_score"].endswith(ends)
    assert "interval" not in rows["accuracy"]


def test_a_row_along_an_axis_has_the_words_of_its_own_table(full_path: Path) -> None:
    with Store(full_path) as store:
        view = arrange(open_table(store, Place.of("classes", along="model", **{"class": 0})), Arrangement())
        words = {row.column.name: row.explanation for row in column_texts(view, 0)}
    declared = {column.name: column.explanation for column in catalogue.table("classes").columns}
    assert words["accuracy"] == declared["accuracy"]
    assert words["attribute_score_q50"] == declared["attribute_score_q50"]


def test_in_a_comparison_each_column_says_what_it_compares(full_path: Path) -> None:
    place = Place(
        "classes", (("model", "alpha"),), comparison=Comparison("model", ("alpha", "beta"), "image_score_q50")
    )
    with Store(full_path) as store:
        rows = column_texts(arrange(open_table(store, place), Arrangement()), 0)
    words = {row.column.name: row.explanation for row in rows}
    assert words["image_score_q50.beta"] == Explanation(meaning="beta: 50th percentile of IS")
    assert "95% interval over images" in next(row.value for row in rows if row.column.name == "image_score_q50.beta")
    assert "beta minus alpha" in words["image_score_q50.beta.difference"].meaning


def test_words_fit_a_narrow_sheet_and_plain_ascii(full_path: Path) -> None:
    with Store(full_path) as store:
        for table in tables(store).values():
            text = str(words_text("ネコ", column_texts(arrange(table, Arrangement()), 0), ASCII))
            assert text.isascii()
            assert max(map(len, text.splitlines())) <= 80 - 10
