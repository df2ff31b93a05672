"""Two files side by side: the joined numbers are those of pandas' merges on names."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from stores import write_store

from sing_compute.errors import StoreError
from sing_compute.store import Store, Table, open_table
from sing_compute.store.matching import same_texts
from sing_compute.store.place import Place
from sing_compute.store.two_files import TwoFiles

FIRST = ("cat", "dog", "owl", "empty")
SECOND = ("owl", "cat", "fox")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("two")
    write_store(path / "a.h5", models=("alpha", "beta"), class_names=FIRST, concepts=24)
    write_store(
        path / "b.h5", models=("beta", "gamma"), class_names=SECOND, images_per_class=(5, 20, 7), concepts=30, seed=1
    )
    return path


@pytest.fixture(scope="module")
def two(folder: Path) -> Iterator[TwoFiles]:
    with closing(Store(folder / "a.h5")) as first, closing(Store(folder / "b.h5")) as second:
        yield TwoFiles(first, second, ("a", "b"))


def frame(table: Table) -> pd.DataFrame:
    return pd.DataFrame({column.name: column.values.all() for column in table.columns})


def place(table: str, along: str = "", **keys: str | int) -> Place:
    return Place.of(table, along=along, **{axis.rstrip("_"): key for axis, key in keys.items()})


PLACES = [
    (place("models"), place("models"), "model", "attribute_score_abs"),
    (place("classes", model="beta"), place("classes", model="beta"), "class", "image_score_q50"),
    (place("classes", model="beta", subset=1), place("classes", model="beta", subset=1), "class", "accuracy"),
    (
        place("concepts", model="beta", class_=2),
        place("concepts", model="beta", class_=0),
        "concept",
        "attribute_score",
    ),
    (place("images", model="beta"), place("images", model="beta"), "image", "image_score"),
    (place("images", model="beta", class_=0), place("images", model="beta", class_=1), "image", "confidence"),
    (
        place("classes", along="model", class_=0),
        place("classes", along="model", class_=1),
        "model",
        "image_score_q50",
    ),
    (
        place("concepts", along="class", model="beta", concept=3),
        place("concepts", along="class", model="beta", concept=3),
        "class",
        "attribute_score",
    ),
]


@pytest.mark.parametrize(("here", "there", "name", "measure"), PLACES, ids=lambda value: getattr(value, "table", None))
def test_joined_numbers_are_those_of_a_merge(two: TwoFiles, here: Place, there: Place, name: str, measure: str) -> None:
    one, other = frame(open_table(two.first, here)), frame(open_table(two.second, there))
    wanted = one[[name, measure]].merge(other[[name, measure]], on=name, how="outer", suffixes=(".a", ".b"))
    alone = [item for item in other[name] if item not in set(one[name])]
    wanted = wanted.set_index(name).loc[[*one[name], *alone]].reset_index()
    table = two.table(here, measure)
    found = frame(table)
    assert list(found[name]) == list(wanted[name])
    left, right = (wanted[f"{measure}.{side}"].to_numpy(float) for side in "ab")
    np.testing.assert_array_equal(found[f"{measure}.a"].to_numpy(float), left)
    np.testing.assert_array_equal(found[f"{measure}.b"].to_numpy(float), right)
    np.testing.assert_allclose(found[f"{measure}.b.difference"], right - left, rtol=1e-4, atol=1e-5)
    both = wanted.dropna()
    ranks = [both[f"{measure}.{side}"].rank(ascending=False, method="min") for side in "ab"]
    change = (ranks[0] - ranks[1]).reindex(wanted.index)
    np.testing.assert_array_equal(found[f"{measure}.b.rank_change"], change)
    counts = (int(wanted[f"{measure}.b"].isna().sum()), len(alone))
    for count, label in zip(counts, "ab", strict=True):
        assert (f"{count} only in {label}" in table.note) == bool(count)
    for rows in (np.array([len(found) - 1, 0]), np.array([0])):  # a few rows are read as all are
        np.testing.assert_array_equal(
            table.column(f"{measure}.b").values.take(rows), found[f"{measure}.b"].to_numpy()[rows]
        )


def test_an_interval_follows_its_row(two: TwoFiles) -> None:
    there = frame(open_table(two.second, place("classes", model="beta"))).set_index("class")
    table = two.table(place("classes", model="beta"), "image_score_q50")
    found = frame(table).set_index("class")
    for end in ("low", "high"):
        known = found[f"image_score_q50.b_{end}"]
        assert np.isnan(known["dog"])
        np.testing.assert_array_equal(known[["owl", "cat", "fox"]], there[f"image_score_q50_{end}"])
    assert "index" not in found  # positions of two files are no names


def test_identities_of_rows_of_the_second_file_alone_begin_behind_the_first_ones_axis(two: TwoFiles) -> None:
    table = two.table(place("classes", model="beta"), "image_score_q50")
    assert table.ids is not None
    assert table.ids.tolist() == [0, 1, 2, len(FIRST) + 2]
    assert two.second_name("class", len(FIRST) + 2, place("classes", model="beta")) == "fox"
    assert two.second_name("class", 99, place("classes", model="beta")) == "-"


def test_all_figures_of_a_row_are_those_of_both_tables(two: TwoFiles) -> None:
    table = two.figures(place("classes", model="beta", class_=2))
    found = frame(table).set_index("name")
    stores, rows = (two.first, two.second), (2, 0)
    for store, row, side in zip(stores, rows, "ab", strict=True):
        known = frame(open_table(store, place("classes", model="beta"))).iloc[row]
        for name, value in found[f"value.{side}"].items():
            np.testing.assert_equal(value, float(known[name]))
            low = f"{name}_low"
            np.testing.assert_equal(found[f"value.{side}_low"][name], float(known[low]) if low in known else np.nan)
    change = found["value.b"] - found["value.a"]
    np.testing.assert_array_equal(found["value.b.difference"], change)
    assert "Caution" in table.column("value.b.difference").description


@pytest.mark.parametrize(
    ("here", "problem"),
    [
        (place("classes", model="alpha"), "b has no model 'alpha' (only a has it); its models: beta, gamma"),
        (place("concepts", model="beta", class_=1), "b has no class 'dog'"),
        (place("images", model="beta", class_=1), "b has no class 'dog'"),
    ],
)
def test_an_item_that_the_second_file_lacks_is_named(two: TwoFiles, here: Place, problem: str) -> None:
    with pytest.raises(StoreError) as caught:
        two.table(here, "image_score_q50")
    assert problem in str(caught.value)


def test_one_model_in_each_file_is_compared_whatever_its_name(tmp_path: Path, folder: Path) -> None:
    paths = [write_store(tmp_path / f"{name}.h5", models=(name,), seed=k) for k, name in enumerate(("old", "new"))]
    with closing(Store(paths[0])) as first, closing(Store(paths[1])) as second:
        two = TwoFiles(first, second, ("old", "new"))
        here, there = place("classes", model="old"), place("classes", model="new")
        table = two.table(here, "ratio")
        one, other = (open_table(store, at).column("ratio") for store, at in ((first, here), (second, there)))
        np.testing.assert_array_equal(table.column("ratio.new").values.all(), other.values.all())
        change = other.values.all() - one.values.all()
        np.testing.assert_array_equal(table.column("ratio.new.difference").values.all(), change)
        assert table.note.endswith("model new in new")
        models = two.table(place("models"), "accuracy")
        assert models.length == 1
        assert not np.isnan(models.column("accuracy.new.difference").values.all()).any()


def changed(source: Path, target: Path, **codes: list[str]) -> Path:
    """A copy of a file with other codes, names or CLIP."""
    target.write_bytes(source.read_bytes())
    with h5py.File(target, "r+") as file:
        for name, texts in codes.items():
            if name == "clip":
                file["clip"].attrs["tag"] = np.bytes_(texts[0])
                continue
            if name in file["classes"]:
                del file[f"classes/{name}"]
            file[f"classes/{name}"] = np.array([text.encode() for text in texts], h5py.string_dtype("utf-8", 12))
    return target


def test_codes_come_before_names_and_repeated_names_are_not_guessed(tmp_path: Path, folder: Path) -> None:
    names = ["crane", "dog", "crane", "empty"]
    source = folder / "a.h5"
    coded = changed(source, tmp_path / "coded.h5", name=names, wnid=["n1", "n2", "n3", "n4"])
    turned = changed(source, tmp_path / "turned.h5", name=names, wnid=["n3", "n2", "n1", "n4"])
    plain = changed(source, tmp_path / "plain.h5", name=["dog", "crane", "crane", "empty"])
    here = place("classes", model="alpha")
    with closing(Store(coded)) as first, closing(Store(turned)) as second, closing(Store(plain)) as third:
        found = TwoFiles(first, second, ("a", "b")).table(here, "image_score_q50")
        own = open_table(first, here).column("image_score_q50").values.all()
        np.testing.assert_array_equal(found.column("image_score_q50.b").values.all(), own[[2, 1, 0]])
        assert (
            TwoFiles(first, second, ("a", "b")).counterpart(place("concepts", model="alpha", class_=0)).index("class")
            == 2
        )
        doubtful = TwoFiles(first, third, ("a", "b"))
        found = doubtful.table(here, "image_score_q50")
        values = dict(
            zip(found.column("class").values.all(), found.column("image_score_q50.b").values.all(), strict=False)
        )
        assert values["dog"] == own[0]
        assert found.length == 5
        assert "4 rows of one name" in found.note
        with pytest.raises(StoreError, match="several classes are named 'crane'"):
            doubtful.counterpart(place("concepts", model="alpha", class_=0))
        same = TwoFiles(first, first, ("a", "b")).table(here, "image_score_q50")  # equal lists need no names
        assert not np.any(same.column("image_score_q50.b.difference").values.all())


def test_a_difference_says_what_else_differs(tmp_path: Path, folder: Path) -> None:
    own = changed(folder / "a.h5", tmp_path / "own.h5")
    other = changed(folder / "a.h5", tmp_path / "clip.h5", clip=["RN50/openai"])
    for path, size in ((own, "224"), (other, "256")):
        with h5py.File(path, "r+") as file:
            file["models/alpha"].attrs["preprocessing"] = np.bytes_(f"resize {size}")
    with closing(Store(own)) as first, closing(Store(other)) as second, closing(Store(folder / "a.h5")) as third:
        unknown = TwoFiles(first, third, ("a", "b"))
        assert not unknown.table(
            place("classes", model="alpha"), "ratio"
        ).note  # a file that does not say it may be the same
        two = TwoFiles(first, second, ("a", "b"))
        assert two.table(place("classes", model="beta"), "ratio").note == "other CLIP"
        table = two.table(place("classes", model="alpha"), "image_score_q50")
        assert table.note == "other CLIP, preprocessing"
        text = table.column("image_score_q50.b.difference").description
        assert "b minus a" in text
        assert "two CLIPs are not on one scale" in text
        assert "CLIP" not in table.column("image_score_q50.b").description


def test_equal_texts_of_other_lengths_are_equal(tmp_path: Path, folder: Path) -> None:
    wide = changed(folder / "a.h5", tmp_path / "wide.h5", name=list(FIRST))
    with closing(Store(folder / "a.h5")) as first, closing(Store(wide)) as second:
        assert first.dataset("classes/name").dtype != second.dataset("classes/name").dtype
        assert same_texts(first.dataset("classes/name"), second.dataset("classes/name"))
