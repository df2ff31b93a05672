"""The parts of the contact sheet without a screen: captions, the grid, and what waits to be decoded."""

from pathlib import Path

import numpy as np
import pytest
from driving import drawn, press, screen_text, wish
from stores import write_store

from sing_compute.formats import ASCII, UNICODE
from sing_compute.store import Place, Store, open_table
from sing_tui.app import Explorer
from sing_tui.captions import are_incorrect, captions, class_columns
from sing_tui.photographs.queue import Bounded, DecodingQueue
from sing_tui.session.state import Arrangement
from sing_tui.start import Start
from sing_tui.view import View, arrange
from sing_tui.widgets.contact_sheet import Grid


def image_view(store: Store, wanted: Arrangement) -> View:
    """The images of a model."""
    return arrange(open_table(store, Place.of("images", model="alpha")), wanted)


def test_a_caption_names_prediction_and_class_where_they_differ(store_path: Path) -> None:
    with Store(store_path) as store:
        view = image_view(store, Arrangement(sort="attribute_score"))
        found = captions(view, range(len(view)), ASCII)
        columns = {
            name: view.table.column(name).values.take(view.order) for name in ("class", "prediction", "attribute_score")
        }
        pairs = list(zip(columns["class"], columns["prediction"], strict=True))
        assert [bool(caption.true_class) for caption in found] == [true != predicted for true, predicted in pairs]
        assert any(caption.true_class for caption in found)
        for caption, (true, predicted), score in zip(found, pairs, columns["attribute_score"], strict=True):
            assert caption.score == f"AS {score:+.2f}deg"
            assert caption.classes(40, ASCII) == (predicted if true == predicted else f"! {predicted} -> {true}")
            assert len(caption.classes(9, ASCII)) <= 9


def test_two_classes_of_one_name_are_two_classes(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5", class_names=("crane", "crane", "owl"), images_per_class=(9, 9, 9))
    with Store(path) as store:
        view = image_view(store, Arrangement())
        pair = class_columns(view.table.columns)
        assert [column.name for column in pair] == ["class", "prediction"]
        true, predicted = store.array("images/class"), store.array("models/alpha/images/prediction")
        assert are_incorrect(pair, view.order) == (true != predicted).tolist()
        same = (true != predicted) & (true < 2) & (predicted < 2)
        assert same.any()
        assert captions(view, [int(np.flatnonzero(same)[0])], UNICODE)[0].classes(40, UNICODE) == "! crane → crane"


@pytest.mark.parametrize("size", [(80, 21), (200, 47), (10, 1), (61, 13), (300, 90)])
def test_a_grid_fills_the_room_and_no_more(size: tuple[int, int]) -> None:
    for rows in (None, *range(1, 20)):
        grid = Grid.of(*size, rows)
        assert grid.rows * grid.cell_height <= size[1]
        assert grid.across * grid.cell_width <= size[0]
        corners = {grid.corner(line) for line in range(grid.count)}
        assert len(corners) == grid.count
        assert [line for start in range(0, 50, grid.count) for line in grid.sheet(start, 50)] == list(range(50))


def test_waiting_lines_are_replaced_and_threads_are_few() -> None:
    queue = DecodingQueue()
    assert queue.want([1, 2, 3]) == 2
    assert queue.take() == 1
    assert queue.want([7, 8]) == 0  # both threads are at work
    assert [queue.take() for _ in range(4)] == [7, 8, None, None]
    assert queue.want([9]) == 1


def test_what_was_used_longest_ago_is_dropped() -> None:
    known: Bounded[str] = Bounded()
    for line in range(3):
        known.put(line, str(line), 3)
    assert known.get(0) == "0"
    known.put(9, "9", 3)
    assert [known.get(line) for line in (0, 1, 2, 9)] == ["0", None, "2", "9"]


@pytest.mark.asyncio
async def test_classes_have_no_photographs(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "O")
        assert app.screen is app.page
        assert "are no photographs: open images first" in screen_text(app)
