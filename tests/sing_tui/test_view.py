"""Filter, sort and find against plain Python on the same rows."""

import math

import numpy as np
import pytest

from sing_compute.errors import SingError
from sing_compute.store import Column, Store, Table, image_table, model_table
from sing_compute.store.columns import Values
from sing_compute.store.definition import TableSpec
from sing_compute.store.sorting import quantile
from sing_tui.filters import FilterError, check, matches
from sing_tui.view import Arrangement, View, arrange, column_named, next_line, sorting

ROWS = [
    ("great white shark", 3.0, 21.5, 0.9, 4),
    ("Cat", -1.0, 12.0, 0.5, 0),
    ("cat", math.nan, math.nan, 0.5, 2),
    ("dog", 3.0, 9.0, 1.0, 1),
    ("owl (snowy)", -3.5, math.inf, 0.25, 3),
    ("ネコ", 0.0, 20.0, 0.75, 7),
]
FIELDS = (
    ("class", "class", "text"), ("attribute_score", "AS", "degree"), ("image_score", "IS", "degree"),
    ("accuracy", "accuracy", "1"), ("count", "images", "count"),
)  # fmt: skip


@pytest.fixture
def table() -> Table:
    kinds = (np.str_, np.float32, np.float32, np.float32, np.int32)
    columns = [
        Column(name, title, unit, "", Values(np.array([row[i] for row in ROWS], dtype=kinds[i])))
        for i, (name, title, unit) in enumerate(FIELDS)
    ]
    return Table(TableSpec("classes", "class", (), "class", ()), columns, len(ROWS))


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("is > 20", lambda c, a, i, p, n: i > 20),
        ("IS>=20", lambda c, a, i, p, n: i >= 20),
        ("image_score > 10 and abs(as) < 3.2", lambda c, a, i, p, n: i > 10 and abs(a) < 3.2),
        ("as = 3 or as == -1", lambda c, a, i, p, n: a in (3, -1)),
        ("as != 3", lambda c, a, i, p, n: a == a and a != 3),
        ("not as = 3", lambda c, a, i, p, n: a != 3),
        ("0 <= as < 3", lambda c, a, i, p, n: 0 <= a < 3),
        ("(as + is) / 2 > 10", lambda c, a, i, p, n: (a + i) / 2 > 10),
        ("(is > 20 or as < 0) and accuracy < 90%", lambda c, a, i, p, n: (i > 20 or a < 0) and p < 0.9),
        ("images * 2 - 1 > -as", lambda c, a, i, p, n: n * 2 - 1 > -a),
        ("((as)) > 1e0", lambda c, a, i, p, n: a > 1),
        ("1 / as > 0", lambda c, a, i, p, n: a == 0 or a > 0),
        ("class ~ cat", lambda c, *_: "cat" in c.lower()),
        ("class ~ Cat", lambda c, *_: "Cat" in c),
        ("class !~ cat and count > 1", lambda c, a, i, p, n: "cat" not in c.lower() and n > 1),
        ("class = cat", lambda c, *_: c.lower() == "cat"),
        ("class != cat", lambda c, *_: c.lower() != "cat"),
        ('class ~ "(snowy)"', lambda c, *_: "(snowy)" in c),
        ("class ~ great white or ネコ", lambda c, *_: "great white" in c or "ネコ" in c),
        ("white shark", lambda c, *_: "white shark" in c),
        ("  cat  ", lambda c, *_: "cat" in c.lower()),
        ("dog or class ~ ow", lambda c, *_: "dog" in c or "ow" in c),
        ('"accuracy"', lambda *_: False),
        ("class cat or is > 20", lambda c, a, i, *_: i > 20),
        ("", lambda *_: True),
    ],
)
def test_a_filter_keeps_the_rows_that_plain_python_keeps(table: Table, text: str, test) -> None:
    assert matches(table, text).tolist() == [test(*row) for row in ROWS]


@pytest.mark.parametrize(
    ("text", "position", "part"),
    [
        ("is >", 4, "expected"),
        ("is > 20 and", 11, "expected"),
        ("wrong > 3", 0, "no column 'wrong'"),
        ("is.after > 3", 0, "no column 'is.after'"),
        ("(is.after > 3) and is > 2", 1, "no column 'is.after'"),
        ("is > wrong", 5, "no column 'wrong'"),
        ("is > 20 )", 8, "expected"),
        ("(is > 20", 8, "')' is missing"),
        ("class > 3", 7, "text"),
        ("is ~ 3", 4, "comparison"),
        ("abs is > 3", 0, "brackets"),
        ("abs(is > 3", 7, "')' is missing"),
        ('class ~ "cat', 8, "never closed"),
        ("class ~ ", 7, "contain"),
        ("is", 2, "compare is with"),
        ("is > 3 4", 7, "expected"),
        ("is > __import__('os')", 5, "no column"),
        ("(" * 3000 + "is > 3", 0, "too many brackets"),
    ],
)
def test_a_wrong_filter_says_where_and_why(table: Table, text: str, position: int, part: str) -> None:
    with pytest.raises(FilterError, match=r"at character") as caught:
        matches(table, text)
    assert part in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize("column", range(len(FIELDS)))
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_is_stable_and_puts_missing_values_last(table: Table, column: int, descending: bool) -> None:
    cells = [row[column].lower() if isinstance(row[column], str) else row[column] for row in ROWS]
    known = [row for row in range(len(ROWS)) if cells[row] == cells[row]]
    expected = sorted(known, key=lambda row: cells[row], reverse=descending)  # reverse keeps equal rows in order
    expected += [row for row in range(len(ROWS)) if row not in known]
    assert arrange(table, Arrangement("", FIELDS[column][0], descending)).order.tolist() == expected


