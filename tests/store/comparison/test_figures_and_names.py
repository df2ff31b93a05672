"""Figures of several models in one table, the names of its columns, and what cannot be compared."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from compared_tables import cells, names, same
from opened_tables import (
    at,
    class_across_models,
    compare_classes,
    compare_figures,
    compare_models,
    concept_across_classes,
)
from stores import write_store

import sing_compute
from sing_compute.errors import StoreError
from sing_compute.store import Column, Store, Table, model_table, open_table


def values(table: Table) -> list[Column]:
    """The columns that hold a value of a model or class."""
    return [
        c for c in table.columns if re.fullmatch(r"[a-z_0-9]+\.\w+", c.name) and not c.name.endswith(("_low", "_high"))
    ]


def test_figures_of_models(store: Store) -> None:
    table = compare_figures(store, ["gamma", "alpha"])
    plain = model_table(store)
    figures = cells(table, "name").tolist()
    assert (table.axis, table.ids.tolist()) == ("figure", list(range(len(figures))))
    assert not [name for name in figures if name.endswith(("_low", "_high"))]
    ends = {name for name in names(plain) if name.endswith(("_low", "_high"))}
    assert set(figures) == set(names(plain)) - ends - {"model"}
    for model, summary in (("gamma", store.summary("gamma")), ("alpha", store.summary("alpha"))):
        values = dict(zip(figures, cells(table, f"value.{model}"), strict=True))
        assert all(values[name] == value for name, value in summary.items() if name in values)
    with np.errstate(invalid="ignore"):
        change = cells(table, "value.alpha") - cells(table, "value.gamma")
        assert same(cells(table, "value.alpha.difference"), change)
    line = figures.index("image_score")
    assert (cells(table, "figure")[line], cells(table, "unit")[line]) == ("IS", "degree")
    row = store.array("models/alpha/bootstrap/figure").tolist().index("image_score")
    ends = store.array("models/alpha/bootstrap/images_interval")[1, row]
    low, high = table.column("value.alpha").interval
    assert [cells(table, low)[line], cells(table, high)[line]] == ends.tolist()
    assert np.isnan(cells(table, low)[figures.index("nullity")])


AWKWARD = (
    "ResNet-50",
    "resnet_50",
    "resnet 50 low",
    "ネコ",
    "犬",
    "[b]x[b]",
    "=1+1",
    "a.b",
    "a",
    "b.difference",
    "1" * 90,
)


def test_names_of_columns_are_plain_and_unique_for_awkward_models(tmp_path: Path) -> None:
    path = write_store(tmp_path / "awkward.h5", models=AWKWARD, images_per_class=(3, 3, 1, 0), concepts=6)
    with Store(path) as store:
        classes = compare_models(store, "classes", "ratio", AWKWARD)
        images = compare_models(store, "images", "image_score", AWKWARD)
        for table in (classes, images, compare_figures(store, AWKWARD)):
            found = names(table)
            assert all(re.fullmatch(r"[A-Za-z0-9_.]{1,80}", name) for name in found)
            assert len({name.lower() for name in found}) == len(found)
            assert {end for column in table.columns for end in column.interval or ()} <= set(found)
            titles = [column.title for column in values(table)]
            assert all(title.endswith(name) for title, name in zip(titles, AWKWARD, strict=True))


def test_titles_of_classes_tell_namesakes_apart_and_steer_no_terminal(tmp_path: Path) -> None:
    classes = ("crane", "crane", "bell\x07\x1b[31m")
    path = write_store(tmp_path / "r.h5", class_names=classes, images_per_class=(3, 3, 3), concepts=6)
    with Store(path) as store:
        table = compare_classes(store, "alpha", "z", [2, 1, 0])
    assert [c.title for c in table.columns[2:5]] == ["z bell[31m", "z crane 1", "z crane 0"]
    assert all(text.isprintable() for c in table.columns for text in (c.name, c.title, c.description))


def test_what_cannot_stand_side_by_side_is_said(store: Store) -> None:
    pair = ("alpha", "beta")
    for error, call in (
        ("this table has: class, leak", lambda: compare_models(store, "classes", "speed", pair)),
        ("no column 'speed'; this table has: image, class", lambda: compare_models(store, "images", "speed", pair)),
        ("no column 'speed'; this table has: concept", lambda: compare_classes(store, "alpha", "speed", [0, 1])),
        ("prediction is a column of names", lambda: compare_models(store, "images", "prediction", pair)),
        ("index is a column of names", lambda: compare_models(store, "classes", "index", pair)),
        ("at least two models", lambda: compare_models(store, "images", "image_score", ["beta"])),
        ("at least two models", lambda: compare_figures(store, [])),
        ("at least two classes", lambda: compare_classes(store, "alpha", "z", [1])),
        ("beta is named twice", lambda: compare_models(store, "images", "image_score", ["beta", "alpha", "beta"])),
        ("no model 'delta'", lambda: compare_figures(store, ["alpha", "delta"])),
        ("no class 4 in results.h5; it holds 0 to 3", lambda: compare_classes(store, "alpha", "z", [0, 4])),
        ("no class -1", lambda: class_across_models(store, -1)),
        ("no class 9", lambda: compare_models(store, "images", "image_score", pair, class_index=9)),
        ("no image of empty was measured", lambda: compare_models(store, "concepts", "z", pair, class_index=3)),
        ("no image of empty was measured", lambda: compare_classes(store, "alpha", "z", [0, 3])),
        ("concepts are shown for one class", lambda: compare_models(store, "concepts", "z", pair)),
        ("models of several models cannot be compared", lambda: compare_models(store, "models", "z", pair)),
        ("no subset 'left'", lambda: compare_models(store, "classes", "ratio", pair, subset="left")),
        ("no subset 'left'", lambda: class_across_models(store, 0, "left")),
        ("no concept 40 in results.h5; it holds 0 to 39", lambda: concept_across_classes(store, "alpha", 40)),
        ("no concept -1", lambda: concept_across_classes(store, "alpha", -1)),
    ):  # fmt: skip
        with pytest.raises(StoreError, match=re.escape(error)):
            call()


def test_end_of_an_interval_and_a_column_of_a_part_can_be_compared(store: Store) -> None:
    table = compare_models(store, "classes", "ratio_low", ("alpha", "beta"))
    whole = compare_models(store, "classes", "ratio", ("alpha", "beta"))
    assert same(cells(table, "ratio_low.beta"), cells(whole, "ratio.beta_low"))


def test_asking_for_one_figure_gives_the_column_of_the_whole_table(store: Store) -> None:
    for table_of, plain in (
        (partial(open_table, store, place), open_table(store, place))
        for place in (at(store, "classes", "alpha"), at(store, "concepts", "alpha", 0), at(store, "images", "alpha"))
    ):
        naming = set(names(table_of(only=())))
        for column in plain.columns:
            if column.name.endswith(("_low", "_high")):
                continue
            table = table_of(only=(column.name,))
            ends = column.interval or ()
            assert set(names(table)) - naming - {"top_concept", "top_concept_score"} <= {column.name, *ends}
            found = table.column(column.name)
            assert (found.unit, found.interval, found.title) == (column.unit, column.interval, column.title)
            for name in (column.name, *ends):
                assert np.array_equal(cells(table, name), cells(plain, name), equal_nan=not column.is_text)


def test_frames_of_what_stands_side_by_side(shared_path: Path) -> None:
    with sing_compute.load(shared_path) as results:
        frame = results.beside("image_score_q50")
        images = results.beside("image_score", by="images", class_="dog", models=["beta", "alpha"])
        concepts = results.beside("z", by="concepts", class_=0)
        stored = results.store.array("models/alpha/concepts/z")[0]
        assert frame.index.tolist() == [0, 1, 2]
        assert [name for name in frame.columns if name.endswith("difference")] == [
            "image_score_q50.beta.difference",
            "image_score_q50.gamma.difference",
        ]
        wanted = results.images("dog", "alpha")["image_score"] - results.images("dog", "beta")["image_score"]
        assert images["image_score.alpha.difference"].tolist() == wanted.tolist()
        assert concepts["z.alpha"].tolist() == stored.tolist()
        assert frame.attrs["image_score_q50.beta.difference"].startswith("degree: beta minus alpha")
