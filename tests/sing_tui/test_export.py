"""Files taken away, against csv, json and numpy on the same cells."""

import csv
import io
import itertools
import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from sing_compute import table_text
from sing_compute.csv_cells import csv_cells
from sing_compute.errors import SingError
from sing_compute.store import Column, Store, Table, class_table, image_table, model_table
from sing_compute.store.columns import Values
from sing_compute.store.text import clean, csv_text
from sing_compute.table_text import Cancelled, write_rows
from sing_tui.exporting import file_name, save, scoped
from sing_tui.view import Arrangement, View, arrange

TEXTS = (
    "cat", "", "a,b", 'say "hi"', "=1+1", "-1", "x-1", "a=b", " =1", " plain", "a;=1", "a; -1", "a;b", "tab\tin", "line\nend",
    "cr\r", "nul\0in", "bell\x07", "\x7f", "ネコ", "＝1", "🦉", "rtl\u202e", "back\\slash", "[red]x[/red]", "é", "@x", "%s",
)  # fmt: skip


def written(view: View, **how: object) -> str:
    target = io.StringIO(newline="")
    assert write_rows(view, target, **how) == len(view)
    return target.getvalue()


def plainly(view: View) -> str:
    """The CSV of a view, cell by cell."""

    def cell(value: object) -> object:
        if isinstance(value, np.floating):
            return "" if np.isnan(value) else str(value)
        return csv_text(str(value))

    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([column.name for column in view.table.columns])
    writer.writerows(zip(*([cell(v) for v in c.values.take(view.order)] for c in view.table.columns), strict=True))
    return target.getvalue()


def whole(table: Table, order: object = None) -> View:
    return View(table, Arrangement(), np.arange(table.length, dtype=np.int32) if order is None else np.asarray(order))


def made(**columns: object) -> View:
    """A view of columns in memory."""
    cells = {name: np.asarray(values) for name, values in columns.items()}
    unit = {name: "1" if values.dtype.kind in "fiu" else "text" for name, values in cells.items()}
    made = [Column(name, name, unit[name], "", Values(values)) for name, values in cells.items()]
    return whole(Table("images", made, len(made[0].values)))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_text, "_READ", 16)
    monkeypatch.setattr(table_text, "_WRITTEN", 7)
    monkeypatch.setattr(table_text, "_BLOCK", 100)


FLOATS = {
    "any bits": np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint32).view(np.float32),
    "sizes": (10.0 ** np.random.default_rng(1).uniform(-6, 9, 100_000)).astype(np.float32),
    "angles": np.random.default_rng(2).normal(0, 10, 100_000).astype(np.float32),
    "few digits": np.random.default_rng(3).uniform(-100, 100, 20_000).round(2).astype(np.float32),
    "powers of two": np.float32(2) ** np.arange(-149, 128, dtype=np.float32),
    "powers of ten": np.array([f"1e{k}" for k in range(-45, 39)], np.float32),
    "beside powers of ten": np.nextafter(np.array([f"1e{k}" for k in range(-45, 39)], np.float32), np.float32(0)),
    "whole": np.arange(-3000, 3000, dtype=np.float32),
    "special": np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, 3.4028235e38, 999999.94, 0.3, -0.1], np.float32),
    "none": np.array([], np.float32),
}


@pytest.mark.parametrize("values", FLOATS.values(), ids=FLOATS.keys())
def test_a_float32_is_the_shortest_text_that_reads_back(values: np.ndarray) -> None:
    cells = csv_cells(values)
    assert cells == ["" if text == "nan" else text for text in values.astype(np.str_).tolist()]
    back, known = np.array([float(cell or "nan") for cell in cells], np.float32), ~np.isnan(values)
    assert back[known].tobytes() == values[known].tobytes()


