"""What stands beside the scores on the screen: intervals in cells, controls, order, spectrum and spread in the details."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from driving import lines, on_screen, press, settle
from stores import write_store

from sing_compute.store import Store, class_table, model_table
from sing_tui.app import Explorer
from sing_tui.details import detail_of
from sing_tui.formats import ASCII, UNICODE
from sing_tui.pictures import Violins
from sing_tui.place import Place
from sing_tui.start import Start, Wish
from sing_tui.view import Arrangement, arrange
from sing_tui.widgets.columns import CellText, lay_out
from sing_tui.widgets.detail import DetailPane

NAN = float("nan")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three models with numbers that can be read off the screen."""
    path = write_store(tmp_path / "results.h5", models=("alpha", "beta", "gamma"))
    with h5py.File(path, "r+") as file:
        alpha = file["models/alpha"]
        names = list(alpha["bootstrap/figure"].asstr()[()])
        alpha["summary/image_score"][()] = 11.7
        alpha["bootstrap/images_interval"][1, names.index("image_score")] = [9.25, 12.5]
        alpha["summary/attribute_score"][()] = -0.31
        alpha["bootstrap/images_interval"][1, names.index("attribute_score")] = [-0.4, 0.22]
        file["comparison/value"][:, 2] = [[1, 3, 2], [3, 1, 2], [2, 3, np.nan]]
        file["comparison/above"][0, 2, :, 0] = [0.5, 0.9, 0.75]
        file["comparison/above"][1, 2, 0, 2] = 0.98
        file["comparison/above"][2, 2, 1, 0] = 0.6
        alpha["controls/flips"][1] = 0.441
        alpha["spectrum/singular_value"][0] = 12.34
        alpha["spectrum/toward"][0, :2] = [7, 3]
        alpha["spectrum/away"][0, :2] = [1, -1]
        alpha["classes/attribute_score_curve"][0] = np.linspace(-2, 2, 21)
        alpha["classes/image_score_curve"][0] = [*np.linspace(1, 5, 20), 9]
    return path


def facts(path: Path, level: str = "models", line: int = 0, **place: object) -> dict[str, str]:
    with Store(path) as store:
        table = model_table(store) if level == "models" else class_table(store, "alpha")
        return dict(detail_of(store, Place(level, **place), arrange(table, Arrangement()), line).facts)


def test_a_cell_holds_the_value_and_its_interval(path: Path) -> None:
    with Store(path) as store:
        view = arrange(model_table(store), Arrangement())
        layouts = lay_out(view, UNICODE, 80)
        text = CellText(view, layouts, UNICODE)
        cells = {layout.column.name: text.cell(k, 0) for k, layout in enumerate(layouts)}
        widths = {layout.column.name: layout.width for layout in layouts}
    assert cells["image_score"].split() == ["11.70", "[", "9.25", "12.50]"]
    assert cells["attribute_score"].split() == ["-0.31", "[-0.40", "+0.22]"]
    assert not [name for name in cells if name.endswith(("_low", "_high"))]
    assert all(len(cell) == widths[name] for name, cell in cells.items())


def test_rows_without_interval_leave_its_place_blank(path: Path) -> None:
    with Store(path) as store:
        view = arrange(class_table(store, "alpha"), Arrangement())
        layouts = lay_out(view, UNICODE, 80)
        at = next(k for k, layout in enumerate(layouts) if layout.column.name == "image_score_q50")
        text = CellText(view, layouts, UNICODE)
        cat, owl = text.cell(at, 0), text.cell(at, 2)  # owl has one image
    assert "[" in cat
    assert len(cat) == len(owl)
    assert owl.strip() == f"{float(owl):.2f}"


def test_a_sort_by_an_end_marks_the_column_that_shows_it(path: Path) -> None:
    with Store(path) as store:
        view = arrange(model_table(store), Arrangement("", "image_score_low", True))
        layout = next(layout for layout in lay_out(view, ASCII, 80) if layout.holds("image_score_low"))
    assert layout.column.name == "image_score"
    assert layout.heading(0, "v", ASCII).split() == ["vIS", "[95%]"]


def test_the_filter_takes_the_ends_of_intervals(path: Path) -> None:
    with Store(path) as store:
        table = model_table(store)
        low = table.column("image_score_low").values.all()
        for text in ("image_score_low > 9.2", "is_low > 9.2", "IS_low > 9.2"):
            assert arrange(table, Arrangement(text)).order.tolist() == np.flatnonzero(low > 9.2).tolist()


def test_the_order_of_models_is_told_at_three_penalties_with_certainty(path: Path) -> None:
    found = facts(path)
    assert found["IS/|AS| at 0.1 lambda"] == "1.00, 3 of 3, 75% below gamma"
    assert found["IS/|AS| at lambda"] == "3.00, 1 of 3, 98% above gamma"
    assert found["IS/|AS| at 10 lambda"] == "2.00, 2 of 2, 60% below beta"
    assert "IS/|AS| at 10 lambda" not in facts(path, line=2)


