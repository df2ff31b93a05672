"""Images of several models in one table: values, differences and changes of rank."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from compared_tables import MODELS, cells, moved, names, same
from numpy.typing import NDArray
from opened_tables import (
    compare_models,
)
from scipy.stats import rankdata

from sing_compute.store import Store
from sing_compute.store.stored import Stored


def test_images_of_models_stand_side_by_side(store: Store) -> None:
    table = compare_models(store, "images", "image_score", MODELS)
    stored = {model: store.array(f"models/{model}/images/image_score") for model in MODELS}
    assert names(table) == [
        "image", "class", "image_score.alpha", "image_score.beta", "image_score.gamma",
        "image_score.beta.difference", "image_score.gamma.difference",
        "image_score.beta.rank_change", "image_score.gamma.rank_change",
    ]  # fmt: skip
    assert (table.kind, table.length) == ("images", len(stored["alpha"]))
    assert table.column("image_score.beta").title == "IS beta"
    assert table.column("image_score.beta.difference").title == "diff IS beta"
    assert table.column("image_score.beta.difference").unit == "degree"
    assert table.column("image_score.beta.rank_change").unit == "count"
    for model in MODELS:
        assert same(cells(table, f"image_score.{model}"), stored[model])
    for model in MODELS[1:]:
        assert same(cells(table, f"image_score.{model}.difference"), stored[model] - stored["alpha"])
        assert same(cells(table, f"image_score.{model}.rank_change"), moved(stored["alpha"], stored[model]))


@pytest.mark.parametrize("measure", ["confidence", "attribute_score", "top_concept_score"])
def test_images_of_a_class_are_ranked_among_themselves(store: Store, measure: str) -> None:
    table = compare_models(store, "images", measure, ("gamma", "alpha"), class_index=1)
    low, high = store.offsets[1:3]
    gamma, alpha = (store.array(f"models/{model}/images/{measure}")[low:high] for model in ("gamma", "alpha"))
    gamma, alpha = (a if a.ndim == 1 else a[:, 0] for a in (gamma, alpha))
    rows = np.array([5, 0, 5, 11])
    for name, wanted in ((measure + ".alpha.difference", alpha - gamma), (measure + ".alpha.rank_change", None)):
        wanted = moved(gamma, alpha) if wanted is None else wanted
        assert same(table.column(name).values.take(rows), wanted[rows])
        assert same(cells(table, name), wanted)
    assert same(table.ids, np.arange(low, high))
    assert not table.rankings


def test_ties_share_the_smaller_rank_and_missing_values_have_none(path: Path) -> None:
    alpha = np.array([3, 3, np.nan, 1, 1, 1, np.inf, -np.inf, 2, 0, -0.0, 5], np.float32)
    beta = np.array([3, 4, 5, 1, 1, np.nan, np.inf, -np.inf, 9, 9, 0, 5], np.float32)
    with h5py.File(path, "r+") as file:
        for model, column in (("alpha", alpha), ("beta", beta)):
            group = file[f"models/{model}"]
            whole = np.resize(column, len(group["images/image_score"]))
            group["images/image_score"][...] = whole
            group["rankings/image_score"][...] = np.argsort(whole, kind="stable")
    with Store(path) as store:
        for class_index in (1, None):
            table = compare_models(store, "images", "image_score", ("alpha", "beta"), class_index=class_index)
            first, other = (cells(table, f"image_score.{model}") for model in ("alpha", "beta"))
            found = cells(table, "image_score.beta.rank_change")
            assert same(found, moved(first, other))
            assert np.isnan(found).sum() == (np.isnan(first) | np.isnan(other)).sum() > 0


def test_a_table_of_equal_or_missing_values_has_ranks_too(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/images/confidence"][...] = 0.5
        file["models/beta/images/confidence"][...] = np.nan
    with Store(path) as store:
        table = compare_models(store, "images", "confidence", ("alpha", "beta", "gamma"))
        assert np.isnan(cells(table, "confidence.beta.rank_change")).all()
        gamma = store.array("models/gamma/images/confidence")
        assert same(cells(table, "confidence.gamma.rank_change"), 1 - rankdata(-gamma, "min"))


def test_the_stored_orders_are_handed_on(store: Store) -> None:
    table = compare_models(store, "images", "null_energy", ("beta", "alpha"))
    for model in ("beta", "alpha"):
        order = table.rankings[f"null_energy.{model}"][()]
        assert same(order, np.argsort(store.array(f"models/{model}/images/null_energy"), kind="stable"))


def test_ranks_do_not_trust_the_stored_ranking(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/beta/rankings/image_score"][...] = 2**30
    with Store(path) as store:
        alpha, beta = (store.array(f"models/{model}/images/image_score") for model in ("alpha", "beta"))
        table = compare_models(store, "images", "image_score", ("alpha", "beta"))
        assert same(cells(table, "image_score.beta.rank_change"), moved(alpha, beta))


def test_ranks_of_any_numbers(path: Path) -> None:
    rng = np.random.default_rng(3)
    first, other = (np.concatenate([rng.normal(0, 10.0**k, 7) for k in (-40, -3, 0, 3, 30)])[:30] for _ in range(2))
    first[20:] = rng.integers(-3, 3, 10)
    first, other = first.astype(np.float32), other.astype(np.float32)
    other[:4] = np.copysign(np.nan, -1), np.float32(1e-45), np.float32(-1e-45), -0.0
    with h5py.File(path, "r+") as file:
        for model, column in (("alpha", first), ("beta", other)):
            file[f"models/{model}/images/cosine"][:30] = column
    with Store(path) as store:
        table = compare_models(store, "images", "cosine", ("alpha", "beta"), class_index=0)
        assert same(cells(table, "cosine.beta.rank_change"), moved(first, other))


def test_building_reads_no_image_column_and_rows_read_only_themselves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(store.class_names) == store.offsets.size - 1  # read once for every table
    read: list[tuple[str, int]] = []
    plain = Stored._read

    def counting(self: Stored, start: int, stop: int, step: int = 1) -> NDArray[np.generic]:
        read.append((self.path, stop - start))
        return plain(self, start, stop, step)

    monkeypatch.setattr(Stored, "_read", counting)
    table = compare_models(store, "images", "image_score", MODELS)
    assert read == []
    rows = np.arange(7, 12)
    for name in names(table):
        if not name.endswith("rank_change"):
            assert len(table.column(name).values.take(rows)) == 5
    assert {length for _, length in read} == {5}
    read.clear()
    for _ in range(3):
        table.column("image_score.beta.rank_change").values.take(rows)
    table.column("image_score.gamma.rank_change").values.take(rows)
    assert read == [(f"models/{model}/images/image_score", table.length) for model in MODELS]