@pytest.mark.parametrize("table", ["models", "classes", "images", "class"])
@pytest.mark.parametrize("awkward", [False, True])
def test_csv_is_what_the_plain_way_writes(
    table: str, awkward: bool, store_path: Path, awkward_path: Path, small_pieces: None
) -> None:
    with Store(awkward_path if awkward else store_path) as store:
        model = store.models[0]
        found = {
            "models": lambda: model_table(store),
            "classes": lambda: class_table(store, model),
            "images": lambda: image_table(store, model),
            "class": lambda: image_table(store, model, 1),
        }[table]()
        rng = np.random.default_rng(0)
        for order in (np.arange(found.length), rng.permutation(found.length), rng.permutation(found.length)[:3], []):
            view = whole(found, np.asarray(order, np.int32))
            assert written(view) == plainly(view)


@pytest.mark.parametrize("pair", list(itertools.pairwise((*TEXTS, TEXTS[0]))))
def test_text_of_a_file_is_written_like_text_in_memory(pair: tuple[str, str]) -> None:
    stored = np.array([text.encode() for text in (*pair, "dog/1.png", *pair)])
    expected = io.StringIO(newline="")
    csv.writer(expected, lineterminator="\n").writerows([csv_text(cell.decode()), "x"] for cell in stored)
    assert written(made(key=stored, x=["x"] * 5)) == "key,x\n" + expected.getvalue()
    read = json.loads(written(made(key=stored), form="json"))
    assert [row["key"] for row in read] == [clean(cell.decode()) for cell in stored]


def test_bytes_that_are_no_text_are_replaced_and_not_fatal() -> None:
    view = made(key=np.array([b"a\xff\xfe", b"\xe3\x83", b"cat"]))
    assert written(view) == "key\na\ufffd\ufffd\n\ufffd\ncat\n"


def test_an_empty_cell_alone_in_its_line_is_still_a_row() -> None:
    view = made(name=np.array(["", "a", ""]))
    assert list(csv.reader(written(view).splitlines())) == [["name"], [""], ["a"], [""]]


def test_json_holds_one_object_a_line_with_the_same_numbers(store: Store, small_pieces: None) -> None:
    view = arrange(image_table(store, "alpha"), Arrangement("", "image_score", True))
    text = written(view, form="json")
    first, *objects, last = text.split("\n")[:-1]
    assert (first, last) == ("[", "]")
    assert [json.loads(line.removesuffix(",")) for line in objects] == json.loads(text)
    read = json.loads(text)
    for column in view.table.columns:
        cells, expected = [row[column.name] for row in read], column.values.take(view.order)
        if column.is_text:
            assert cells == expected.tolist()
        else:
            assert np.array(cells, expected.dtype).tobytes() == expected.tobytes()
    assert list(read[0]) == [column.name for column in view.table.columns]


def test_json_has_null_for_nan_text_for_infinity_and_no_escapes() -> None:
    scores = [np.nan, np.inf, -np.inf, 0.1]
    view = made(
        **{"50% of 'it'": np.array(scores, np.float32)}, count=np.arange(4), name=["=ネコ", "a\x07b", '"', "🦉"]
    )
    text = written(view, form="json")
    assert [list(row.values()) for row in json.loads(text)] == [
        [None, 0, "=ネコ"], ["inf", 1, "ab"], ["-inf", 2, '"'], [0.1, 3, "🦉"],
    ]  # fmt: skip
    assert "ネコ" in text
    assert text.splitlines()[1].startswith('{"50% of \'it\'": null, "count": 0')


def test_no_rows_are_a_header_or_an_empty_list(store: Store) -> None:
    view = arrange(image_table(store, "alpha"), Arrangement("is > 1e6"))
    assert json.loads(written(view, form="json")) == []
    assert written(view).count("\n") == 1


def test_columns_are_those_named_in_that_order(store: Store) -> None:
    view = whole(image_table(store, "alpha"))
    rows = list(csv.DictReader(written(view, columns=["image_score", "image"]).splitlines()))
    assert list(rows[0]) == ["image_score", "image"]
    everything = list(csv.DictReader(written(view).splitlines()))
    assert rows == [{name: row[name] for name in ("image_score", "image")} for row in everything]
    with pytest.raises(SingError, match="no column 'nothing'"):
        written(view, columns=["nothing"])
    with pytest.raises(SingError, match="no column is chosen"):
        written(view, columns=[])