def test_filter_and_sort_together_keep_the_sort_of_the_whole(table: Table) -> None:
    view = arrange(table, Arrangement("accuracy >= 0.5", "image_score", True))
    assert [ROWS[row][0] for row in view.order] == ["great white shark", "ネコ", "Cat", "dog", "cat"]


def test_find_goes_round_both_ways(table: Table) -> None:
    view = arrange(table, Arrangement())
    lines = view.matches("cat")
    assert [next_line(lines, line, 1) for line in (-1, 1, 2, 5)] == [1, 2, 1, 1]
    assert [next_line(lines, line, -1) for line in (5, 2, 1, 0)] == [2, 1, 2, 2]
    assert next_line(view.matches("zebra"), 0, 1) is None


def test_column_named_takes_name_and_title_and_lists_what_there_is(table: Table) -> None:
    assert column_named(table, "IS").name == column_named(table, "image_score").name == "image_score"
    with pytest.raises(SingError, match="attribute_score, image_score"):
        column_named(table, "nothing")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int32, np.int64, np.uint8])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_numbers_of_any_kind_is_a_stable_sort(dtype: type, descending: bool) -> None:
    rng = np.random.default_rng(3)
    keys = rng.integers(-9, 9, 500).astype(dtype)
    if np.dtype(dtype).kind == "f":
        keys = keys / dtype(3) * rng.choice([1, -1], 500).astype(dtype)  # zeros of both signs
        keys[:3], keys[rng.random(500) < 0.1] = [np.inf, -np.inf, np.finfo(dtype).tiny], np.nan
    else:
        keys[:2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    cells = keys.tolist()
    known = [row for row in range(500) if cells[row] == cells[row]]
    expected = sorted(known, key=lambda row: cells[row], reverse=descending)
    assert sorting(keys, descending=descending).tolist() == expected + [row for row in range(500) if row not in known]


def test_a_filter_is_checked_without_looking_at_a_row(table: Table) -> None:
    check(table, "is > 20 and class ~ cat or white")
    with pytest.raises(FilterError, match="no column 'wrong'"):
        check(table, "wrong > 3")


def test_text_columns_of_stored_indices_filter_and_sort_like_their_names(store: Store) -> None:
    table = image_table(store, "alpha")
    for name in ("prediction", "top_concept", "group"):
        cells = [str(cell).lower() for cell in table.column(name).values.all()]
        wanted = cells[0]
        assert matches(table, f'{name} ~ "{wanted}"').tolist() == [wanted in cell for cell in cells]
        assert matches(table, f'{name} = ""').tolist() == [cell == "" for cell in cells]
        order = arrange(table, Arrangement("", name)).order
        assert order.tolist() == sorted(range(len(cells)), key=lambda row: cells[row])


def test_a_line_is_found_again_by_the_item_on_it(store: Store) -> None:
    table = image_table(store, "alpha", 1)
    view = arrange(table, Arrangement("as > 0", "image_score", True))
    for line in range(len(view)):
        assert view.line_of(view.identity(line)) == line
        assert view.identities[line] == view.identity(line)
        assert view.rows_of({view.identity(line)}) == {int(view.order[line])}
    hidden = set(range(table.length)) - set(view.order.tolist())
    assert hidden
    assert all(view.line_of(int(table.ids[row])) is None for row in hidden)


def test_an_unknown_sort_column_leaves_the_order_of_the_file(store: Store) -> None:
    view = arrange(model_table(store), Arrangement("", "no_such", True))
    assert isinstance(view, View)
    assert view.order.tolist() == [0, 1]
    assert view.arrangement.sort == ""


@pytest.mark.parametrize("count", [1, 2, 7, 400])
def test_quantiles_are_those_of_numpy(count: int) -> None:
    values = np.sort(np.random.default_rng(count).normal(0, 9, count).astype(np.float32))
    for share in (0.0, 0.01, 0.25, 0.5, 0.98, 1.0):
        assert quantile(values, share) == pytest.approx(np.quantile(values.astype(float), share), rel=1e-6)
    assert np.isnan(quantile(values[:0], 0.5))
