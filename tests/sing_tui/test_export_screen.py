"""The form of an export and the list of columns, driven by keys in an app that holds nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from driving import burst, handled, lines, press, until
from textual.app import App
from textual.widgets import Input

from sing_compute.formats import ASCII, UNICODE, Glyphs
from sing_compute.store import Store, image_table
from sing_tui.exporting import ExportWanted
from sing_tui.screens.columns import ColumnScreen
from sing_tui.screens.export import ExportScreen
from sing_tui.widgets.export_form import Choice, ExportChoices

NOTHING_YET = object()


class Host(App[None]):
    """Shows one dialog and keeps what it answers; letters that reach it are counted."""

    BINDINGS: ClassVar[list[Any]] = [(letter, "stray", "") for letter in "efnrqsxyad"]

    def __init__(self, dialog: Any) -> None:
        super().__init__()
        self.dialog, self.answer, self.strays = dialog, NOTHING_YET, 0

    def on_mount(self) -> None:
        self.push_screen(self.dialog, lambda answer: setattr(self, "answer", answer))

    def action_stray(self) -> None:
        self.strays += 1


def form(folder: Path, *, glyphs: Glyphs = UNICODE, name: str = "results-images.csv", scopes: int = 3) -> ExportScreen:
    counts = dict(list({"marked": 3, "shown": 120, "table": 1_281_167}.items())[-scopes:])
    return ExportScreen(ExportChoices(counts, {"all": 23, "shown": 8}, name, folder), glyphs=glyphs)


def shown(app: Host) -> str:
    return "\n".join(lines(app))


def named(app: Host, name: str) -> None:
    app.screen.query_one(Input).value = name


async def test_enter_alone_writes_the_first_of_everything(tmp_path: Path) -> None:
    app = Host(form(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter")
    assert app.answer == ExportWanted("marked", "all", tmp_path / "results-images.csv", False)


async def test_escape_writes_nothing(tmp_path: Path) -> None:
    app = Host(form(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "up", "escape")
    assert app.answer is None


async def test_arrows_walk_the_lines_and_change_the_choices(tmp_path: Path) -> None:
    app = Host(form(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "down", "right", "right", "down", "space", "down", "left", "enter")
    assert app.answer == ExportWanted("table", "shown", tmp_path / "results-images.json", False)


async def test_where_the_rows_are_from_is_written_on_request_and_never_over_another_file(tmp_path: Path) -> None:
    beside = tmp_path / "results-images.csv.provenance.json"
    beside.write_text("mine")
    app = Host(form(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "right", "enter")
        assert "the file exists: Enter replaces it" in shown(app)
        await press(pilot, "enter")
    assert app.answer == ExportWanted("marked", "all", tmp_path / "results-images.csv", True, provenance=True)


async def test_a_format_counts_although_enter_follows_at_once(tmp_path: Path) -> None:
    app = Host(form(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "up")
        burst("right", "enter", app=app)
        await handled(pilot.app)
    assert app.answer == ExportWanted("marked", "all", tmp_path / "results-images.json", False)


async def test_a_choice_goes_round_and_one_answer_stays(tmp_path: Path) -> None:
    app = Host(form(tmp_path, scopes=1))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "tab", "tab", "right", "tab", "right", "right", "right", "enter")
    assert app.answer == ExportWanted("table", "shown", tmp_path / "results-images.csv", False)


async def test_format_and_suffix_follow_each_other(tmp_path: Path) -> None:
    app = Host(form(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        named(app, "rows.v2")
        await press(pilot, "up", "space")
        assert app.screen.query_one(Input).value == "rows.v2.json"
        assert "‹JSON›" in shown(app)
        await press(pilot, "space")
        assert app.screen.query_one(Input).value == "rows.v2.csv"
        named(app, "rows.JSON")
        await handled(pilot.app)
        assert "‹JSON›" in shown(app)
        named(app, "rows.txt")
        await handled(pilot.app)
        assert "‹CSV›" in shown(app)


async def test_letters_go_to_the_file_name_and_nowhere_else(tmp_path: Path) -> None:
    app = Host(form(tmp_path, name=""))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, *"efnrqsxyad")
        assert app.screen.query_one(Input).value == "efnrqsxyad"
        await press(pilot, "up", *"efnrqsxyad")
        assert app.screen.query_one(Input).value == "efnrqsxyad"
        assert app.screen.query_one("#format", Choice).chosen == "csv"
        assert app.answer is NOTHING_YET
    assert app.strays == 0


async def test_a_file_that_exists_is_replaced_by_a_second_enter_only(tmp_path: Path) -> None:
    (tmp_path / "results-images.csv").write_text("mine")
    (tmp_path / "other.csv").write_text("mine")
    app = Host(form(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter")
        assert app.answer is NOTHING_YET
        assert "file exists" in shown(app)
        named(app, "other.csv")  # agreed for one name is not agreed for another
        await handled(pilot.app)
        assert "file exists" not in shown(app)
        await press(pilot, "enter")
        assert app.answer is NOTHING_YET
        assert "file exists" in shown(app)
        await press(pilot, "enter")
    assert app.answer == ExportWanted("marked", "all", tmp_path / "other.csv", True)


@pytest.mark.parametrize(
    ("typed", "why"),
    [("", "name"), ("   ", "name"), ("none/rows.csv", "there is no folder"), (".", "folder"), ("x" * 300, "too long")],
)
async def test_a_name_that_cannot_be_written_is_said_at_once(typed: str, why: str, tmp_path: Path) -> None:
    app = Host(form(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        named(app, typed)
        await handled(pilot.app)
        await press(pilot, "enter")
        await until(lambda: why in lines(app)[14], app)
        assert app.answer is NOTHING_YET


async def test_a_path_of_its_own_needs_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for typed in ("~/rows.csv", str(tmp_path / "rows.csv")):
        app = Host(form(tmp_path / "elsewhere"))
        async with app.run_test(size=(80, 24)) as pilot:
            named(app, typed)
            await press(pilot, "enter")
        assert app.answer == ExportWanted("marked", "all", tmp_path / "rows.csv", False)


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
async def test_the_whole_form_fits(size: tuple[int, int], glyphs: Glyphs, tmp_path: Path) -> None:
    app = Host(form(Path("ネコ\x1b[31m") / ("deep" * 30), glyphs=glyphs))
    async with app.run_test(size=size) as pilot:
        await press(pilot, "up", "up", "up", "right")
        text = shown(app)
        for part in (
            "rows",
            "shown 120",
            "columns",
            "all 23",
            "format",
            "CSV",
            "file",
            "results-images",
            "Enter writes",
        ):
            assert part in text
        assert "\x1b" not in text
        assert text.isascii() or not glyphs.ascii_only
        assert ("whole table 1,281,167" in text) == (size[0] == 80)
        if size[0] == 40:
            assert f"{glyphs.left}shown 120{glyphs.right} 2/3" in text


@pytest.fixture
def chooser(store: Store) -> Callable[..., ColumnScreen]:
    columns = image_table(store, "alpha").columns
    return lambda shown=("image", "image_score"), glyphs=UNICODE: ColumnScreen(columns, shown, glyphs=glyphs)


async def test_columns_are_chosen_by_space_and_taken_by_enter(chooser: Callable[..., ColumnScreen]) -> None:
    app = Host(chooser())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "space", "down", "down", "space", "enter")
    assert app.answer == ("image", "class")


async def test_the_letters_of_the_table_move_in_the_list_of_columns(chooser: Callable[..., ColumnScreen]) -> None:
    app = Host(chooser(shown=()))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "j", "j", "space", "k", "space", "G", "space", "g", "space")
        assert "image names the rows: it stays" in "\n".join(lines(app))
        await press(pilot, "enter")
    names = [column.name for column in chooser().columns]
    assert app.answer == (names[0], names[1], names[2], names[-1])


async def test_the_first_column_stays(chooser: Callable[..., ColumnScreen]) -> None:
    app = Host(chooser(shown=()))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "space", "n", "space", "enter")
    assert app.answer == ("image",)


async def test_all_and_none_and_escape(store: Store, chooser: Callable[..., ColumnScreen]) -> None:
    names = tuple(column.name for column in image_table(store, "alpha").columns)
    for keys, answer in ((("a", "enter"), names), (("a", "n", "enter"), names[:1]), (("a", "escape"), None)):
        app = Host(chooser())
        async with app.run_test(size=(80, 24)) as pilot:
            await press(pilot, *keys)
        assert app.answer == answer


async def test_a_click_chooses_and_does_not_take(chooser: Callable[..., ColumnScreen]) -> None:
    app = Host(chooser())
    async with app.run_test(size=(80, 24)) as pilot:
        row = next(row for row, line in enumerate(lines(app)) if "prediction" in line)
        await pilot.click(offset=(10, row))
        assert app.answer is NOTHING_YET
        assert "[x] prediction" in lines(app)[row]
        await press(pilot, "enter")
    assert app.answer == ("image", "image_score", "prediction")


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
async def test_the_list_scrolls_on_the_smallest_screen(chooser: Callable[..., ColumnScreen], glyphs: Glyphs) -> None:
    app = Host(chooser(glyphs=glyphs))
    async with app.run_test(size=(40, 10)) as pilot:
        await press(pilot, "end")
        text = shown(app)
        assert "[ ] group" in text
        assert "[x] image " not in text
        assert "2 of 15 columns" in text
        assert text.isascii() or not glyphs.ascii_only
