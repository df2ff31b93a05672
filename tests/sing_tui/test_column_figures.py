"""Figures of columns are those of numpy, pandas and scipy; the filter of a bar keeps exactly the rows that it counts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sing_compute.errors import SingError
from sing_compute.formats import ASCII, UNICODE
from sing_compute.store import Column, Table
from sing_compute.store.columns import Values
from sing_compute.store.definition import TableSpec
from sing_tui.charts.column_charts import bar_lines, facts_lines, pair_line, scatter_lines
from sing_tui.colors import PLAIN, ChartColors
from sing_tui.column_bins import FEW, MANY
from sing_tui.column_figures import facts_of, figures_of, figures_table
from sing_tui.column_pairs import mean_ranks, pair_of, pair_table
from sing_tui.filters import matches
from sing_tui.looking import looked_of

RNG = np.random.default_rng(0)
HOLES = RNG.normal(0, 9, 700).astype(np.float32)
HOLES[::50], HOLES[1], HOLES[2] = np.nan, np.inf, -np.inf
NUMBERS: dict[str, Any] = {
    "float32 with NaN and infinite": HOLES,
    "float64": RNG.normal(1e6, 0.5, 300),
    "shares": np.append(RNG.random(500).round(1), 1).astype(np.float32),
    "tenths": (np.arange(0, 8, dtype=np.float32) / np.float32(10)),
    "whole": RNG.integers(-40, 400, 300),
    "few whole": RNG.integers(0, 5, 300),
    "whole as float": RNG.integers(0, 12, 99).astype(np.float32),
    "large whole": RNG.integers(0, 2**40, 50),
    "constant": np.full(9, 15.3, np.float32),
    "zero": np.zeros(4, np.float32),
    "one row": np.array([-2.5], np.float32),
    "no rows": np.zeros(0, np.float32),
    "all missing": np.full(5, np.nan, np.float32),
    "tiny": RNG.random(50).astype(np.float32) * 1e-20,
    "huge": RNG.random(50).astype(np.float32) * 1e30,
    "neighbours": np.array([16777216, 16777218, 16777220], np.float32),
}
POSITIVE = {
    "decades": 10 ** RNG.uniform(-6, 6, 400),
    "little": RNG.uniform(3, 4, 200).astype(np.float32),
    "powers": np.array([0.001, 0.01, 1, 10], np.float32),
    "one": np.array([7.0]),
    "all decades": np.array([1e-300, 1e300]),
}
CASES = [(name, False) for name in NUMBERS] + [(name, True) for name in POSITIVE]


def table_of(**columns: Any) -> Table:
    made = [
        Column(
            name, name, "text" if np.asarray(cells).dtype.kind in "OU" else "1" if name == "share" else "degree", "",
            Values(np.asarray(cells)), format="percent" if name == "share" else "degrees",
        )
        for name, cells in columns.items()
    ]  # fmt: skip
    return Table(TableSpec("rows", "row", (), "key", ()), made, len(next(iter(columns.values()))))


def finite(cells: np.ndarray) -> np.ndarray:
    return cells[np.isfinite(cells)].astype(np.float64)


@pytest.mark.parametrize("name", NUMBERS)
def test_statistics_are_those_of_numpy_and_pandas(name: str) -> None:
    cells, facts = NUMBERS[name], facts_of(NUMBERS[name])
    known = pd.Series(finite(cells))
    assert facts["rows"] == len(cells)
    assert facts["missing"] == np.isnan(cells).sum()
    assert facts["infinite"] == np.isinf(cells).sum()
    wanted = [known.quantile(share) for share in (0, 0.25, 0.5, 0.75, 1)]
    got = [facts[part] for part in ("minimum", "lower quartile", "median", "upper quartile", "maximum")]
    np.testing.assert_allclose(got, wanted, rtol=1e-12)
    np.testing.assert_allclose(facts["mean"], known.mean(), rtol=1e-12)
    np.testing.assert_allclose(facts["standard deviation"], known.std(), rtol=1e-9, atol=1e-30)


@pytest.mark.parametrize("most", [FEW, MANY])
@pytest.mark.parametrize(("name", "logarithmic"), CASES)
def test_a_histogram_counts_every_finite_number_once_as_numpy_does(name: str, logarithmic: bool, most: int) -> None:
    cells = (POSITIVE if logarithmic else NUMBERS)[name]
    found = figures_of(table_of(a=cells), "a", logarithmic=logarithmic, bins=most)
    edges = found.groups.values.astype(cells.dtype if cells.dtype.kind == "f" else np.float64)
    assert found.shown.sum() == len(finite(cells))
    assert 1 <= len(found) <= most
    if len(finite(cells)):
        assert found.shown[0] > 0 or edges[1] <= np.nanmin(finite(cells)) or len(found) == 1
        assert found.shares[0].sum() == pytest.approx(1)
    if len(np.unique(edges)) == len(edges):
        counts, _ = np.histogram(cells[np.isfinite(cells)], np.append(edges[:-1], [edges[-1] * (1 + 1e-9) + 1e-300]))
        np.testing.assert_array_equal(found.shown, counts)


@pytest.mark.parametrize(("name", "logarithmic"), CASES)
def test_the_filter_of_a_bar_keeps_exactly_its_rows(name: str, logarithmic: bool) -> None:
    cells = (POSITIVE if logarithmic else NUMBERS)[name]
    for column in ("a", "share"):
        if not len(cells) or (column == "share" and name != "shares"):
            continue
        table = table_of(**{column: cells})
        found = figures_of(table, column, logarithmic=logarithmic)
        assert [matches(table, found.condition(bar)).sum() for bar in range(len(found))] == found.shown.tolist()


def test_whole_numbers_have_bins_of_whole_width() -> None:
    few = figures_of(table_of(a=NUMBERS["few whole"]), "a")
    np.testing.assert_array_equal(few.shown, np.bincount(NUMBERS["few whole"]))
    np.testing.assert_array_equal(few.groups.values, np.arange(6))
    wide = figures_of(table_of(a=NUMBERS["whole"]), "a").groups.values
    assert (wide == np.rint(wide)).all()
    assert len(set(np.diff(wide))) == 1


def test_rows_that_pass_are_compared_with_all_rows_in_the_same_bins() -> None:
    table, text = table_of(a=HOLES), "a > 3 or a < -20"
    mask = matches(table, text)
    found = figures_of(table, "a", mask=mask, filter=text)
    edges = found.groups.values
    np.testing.assert_array_equal(found.shown, np.histogram(finite(HOLES[mask]), edges)[0])
    np.testing.assert_array_equal(found.every, np.histogram(finite(HOLES), edges)[0])
    np.testing.assert_allclose(found.shares[0], found.shown / np.isfinite(HOLES[mask]).sum())
    np.testing.assert_allclose(found.shares[1], found.every / np.isfinite(HOLES).sum())
    for bar in range(len(found)):
        assert matches(table, found.condition(bar)).sum() == found.shown[bar]
    nothing = figures_of(table, "a", mask=np.zeros(len(HOLES), dtype=bool), filter="a > 1e9")
    assert nothing.shown.sum() == 0
    assert np.isnan(nothing.facts[0]["mean"])
    assert not np.isnan(nothing.shares[0]).any()
    assert not figures_of(table, "a", mask=np.ones(len(HOLES), dtype=bool)).is_filtered


def test_texts_are_counted_the_most_frequent_first() -> None:
    texts = np.array(RNG.choice(["cat", "Cat", "dog", 'say "hi"', ""], 300, p=[0.1, 0.3, 0.4, 0.1, 0.1]), dtype=object)
    table = table_of(a=texts, number=np.arange(300))
    found = figures_of(table, "a")
    counts = pd.Series(texts[texts != ""]).value_counts()
    assert {found.label(bar): int(found.shown[bar]) for bar in range(len(found))} == counts.to_dict()
    assert found.shown.tolist() == sorted(counts, reverse=True)
    assert found.facts[0] == {"rows": 300, "missing": (texts == "").sum(), "different": 4}
    assert [matches(table, found.condition(bar)).sum() for bar in range(len(found))] == found.shown.tolist()
    mask = matches(table, "number < 50")
    part = figures_of(table, "a", mask=mask, filter="number < 50")
    assert part.facts[0]["different"] == len(set(texts[mask]) - {""})
    assert [matches(table, part.condition(bar)).sum() for bar in range(len(part))] == part.shown.tolist()


def test_a_logarithmic_scale_is_refused_where_it_would_hide_numbers() -> None:
    with pytest.raises(SingError, match="2 of its numbers are 0 or below"):
        figures_of(table_of(a=np.array([0.0, -1, 5])), "a", logarithmic=True)


@pytest.mark.parametrize("ties", [False, True])
def test_correlations_and_ranks_are_those_of_scipy(ties: bool) -> None:
    x = RNG.normal(0, 1, 400).astype(np.float32)
    x = x.round(0) if ties else x
    y = (x**3 + RNG.normal(0, 1, 400)).astype(np.float32)
    np.testing.assert_array_equal(mean_ranks(x), stats.rankdata(x))
    many = RNG.integers(-3, 1000 ** (not ties) + 3, 2**17 + 5).astype(
        np.float32
    )  # equal numbers go on where a piece ends
    np.testing.assert_array_equal(mean_ranks(many), stats.rankdata(many))
    y[::7], x[5], x[3] = np.nan, np.inf, np.nan
    known = np.isfinite(x) & np.isfinite(y)
    found = pair_of(table_of(x=x, y=y), "x", "y")
    assert found.pearson == pytest.approx(stats.pearsonr(x[known].astype(float), y[known].astype(float))[0], abs=1e-12)
    assert found.spearman == pytest.approx(stats.spearmanr(x[known], y[known])[0], abs=1e-12)
    assert (len(found), found.left_out) == (known.sum(), (~known).sum())
    mask = x > 0
    part = pair_of(table_of(x=x, y=y), "x", "y", mask=mask)
    assert (len(part), part.left_out) == ((known & mask).sum(), (~known & mask).sum())
    assert part.spearman == pytest.approx(stats.spearmanr(x[known & mask], y[known & mask])[0], abs=1e-12)


@pytest.mark.parametrize("cells", [np.full(5, 2.0), np.array([3.0]), np.zeros(0), np.full(4, np.nan)])
def test_no_correlation_is_made_up(cells: np.ndarray) -> None:
    found = pair_of(table_of(x=cells, y=np.arange(len(cells))), "x", "y")
    assert np.isnan(found.pearson)
    assert np.isnan(found.spearman)
    assert found.grid(8, 4).sum() == len(found)


def test_very_large_and_whole_numbers_correlate() -> None:
    x = np.arange(6) * 2**40
    assert pair_of(table_of(x=x, y=x * 1e280), "x", "y").pearson == pytest.approx(1)
    assert pair_of(table_of(x=x, y=-x), "x", "y").spearman == pytest.approx(-1)


def test_a_grid_has_each_row_where_it_lies() -> None:
    x, y = np.array([0.0, 1, 1, 2]), np.array([0.0, 10, 10, 20])
    grid = pair_of(table_of(x=x, y=y), "x", "y").grid(3, 3)
    np.testing.assert_array_equal(grid, [[0, 0, 1], [0, 2, 0], [1, 0, 0]])


def test_only_columns_with_figures_are_looked_at() -> None:
    table = table_of(x=np.arange(4), text=np.array(list("abca"), dtype=object))
    assert looked_of(table, ["text"]).names == ("text",)
    for names, why in ((["x", "text"], "is text"), (["x", "x"], "twice"), (["y"], "no column"), (["x"] * 3, "not 3")):
        with pytest.raises(SingError, match=why):
            looked_of(table, names)


def test_tables_to_export_hold_the_figures() -> None:
    table = table_of(a=HOLES, b=HOLES * 2)
    mask = matches(table, "a > 3")
    found = figures_of(table, "a", mask=mask, filter="a > 3")
    rows = pd.DataFrame({column.name: column.values.all() for column in figures_table(found).columns})
    facts, bars = rows[rows.figure != "bin"].set_index("figure"), rows[rows.figure == "bin"]
    assert facts.loc["median", "pass"] == pytest.approx(np.median(finite(HOLES[mask])))
    assert facts.loc["missing", "all"] == np.isnan(HOLES).sum()
    np.testing.assert_array_equal(np.histogram(finite(HOLES), [*bars["from"], bars["to"].iloc[-1]])[0], bars["all"])
    assert bars["share_pass"].sum() == pytest.approx(1)
    pair = pair_table(pair_of(table, "a", "b"))
    values = dict(zip(pair.column("figure").values.all(), pair.column("value").values.all(), strict=True))
    assert values["pearson"] == pytest.approx(1)
    assert values["left_out"] == len(HOLES) - len(finite(HOLES))


def test_the_line_of_a_pair_says_why_there_is_no_correlation_and_what_is_left_out() -> None:
    table = table_of(a=HOLES, b=HOLES + 1, same=np.full(len(HOLES), 2.0))
    line = pair_line(pair_of(table, "a", "same"), 200, UNICODE).plain
    assert "Pearson -" in line
    assert "same has one value only" in line
    missing = int((~np.isfinite(HOLES)).sum())
    assert f"{missing:,} left out (missing)" in pair_line(pair_of(table, "a", "b"), 78, UNICODE).plain
    assert "left out" not in pair_line(pair_of(table, "same", "same"), 200, UNICODE).plain


def test_the_bin_of_whole_shares_is_called_100_percent() -> None:
    column = Column("share", "share", "1", "a share", Values(np.array([0.05, 0.5, 0.99, 1.0, 1.0])), format="percent")
    found = figures_of(Table(table_of(a=HOLES).spec, [column], 5), "share")
    assert found.label(len(found) - 1) == "100%"
    assert found.shown[len(found) - 1] == 2
    more = replace(column, values=Values(np.array([0.05, 0.5, 1.0, 1.01])))
    found = figures_of(Table(table_of(a=HOLES).spec, [more], 4), "share")
    assert "to" in found.label(len(found) - 1)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_drawings_fit_at_any_size(glyphs: Any) -> None:
    table = table_of(a=HOLES, b=HOLES + 1, text=np.array(["ネコ" * 30, "b"] * 350, dtype=object))
    found = [figures_of(table, name, mask=HOLES > 3, filter="a > 3") for name in ("a", "text")]
    pair = pair_of(table, "a", "b")
    for width in (1, 10, 20, 38, 78, 198):
        for height in (0, 1, 3, 8, 20):
            for figures in found:
                lines = bar_lines(figures, width, height, len(figures) - 1, glyphs, PLAIN)
                assert len(lines) <= max(0, height)
                assert all(line.cell_len <= width for line in (*lines, *facts_lines(figures, width, glyphs)))
            drawn = scatter_lines(pair, width, height, glyphs, ChartColors(("red",)))
            assert len(drawn) <= height
            assert all(line.cell_len <= width for line in (*drawn, pair_line(pair, width, glyphs)))
            assert not glyphs.ascii_only or all(line.plain.isascii() for line in drawn)


@pytest.mark.parametrize("rows", range(1, 400))
def test_the_cell_with_most_rows_is_the_darkest_whatever_their_number(rows: int) -> None:
    x = np.append(np.zeros(rows), 1.0)
    drawn = scatter_lines(pair_of(table_of(a=x, b=x), "a", "b"), 60, 12, ASCII, ChartColors(("red",)))
    signs = "".join(line.plain for line in drawn[1:-2]).split("|")
    assert signs[-1].strip()[0] == ASCII.density[-1]


def test_bars_are_as_long_as_the_shares_say() -> None:
    found = figures_of(table_of(a=np.array([1, 1, 1, 1, 2, 2, 3])), "a", mask=np.arange(7) > 1, filter="a > 0")
    lines = [line.plain for line in bar_lines(found, 60, 10, 0, ASCII, PLAIN)]
    assert lines[0].split() == ["rows", "share", "of", "all", "#", "rows", "that", "pass", "*", "all", "rows"]
    assert [line.split()[:6] for line in lines[1:]] == [
        [">", "1", "to", "2", "2", "40.0%"], ["2", "to", "3", "2", "40.0%", "28.6%"], ["3", "to", "4", "1", "20.0%", "14.3%"]
    ]  # fmt: skip
    bars = [line[line.index("%", line.index("%") + 1) + 1 :].strip() for line in lines[1:]]
    assert bars[1].count("#") + 1 == pytest.approx(40 / 20 * (bars[2].count("#") + 1), abs=1)
    assert bars[0].endswith("*")  # 57.1% of all rows, more than those that pass
