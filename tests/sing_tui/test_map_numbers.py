"""The numbers of a map against plain pandas and numpy: order by strength, blocks at every zoom, missing values, small maps."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from direction_figures import write_directions
from steering_figures import PLANTED, write_steering
from stores import write_store

from sing_compute.charts import maps
from sing_compute.charts.map_blocks import blocks, by_strength, largest_at, scale_of, strengths
from sing_compute.charts.maps import map_table, mapped_columns, read_map
from sing_compute.errors import SingError
from sing_compute.store import Store, catalogue
from sing_compute.store.place import Place
from sing_tui.maps.view import MapView
from sing_tui.session.map_window import levels

LEAK = (417, 903)
"""Row and column of the planted leak."""


def planted(rows: int = 1000, columns: int = 1300) -> np.ndarray:
    """Small values of both signs, a tenth of them missing, and one large negative one."""
    rng = np.random.default_rng(5)
    values = rng.normal(0, 1, (rows, columns)).clip(-4, 4).astype(np.float32)
    values[rng.random((rows, columns)) < 0.1] = np.nan
    values[LEAK] = -30
    return values


def plainly(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The value of the largest magnitude of each block, by pandas."""
    frame = (
        pd.DataFrame(values[np.ix_(rows, columns)])
        .stack()
        .rename_axis(["row", "column"])
        .reset_index(name="value")
        .dropna()
    )
    keys = [frame["row"] // size[0], frame["column"] // size[1]]
    picked = frame.loc[frame["value"].abs().groupby(keys).idxmax()]
    found = np.full((-(-len(rows) // size[0]), -(-len(columns) // size[1])), np.nan)
    found[picked["row"] // size[0], picked["column"] // size[1]] = picked["value"]
    return found


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (3, 4), (50, 90)])
def test_a_block_shows_its_value_of_the_largest_magnitude_with_its_sign(size: tuple[int, int]) -> None:
    values = planted(500, 950)[380:430, 880:950]
    values[4:12, :20] = np.nan
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(50)[:43], rng.permutation(70)[:61]
    np.testing.assert_array_equal(blocks(values, rows, columns, size), plainly(values, rows, columns, size))


def test_rows_and_columns_are_sorted_as_pandas_sorts_them() -> None:
    values = planted(500, 950)
    values[7], values[:, 3] = np.nan, np.nan
    for strength, axis in zip(strengths(values), (1, 0), strict=True):
        plain = pd.DataFrame(values).abs().max(axis=axis)
        np.testing.assert_array_equal(strength, plain.to_numpy())
        ranked = plain.sort_values(ascending=False, na_position="last", kind="stable")
        np.testing.assert_array_equal(by_strength(strength), ranked.index)
    assert [int(by_strength(each)[-1]) for each in strengths(values)] == [7, 3]


@pytest.mark.parametrize("room", [(36, 63), (88, 183), (1, 1), (17, 40)])
def test_a_leak_is_seen_at_every_zoom(room: tuple[int, int]) -> None:
    values = planted()
    rows, columns = (by_strength(each) for each in strengths(values))
    assert (rows[0], columns[0]) == LEAK
    file_order = np.arange(1000), np.arange(1300)
    for level in levels(values.shape, room):
        high, wide = level.block
        for order in ((rows, columns), file_order):
            at = (
                int(np.flatnonzero(order[0] == LEAK[0])[0]) // high,
                int(np.flatnonzero(order[1] == LEAK[1])[0]) // wide,
            )
            part = order[0][at[0] * high : (at[0] + 1) * high], order[1][at[1] * wide : (at[1] + 1) * wide]
            assert blocks(values, *part, level.block).tolist() == [[-30]]
            assert largest_at(values, *part) == LEAK


@pytest.mark.parametrize(
    ("values", "signed", "ends"),
    [
        ([[1, -3], [np.nan, 2]], True, (-3, 3)),
        ([[0.25, 0.75]], False, (0, 0.75)),
        ([[70, 80]], False, (70, 80)),
        ([[np.nan]], True, (0, 0)),
        ([[]], False, (0, 0)),
        ([[0, 0]], True, (0, 0)),
    ],
)
def test_the_scale_ends_at_the_largest_value(
    values: list[list[float]], signed: bool, ends: tuple[float, float]
) -> None:
    assert scale_of(np.array(values, np.float32), signed=signed) == ends


def test_probabilities_and_texts_are_not_mapped() -> None:
    mapped = {column.name for column in mapped_columns(catalogue.table("concepts"))}
    assert {"attribute_score", "attribute_score_abs", "attribute_score_centred", "z"} <= mapped
    assert mapped.isdisjoint({"concept", "kind", "q", "p", "p_empirical", "significant"})
    assert mapped_columns(catalogue.table("concepts"))[0].name == "attribute_score"
    assert [column.name for column in mapped_columns(catalogue.table("direction_classes"))][:2] == ["margin", "change"]
    assert not mapped_columns(catalogue.table("classes"))
    assert not mapped_columns(catalogue.table("images"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_store(tmp_path_factory.mktemp("maps") / "maps.h5", concepts=40)
    write_directions(path)
    write_steering(path)
    with h5py.File(path, "r+") as file:
        file["models/alpha/concepts/attribute_score"][1, 5] = np.nan
        file["models/alpha/concepts/attribute_score"][2, 6] = 1e9
    return path


def concepts(**model: str) -> Place:
    return Place.of("concepts", along="class", **(model or {"model": "alpha"}))


def test_a_map_is_what_the_tables_show(path: Path) -> None:
    with Store(path) as store:
        for name in ("", "z"):
            shown = read_map(store, concepts(), name)
            stored = store.array(f"models/alpha/concepts/{name or 'attribute_score'}")
            assert shown.rows.names.tolist() == ["cat", "dog", "owl"]  # no image of the fourth class was measured
            expected = np.where(np.abs(stored[:3]) <= (360 if not name else 1e30), stored[:3], np.nan)
            np.testing.assert_array_equal(shown.values, expected)
            assert shown.missing == int(np.isnan(expected).sum())
            assert shown.signed


def test_an_analysis_with_two_axes_needs_no_code(path: Path) -> None:
    with Store(path) as store:
        shown = read_map(store, Place.of("direction_classes", along="direction", model="alpha"))
        margins = store.array("models/alpha/directions/classes/margin")
        step = store.items("direction_step", shown.place).tolist().index("1")
        np.testing.assert_array_equal(shown.values, margins[:, :, step].astype(np.float32))
        assert (shown.rows.axis, shown.columns.axis) == ("direction", "class")


def test_the_map_of_steering_is_of_class_and_target_with_the_planted_pair_first(path: Path) -> None:
    with Store(path) as store:
        there = Place.of("steering", along="class", model="alpha")
        shown = read_map(store, there)
        view = MapView.of(shown, (36, 63))
        assert [column.name for column in maps.stored_columns(store, there)] == [
            "attribute_score_mean",
            "attribute_score_std",
            "unreachable",
        ]
    assert (shown.rows.axis, shown.columns.axis) == ("class", "target")
    assert shown.rows.names.tolist() == ["cat", "dog", "owl"]
    assert shown.columns.names.tolist() == ["cat", "dog", "owl", "empty"]
    np.testing.assert_array_equal(shown.values, PLANTED.mean[:3])
    assert (view.pair, view.values()[0, 0]) == ((1, 0), 20.125)  # dog toward cat


def test_an_export_has_one_row_for_each_pair_in_the_order_of_the_map(path: Path) -> None:
    with Store(path) as store:
        shown = read_map(store, concepts())
        table = map_table(store, shown, shown.rows.order, shown.columns.order)
        frame = pd.DataFrame({column.name: column.values.all() for column in table.columns})
        part = pd.DataFrame({column.name: column.values.take(np.array([41, 3])) for column in table.columns})
    assert list(frame) == ["model", "class", "class_index", "concept", "concept_index", "attribute_score"]
    assert len(frame) == 120
    assert set(frame["model"]) == {"alpha"}
    np.testing.assert_array_equal(frame["attribute_score"], shown.values[frame["class_index"], frame["concept_index"]])
    assert (frame["concept"] == [f"concept {k}" for k in frame["concept_index"]]).all()
    assert frame["class_index"].iloc[0] == shown.rows.order[0]
    pd.testing.assert_frame_equal(part, frame.iloc[[41, 3]].reset_index(drop=True))


def test_what_cannot_be_mapped_is_said(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = write_store(tmp_path / "plain.h5", null_space=False)
    with (
        Store(plain) as store,
        pytest.raises(SingError, match="alpha has no concept shifts: its head has no null space"),
    ):
        read_map(store, concepts())
    monkeypatch.setattr(maps, "LONGEST", 39)
    with Store(path) as store, pytest.raises(SingError, match="4 x 40 values are too many for a map"):
        read_map(store, concepts())
    with Store(path) as store, pytest.raises(SingError, match=r"no figure 'q'.*attribute_score"):
        read_map(store, concepts(), "q")


@pytest.mark.parametrize(("classes", "count"), [(1, 1), (1, 30), (3, 1)])
def test_a_map_of_one_class_or_one_concept(path: Path, classes: int, count: int) -> None:
    with Store(path) as store:
        whole = read_map(store, concepts())
    values = whole.values[:classes, :count]
    sides = [
        replace(
            side,
            positions=side.positions[:size],
            names=side.names[:size],
            strength=strength,
            order=by_strength(strength),
        )
        for side, size, strength in zip((whole.rows, whole.columns), values.shape, strengths(values), strict=True)
    ]
    shown = replace(whole, values=values, rows=sides[0], columns=sides[1])
    view = MapView.of(shown, (36, 63))
    assert view.values().shape == shown.values.shape
    assert view.pair == tuple(np.unravel_index(np.nanargmax(np.abs(shown.values)), shown.values.shape))
    for _ in range(9):
        view = view.zoomed(1)
        assert view.window.here.is_single
    assert not view.is_empty


def test_a_map_without_rows_is_empty(tmp_path: Path) -> None:
    file = write_store(tmp_path / "none.h5", models=("alpha",), concepts=30)
    with h5py.File(file, "r+") as changed:
        changed["models/alpha/classes/count"][:] = 0  # nothing was measured
    with Store(file) as store:
        shown = read_map(store, concepts())
    assert MapView.of(shown, (36, 63)).is_empty
    assert (shown.scale, shown.missing) == ((0, 0), 0)