def test_controls_perturbations_probe_and_spectrum_are_facts_of_a_model(path: Path) -> None:
    found = facts(path)
    assert found["removed: random subspace"].endswith("norm 0.90 flips 44.1%")
    assert found["removed: null space"].endswith("norm 0.75 flips 0.0%")
    assert found["logits, principal step"] == "move 0.4 of the spread, flips 20.0%"
    assert found["labels without CLIP"] == "null 55.0%, principal 85.0%, chance 40.0%"
    assert found["null direction 1"] == "12.3: to concept 7, concept 3; from concept 1"
    assert found["by energy=0.99"] == "nullity 13, flips 5.0%"
    with h5py.File(path) as file:
        correlation = file["comparison/accuracy_correlation"][()]
    assert found["accuracy and T(f~)"].startswith(f"correlation {correlation:+.3f}")
    assert found["median IS"] == "11.70 degrees, images [9.25 to 12.50]"
    with Store(path) as store:
        pairs = store.summary("alpha")["significant"]
    assert found["beyond chance"] == f"{pairs} of 120 class x concept pairs (q < .05)"


def test_a_class_shows_control_interval_and_spread(path: Path) -> None:
    found = facts(path, "classes", model="alpha")
    assert "[" in found["IS"]
    assert {"IS control", "IS /control", "|AS| control"} <= found.keys()
    with Store(path) as store:
        view = arrange(class_table(store, "alpha"), Arrangement())
        detail = detail_of(store, Place("classes", "alpha"), view, 0)
        none = detail_of(store, Place("classes", "alpha", subset="right"), view, 0)
    assert [curve[0] for curve in detail.strip.curves] == [-2.0, 1.0]
    assert none.strip is None


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_violin_is_flat_for_even_values_and_high_where_they_crowd(glyphs) -> None:
    even, crowded = np.linspace(-2, 2, 21), np.array([*np.linspace(0, 1, 11), *np.linspace(1.2, 11, 10)])
    first, second = Violins(("AS", "IS"), (even, crowded)).lines(60, 9, glyphs)
    assert len(first) == len(second) == 60
    assert first.startswith("AS    -2.00 ")
    assert first.endswith("    +2.00")
    strip, packed = first[12:-9], second[12:-9]
    assert set(strip) == {glyphs.density[-1], "|"}
    assert abs(strip.index("|") - len(strip) / 2) <= 1
    heights = [glyphs.density.find(sign) for sign in packed]
    assert packed.index("|") == len(packed) // 11
    assert max(heights) == heights[0] > 3 * max(heights[len(packed) // 5 :])


def test_a_violin_of_one_value_or_no_room_is_no_error() -> None:
    same = Violins(("AS",), (np.zeros(21),))
    assert same.lines(60, 3, UNICODE)[0].split()[1] == "0.00"
    assert same.lines(20, 3, UNICODE) == same.lines(60, 0, UNICODE) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_on_80_columns_an_interval_stands_beside_its_value(path: Path, ascii_only: bool) -> None:
    app = Explorer(path, ascii_only=ascii_only)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = on_screen(app)
        assert "11.70 [ 9.25 12.50]" in text
        assert "IS [95%]" in lines(app)[1]
        at = [column.name for column in app.screen.table.columns].index("image_score")
        app.screen.table.move_column(at - app.screen.table.column)
        await press(pilot, "s")
        values = app.screen.view.table.column("image_score").values.take(app.screen.view.order)
        assert values.tolist() == sorted(values.tolist(), reverse=True)


@pytest.mark.asyncio
async def test_details_longer_than_the_screen_are_turned_by_pages(path: Path) -> None:
    app = Explorer(path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "d")
        await settle(pilot)
        seen, before = on_screen(app), ""
        assert "more lines: pgdn" in seen
        assert "stored_precision" not in seen
        pane = app.screen.query_one(DetailPane)
        while on_screen(app) != before:
            before = on_screen(app)
            await press(pilot, "pagedown")
            seen += on_screen(app)
        assert pane._hidden == 0
        for fact in ("removed: null direction", "null direction 2", "labels without CLIP", "stored_precision"):
            assert fact in seen
        assert app.screen.table.cursor == 0
        for _ in range(5):
            await press(pilot, "pageup")
        assert "predicted right" in on_screen(app)
        await press(pilot, "down")
        assert app.screen.table.cursor == 1


@pytest.mark.asyncio
async def test_the_mark_of_significance_is_a_column_beside_the_shift(path: Path) -> None:
    app = Explorer(path, Start(Wish(class_name="cat"), '* = "*"'), ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        with Store(path) as store:
            marked = int((store.dataset("models/alpha/concepts/q")[0] < 0.05).sum())
        assert app.screen.table.lines == marked > 0
        assert "*" in lines(app)[3][30:40]
