"""Comparisons of models, classes and figures, against numpy and scipy on the arrays of the file."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from opened_tables import (
    at,
    class_across_models,
    compare_classes,
    compare_figures,
    compare_models,
    concept_across_classes,
)
from scipy.stats import rankdata
from stores import write_store

import sing_compute
from sing_compute.errors import StoreError
from sing_compute.store import Column, Store, Table, class_table, concept_table, model_table, open_table
from sing_compute.store.gate import Stored

MODELS = ("alpha", "beta", "gamma")


@pytest.fixture(scope="module")
def shared_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("beside") / "results.h5", models=MODELS)


@pytest.fixture
def store(shared_path: Path) -> Iterator[Store]:
    with Store(shared_path) as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5", models=MODELS)


def cells(table: Table, name: str) -> NDArray[np.generic]:
    return table.column(name).values.all()


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def values(table: Table) -> list[Column]:
    """The columns that hold a value of a model or class."""
    return [
        c for c in table.columns if re.fullmatch(r"[a-z_0-9]+\.\w+", c.name) and not c.name.endswith(("_low", "_high"))
    ]


def moved(first: NDArray[np.generic], other: NDArray[np.generic]) -> NDArray[np.generic]:
    """Rank in the first minus rank in the other, the largest value first, ties sharing the smaller rank."""
    return rankdata(-first, "min", nan_policy="omit") - rankdata(-other, "min", nan_policy="omit")


def same(found: NDArray[np.generic], wanted: NDArray[np.generic]) -> bool:
    return np.array_equal(found, wanted, equal_nan=True)


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
        assert cells(table, name).tolist() == found
        assert table.column(name).unit == tables[0].column(name).unit
        assert table.column(name).interval == tables[0].column(name).interval
    assert cells(table, "class").tolist() == ["cat", "dog", "owl"]


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
        ("this table has: class, attribute_score_q50", lambda: compare_models(store, "classes", "speed", pair)),
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
