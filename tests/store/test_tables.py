"""Columns beside the scores, against numbers worked out by hand: intervals, places, controls, significance."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store

import sing_compute
from sing_compute.store import Place, Store, Table, class_table, concept_table, model_table, open_table, table_building
from sing_compute.store.columns import Values
from sing_compute.store.table_building import row_positions

FIGURES = ["attribute_score_abs", "image_score", "ratio_images"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5", models=("alpha", "beta", "gamma"))


def cells(table: Table, name: str) -> list[object]:
    return table.column(name).values.all().tolist()


def test_models_are_placed_by_their_ratio_and_compared_with_the_next(path: Path) -> None:
    above = np.full((3, 3, 3, 3), 0.5)
    above[:, 2] = [
        [[0.5, 0.2, 0.1], [0.8, 0.5, 0.4], [0.9, 0.6, 0.5]],
        [[0.5, 0.3, 0.7], [0.7, 0.5, 0.9], [0.3, 0.1, 0.5]],
        [[0.5, 0.4, 0.6], [0.6, 0.5, 0.2], [0.4, 0.8, 0.5]],
    ]
    with h5py.File(path, "r+") as file:
        file["comparison/above"][...] = above
        file["comparison/value"][1, 2] = [20.0, 30.0, 10.0]  # beta, alpha, gamma
    with Store(path) as store:
        table = model_table(store)
    assert cells(table, "place") == [2, 1, 3]
    for name, beta_above_alpha, alpha_above_gamma in (
        ("above_next_tenth", 0.8, 0.1),
        ("above_next", 0.7, 0.7),
        ("above_next_tenfold", 0.6, 0.6),
    ):
        found = cells(table, name)
        assert found[:2] == pytest.approx([alpha_above_gamma, beta_above_alpha])
        assert math.isnan(found[2])


def test_a_model_without_ratio_has_no_place_and_is_nobodys_neighbour(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["comparison/value"][1, 2] = [20.0, np.nan, 10.0]
        file["comparison/above"][1, 2, 0, 2] = 0.75
    with Store(path) as store:
        table = model_table(store)
    assert np.array_equal(cells(table, "place"), [1, np.nan, 2], equal_nan=True)
    assert np.array_equal(cells(table, "above_next"), [0.75, np.nan, np.nan], equal_nan=True)


@pytest.mark.parametrize("count", [1, 3])
def test_a_name_whose_index_is_missing_is_empty(count: int) -> None:
    values = Values(np.array([math.nan, 2.0, 9.0])[:count], names=np.array(["a", "b", "c"]))
    assert values.all().tolist() == ["", "c", ""][:count]
    assert values.codes().tolist() == [-1, 2, -1][:count]
    assert values.take(np.array([0])).tolist() == [""]


def test_one_model_has_no_place(tmp_path: Path) -> None:
    with Store(write_store(tmp_path / "one.h5", models=("alpha",))) as store:
        assert not {"place", "above_next"} & {column.name for column in model_table(store).columns}


def test_ends_of_intervals_stand_behind_their_figure_and_say_what_was_resampled(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        names = list(file["models/beta/bootstrap/figure"].asstr()[()])
        row = names.index("image_score")
        file["models/beta/bootstrap/images_interval"][1, row] = [10.0, 12.5]
        file["models/beta/bootstrap/classes_interval"][row] = [8.0, 15.0]
    with Store(path) as store:
        table = model_table(store)
    names = [column.name for column in table.columns]
    at = names.index("image_score")
    assert names[at : at + 3] == ["image_score", "image_score_low", "image_score_high"]
    assert table.column("image_score").interval == ("image_score_low", "image_score_high")
    found = [cells(table, f"image_score_{end}")[1] for end in ("low", "high", "classes_low", "classes_high")]
    assert found == [10.0, 12.5, 8.0, 15.0]
    assert "over classes" in table.column("image_score_classes_low").description
    assert table.column("image_score_low").unit == "degree"


def test_effects_of_classes_are_ratios_to_their_control_and_only_of_all_images(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        group = file["models/alpha/classes"]
        group["attribute_score_abs_q50"][0] = [3.0, 1.0, 2.0, np.nan]
        group["attribute_score_abs_control"][...] = [1.5, 2.0, 0.0, np.nan]
    with Store(path) as store:
        table = class_table(store, "alpha")
        assert cells(table, "attribute_score_abs_over_control") == [2.0, 0.5, math.inf]
        assert cells(table, "attribute_score_abs_control") == [1.5, 2.0, 0.0]
        names = [column.name for column in class_table(store, "alpha", "right").columns]
    assert not [name for name in names if name.endswith("control")]


def test_intervals_of_classes_follow_the_subset(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        group = file["models/alpha/classes"]
        row = list(group["interval_figure"].asstr()[()]).index("ratio")
        group["interval"][row, 2, :, 0] = [1, 2, 3, 4]
        shown = np.flatnonzero(group["count"][2])
    with Store(path) as store:
        assert cells(class_table(store, "alpha", "wrong"), "ratio_low") == [[1, 2, 3, 4][c] for c in shown]


def test_significance_is_a_mark_and_columns(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        group = file["models/alpha/concepts"]
        group["z"][0, :3] = [0.0, -1.959964, 3.2905267]
        group["q"][0, :4] = [1.0, 0.05, 0.049, np.nan]
        group["attribute_score"][0, :2] = [1.0, -0.5]
        group["attribute_score_half"][0, :2] = [0.25, 0.125]
    with Store(path) as store:
        table = concept_table(store, "alpha", 0)
    assert cells(table, "p")[:3] == pytest.approx([1.0, 0.05, 0.001], rel=1e-5)
    assert cells(table, "significant")[:4] == ["", "", "*", ""]  # float32 .05 is a little more than .05
    assert cells(table, "attribute_score_low")[:2] == [0.75, -0.625]
    assert cells(table, "attribute_score_high")[:2] == [1.25, -0.375]
    names = [column.name for column in table.columns]
    assert names[1:8] == [
        "attribute_score", "attribute_score_low", "attribute_score_high", "significant", "attribute_score_abs",
        "attribute_score_common", "attribute_score_centred",
    ]  # fmt: skip


BESIDE = ("bootstrap", "controls", "spectrum", "variants", "features")


def test_a_file_of_before_is_shown_without_the_new_columns(path: Path) -> None:
    with Store(path) as store:
        whole = [
            len(t.columns) for t in (model_table(store), class_table(store, "alpha"), concept_table(store, "alpha", 0))
        ]
    with h5py.File(path, "r+") as file:
        for model in file["models"].values():
            for group in BESIDE:
                model.pop(group, None)
            for name in ("interval", "interval_figure"):
                del model["classes"][name]
            for group, parts in (
                ("classes", ("control", "curve")),
                ("concepts", ("half", "z", "q", "empirical", "control")),
            ):
                for name in [name for name in model[group] if name.endswith(parts)]:
                    del model[group][name]
            for name in [
                name
                for name in model["summary"]
                if name.startswith(("probe", "null_share", "signif", "attribute_score_abs_over", "image_score_over"))
            ]:
                del model["summary"][name]
        for name in ("figure", "value", "above"):
            del file["comparison"][name]
    with Store(path) as store:
        tables = model_table(store), class_table(store, "alpha"), concept_table(store, "alpha", 0)
        names = {column.name for table in tables for column in table.columns}
        assert all(len(table.columns) < count for table, count in zip(tables, whole, strict=True))
    assert {"attribute_score_abs", "image_score_q50", "attribute_score_common"} <= names
    assert not [
        name for name in names if name.endswith(("_low", "_high", "_control")) or name in ("z", "p", "q", "place")
    ]


def test_frames_carry_every_column_with_its_unit(path: Path) -> None:
    with sing_compute.load(path) as results, Store(path) as store:
        for frame, table in (
            (results.models, model_table(store)),
            (results.classes("beta"), class_table(store, "beta")),
            (results.concepts("dog"), concept_table(store, "alpha", 1)),
        ):
            assert {*frame.columns, frame.index.name} == {column.name for column in table.columns}
            for column in table.columns:
                assert frame.attrs[column.name] == f"{column.unit}: {column.description}"
                if not column.is_text and column.name in frame:
                    assert np.array_equal(frame[column.name], column.values.all(), equal_nan=True)


@pytest.mark.parametrize(
    "place",
    [
        Place("models"),
        Place("classes").at(model="alpha"),
        Place("classes").at(model="alpha", subset=1),
        Place("concepts").at(model="alpha", **{"class": 1}),
        Place("images").at(model="alpha"),
        Place("images").at(model="alpha", **{"class": 1}),
    ],
    ids=str,
)
def test_positions_of_rows_are_those_of_the_table_and_no_column_is_read(
    path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/classes/count"][0, 0] = 0  # a class without images has no row
    with Store(path) as store:
        table = open_table(store, place)
        monkeypatch.setattr(table_building, "_values", lambda *_, **__: pytest.fail("a column was read"))
        assert list(row_positions(store, place)) == (
            list(range(table.length)) if table.ids is None else table.ids.tolist()
        )
