"""Classes and concepts of several models or classes in one table."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from compared_tables import MODELS, cells, moved, names, same
from opened_tables import (
    class_across_models,
    compare_classes,
    compare_models,
    concept_across_classes,
)
from stores import write_store

from sing_compute.errors import StoreError
from sing_compute.store import Store, class_table, concept_table
from sing_compute.store.stored import Stored


@pytest.mark.parametrize("subset", ["all", "right", "wrong"])
def test_classes_of_models_stand_side_by_side_with_their_intervals(store: Store, subset: str) -> None:
    table = compare_models(store, "classes", "ratio", ("beta", "alpha"), subset=subset)
    row = store.subsets.index(subset)
    ids = np.flatnonzero(store.array("models/beta/classes/count")[row])
    assert (table.kind, table.ids.tolist()) == ("classes", ids.tolist())
    assert cells(table, "class").tolist() == store.class_names[ids].tolist()
    assert names(table) == [
        "class", "index", "ratio.beta", "ratio.beta_low", "ratio.beta_high", "ratio.alpha", "ratio.alpha_low",
        "ratio.alpha_high", "ratio.alpha.difference", "ratio.alpha.rank_change",
    ]  # fmt: skip
    beta, alpha = (store.array(f"models/{model}/classes/ratio")[row][ids] for model in ("beta", "alpha"))
    assert same(cells(table, "ratio.alpha"), alpha)
    assert same(cells(table, "ratio.alpha.difference"), alpha - beta)
    assert same(cells(table, "ratio.alpha.rank_change"), moved(beta, alpha))
    figure = store.array("models/alpha/classes/interval_figure").tolist().index("ratio")
    ends = store.array("models/alpha/classes/interval")[figure, row][ids]
    assert table.column("ratio.alpha").interval == ("ratio.alpha_low", "ratio.alpha_high")
    assert same(np.stack([cells(table, f"ratio.alpha_{end}") for end in ("low", "high")], axis=1), ends)


def test_a_class_that_the_first_model_lacks_has_no_row_and_one_that_another_lacks_no_value(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for model, absent in (("alpha", 0), ("beta", 1)):
            group = file[f"models/{model}/classes"]
            group["count"][2, absent] = 0
            group["image_score_q50"][2, absent] = np.nan
            group["count"][2, 1 - absent], group["image_score_q50"][2, 1 - absent] = 3, 7.5
    with Store(path) as store:
        table = compare_models(store, "classes", "image_score_q50", ("alpha", "beta"), subset="wrong")
        counts = compare_models(store, "classes", "count", ("alpha", "beta"), subset="wrong")
    assert 0 not in table.ids
    line = table.ids.tolist().index(1)
    for name in ("", ".difference", ".rank_change"):
        assert np.isnan(cells(table, f"image_score_q50.beta{name}")[line])
    assert cells(table, "image_score_q50.alpha")[line] == 7.5
    assert cells(counts, "count.beta.difference")[line] == -3


@pytest.mark.parametrize("measure", ["attribute_score", "attribute_score_common", "p", "control"])
def test_concepts_of_models_stand_side_by_side(store: Store, measure: str) -> None:
    table = compare_models(store, "concepts", measure, ("alpha", "beta"), class_index=1)
    alpha, beta = (cells(concept_table(store, model, 1), measure) for model in ("alpha", "beta"))
    assert names(table)[:3] == ["concept", "kind", f"{measure}.alpha"]
    assert same(cells(table, f"{measure}.beta"), beta)
    assert same(cells(table, f"{measure}.beta.difference"), beta - alpha)
    assert same(cells(table, f"{measure}.beta.rank_change"), moved(alpha, beta))
    if measure == "attribute_score":
        score, half = (store.array(f"models/beta/concepts/{name}")[1] for name in (measure, measure + "_half"))
        assert same(cells(table, "attribute_score.beta_low"), score - half)
        assert same(cells(table, "attribute_score.beta_high"), score + half)


def test_concepts_of_classes_stand_side_by_side(store: Store) -> None:
    table = compare_classes(store, "gamma", "angle_before", [2, 0, 1])
    stored = store.array("models/gamma/concepts/angle_before")
    assert names(table)[2:] == [
        "angle_before.owl", "angle_before.cat", "angle_before.dog", "angle_before.cat.difference",
        "angle_before.dog.difference", "angle_before.cat.rank_change", "angle_before.dog.rank_change",
    ]  # fmt: skip
    assert table.kind == "concepts"
    assert same(cells(table, "angle_before.dog"), stored[1])
    assert same(cells(table, "angle_before.dog.difference"), stored[1] - stored[2])
    assert same(cells(table, "angle_before.dog.rank_change"), moved(stored[2], stored[1]))


def test_a_class_across_models(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["models/alpha/classes/interval"]
        del file["models/beta/classes/ratio"]
        file["models/beta/classes/count"][1, 1] = 0
        wanted = np.array([file[f"models/{model}/classes/image_score_q50"][1, 1] for model in MODELS])
        ends = file["models/gamma/classes/interval"][:, 1, 1]
        figures = file["models/gamma/classes/interval_figure"].asstr()[()].tolist()
        controls = [file[f"models/{model}/classes/image_score_control"][1] for model in MODELS]
    with Store(path) as store:
        table = class_across_models(store, 1, "right")
        everything = class_across_models(store, 1)
        every = set(names(class_table(store, "gamma")))
    assert (table.axis, table.ids.tolist(), names(table)[0]) == ("model", [0, 1, 2], "model")
    assert cells(table, "model").tolist() == list(MODELS)
    assert cells(table, "class").tolist() == ["dog"] * 3
    assert cells(table, "index").tolist() == [1] * 3
    assert same(cells(table, "image_score_q50"), wanted)
    assert cells(table, "count")[1] == 0
    assert np.isnan(cells(table, "ratio")).tolist() == [False, True, False]
    assert table.column("ratio").interval == ("ratio_low", "ratio_high")
    assert np.isnan(cells(table, "ratio_low")).tolist() == [True, True, False]
    assert [cells(table, f"ratio_{end}")[2] for end in ("low", "high")] == ends[figures.index("ratio")].tolist()
    assert same(cells(everything, "image_score_control"), controls)
    assert set(names(everything)) == every | {"model"}


def test_a_model_without_scores_is_a_row_among_models_of_a_class(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5")
    with h5py.File(path, "r+") as file:
        for group in ("images", "classes"):
            for name in [name for name in file[f"models/alpha/{group}"] if "score" in name or name == "ratio"]:
                del file[f"models/alpha/{group}/{name}"]
        del file["models/alpha/concepts"]
    with Store(path) as store:
        table = class_across_models(store, 0)
        assert np.isnan(cells(table, "image_score_q50")).tolist() == [True, False]
        for order in (("alpha", "beta"), ("beta", "alpha")):
            with pytest.raises(StoreError, match="alpha: no column 'image_score_q50'; this table has: class, count"):
                compare_models(store, "classes", "image_score_q50", order)
            with pytest.raises(StoreError, match="alpha has no concept shifts"):
                compare_models(store, "concepts", "z", order, class_index=0)
        with pytest.raises(StoreError, match="alpha has no concept shifts"):
            concept_across_classes(store, "alpha", 0)
        with pytest.raises(StoreError, match="alpha has no concept shifts"):
            compare_classes(store, "alpha", "z", [0, 1])


def test_a_concept_across_classes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    plain = Stored._read
    monkeypatch.setattr(Stored, "_read", lambda self, *rows: read.append(self.path) or plain(self, *rows))
    table = concept_across_classes(store, "beta", 3)
    assert not [name for name in read if name.startswith("models/beta/concepts/")]
    assert (table.axis, table.ids.tolist()) == ("class", [0, 1, 2])
    cells(table, "z")
    assert [name for name in read if "/concepts/" in name] == ["models/beta/concepts/z"]
    tables = [concept_table(store, "beta", c) for c in range(3)]
    every = [name for name in names(tables[0]) if name not in ("concept", "kind")]
    assert names(table) == ["class", "index", *every]
    for name in every:
        found = [cells(t, name)[3] for t in tables]
        np.testing.assert_array_equal(cells(table, name), found)
        assert table.column(name).unit == tables[0].column(name).unit
        assert table.column(name).interval == tables[0].column(name).interval
    assert cells(table, "class").tolist() == ["cat", "dog", "owl"]