def test_marked_rows_come_in_the_order_of_the_view_then_the_hidden_ones(store: Store) -> None:
    table = image_table(store, "alpha")
    view = arrange(table, Arrangement("as > 0", "image_score", True))
    hidden = sorted(set(range(table.length)) - set(view.order.tolist()))
    chosen = [int(view.order[5]), hidden[3], int(view.order[0]), hidden[1], int(view.order[2]), table.length + 7, -1]
    marked = scoped(view, "marked", chosen)
    assert marked.order.tolist() == [*view.order[[0, 2, 5]].tolist(), hidden[1], hidden[3]]
    assert marked.order.dtype == view.order.dtype
    assert scoped(view, "marked", set()).order.tolist() == []
    assert scoped(view, "shown", chosen) is view
    everything = scoped(view, "table", chosen)
    assert sorted(everything.order.tolist()) == list(range(table.length))
    scores = table.column("image_score").values.take(everything.order)
    assert (np.diff(scores) <= 0).all()


def test_progress_counts_up_to_the_last_row(store: Store, small_pieces: None) -> None:
    view, told = whole(image_table(store, "alpha")), []
    written(view, progress=told.append)
    assert told == sorted(set(told))
    assert told[-1] == len(view)
    assert max(np.diff([0, *told])) <= 7


@pytest.mark.parametrize("name", ["rows.csv", "rows.JSON"])
def test_the_suffix_says_the_form(name: str, store: Store, tmp_path: Path) -> None:
    view = whole(model_table(store))
    assert save(view, tmp_path / name) == 2
    assert (tmp_path / name).read_text(encoding="utf-8") == written(view, form="csv" if name == "rows.csv" else "json")
    assert save(view, tmp_path / "odd.txt", form="json") == 2
    assert len(json.loads((tmp_path / "odd.txt").read_text())) == 2


def test_a_stopped_export_leaves_nothing_and_touches_nothing(store: Store, tmp_path: Path, small_pieces: None) -> None:
    def stop(rows: int) -> None:
        if rows > 10:
            assert len(list(tmp_path.iterdir())) == 2  # it was under way
            raise Cancelled("stopped")

    target = tmp_path / "rows.csv"
    target.write_text("mine")
    with pytest.raises(Cancelled):
        save(whole(image_table(store, "alpha")), target, replace=True, progress=stop)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_that_is_there_is_replaced_only_on_demand(store: Store, tmp_path: Path) -> None:
    view, target = whole(model_table(store)), tmp_path / "rows.csv"
    target.write_text("mine")
    with pytest.raises(SingError, match="exists"):
        save(view, target)
    assert target.read_text() == "mine"
    save(view, target, replace=True)
    assert target.read_text() == written(view)


def test_a_file_that_appears_meanwhile_is_not_replaced(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    with pytest.raises(SingError, match="exists"):
        save(whole(model_table(store)), target, progress=lambda rows: target.write_text("theirs") and None)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    view = made(score=np.random.default_rng(0).normal(size=50_000).astype(np.float32))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(SingError, match=r"cannot write .*rows.csv: File too large"):
            save(view, tmp_path / "rows.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_what_is_no_file_is_never_replaced(store: Store, tmp_path: Path) -> None:
    view, pipe = whole(model_table(store)), tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, why in (
        (tmp_path, "folder"),
        (Path("."), "folder"),
        (pipe, "no plain file"),
        (tmp_path / "none" / "rows.csv", "there is no folder"),
        (tmp_path / ("x" * 300), "too long"),
    ):
        with pytest.raises(SingError, match=why):
            save(view, path, replace=True)
    assert list(tmp_path.iterdir()) == [pipe]
    assert pipe.is_fifo()


def test_a_column_shorter_than_its_table_is_a_damaged_file(store: Store) -> None:
    column = image_table(store, "alpha").column("image_score")
    view = whole(Table("images", [column], len(column.values) + 5))
    with pytest.raises(SingError, match="damaged"):
        written(view)


def test_a_file_name_is_safe_in_a_shell() -> None:
    assert file_name("results", "a/b", "", ".hidden\x1b", "$(rm) x") == "results-a_b-hidden-rm__x.csv"
