"""The contact sheet: planted colours show which image is drawn where."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import drawn, handled, lines, press, screen_text, strips, until, wish
from picture_figures import COLORS, write_pictures
from planted_photographs import ABSENT, BROKEN, Pixel, color, plant
from rich.color import ColorType
from stores import write_store
from textual.pilot import Pilot

from sing_compute.store import Place, Store, open_table
from sing_tui.app import Explorer
from sing_tui.colors import READABLE, contrast
from sing_tui.screens.contact_sheet import ContactSheetScreen
from sing_tui.screens.photograph import PhotographScreen
from sing_tui.start import Start
from sing_tui.widgets.contact_sheet import ContactSheet


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("planted"))


def explorer(path: Path, sort: str = "image_score", filter: str = "", **how: Any) -> Explorer:
    """The explorer at the images of one model."""
    return Explorer(path, Start(wish("images", model="alpha"), sort=sort, filter=filter), **how)


def sheet_of(app: Explorer) -> ContactSheet:
    """The sheet on the screen."""
    assert isinstance(app.screen, ContactSheetScreen), screen_text(app)
    return app.screen.contact_sheet


def is_complete(app: Explorer) -> bool:
    """Return True if every image of the sheet has its photograph and its caption."""
    if not isinstance(app.screen, ContactSheetScreen) or app.screen.contact_sheet.grid.width < 2:
        return False
    sheet = app.screen.contact_sheet
    return all(sheet.renderings.get(line) and sheet.captions.get(line) for line in sheet.sheet)


async def complete(pilot: Pilot) -> ContactSheet:
    """Wait until the sheet is complete, and painted."""
    await until(lambda: is_complete(pilot.app), pilot.app)
    await handled(pilot.app)
    return sheet_of(pilot.app)


async def opened(pilot: Pilot) -> ContactSheet:
    """Open the sheet."""
    await drawn(pilot.app)
    await press(pilot, "O")
    return await complete(pilot)


def painted(app: Explorer, line: int) -> Pixel | None:
    """The colour in the middle of the photograph of a line of the table; None where nothing is drawn."""
    sheet = sheet_of(app)
    x, y = sheet.region.offset + sheet.grid.corner(line)
    strip = strips(app.screen)[y + sheet.grid.picture_height // 2]
    ((_, style, _),) = strip.crop(x + sheet.grid.cell_width // 2, x + sheet.grid.cell_width // 2 + 1)
    return tuple(style.bgcolor.get_truecolor())


def expected(sheet: ContactSheet) -> list[Pixel]:
    """The planted colours of the images on the sheet, in the order of the table."""
    return [color(sheet.view.identity(line)) for line in sheet.sheet]


def seen(app: Explorer) -> list[Pixel | None]:
    """The colours on the screen, in the order of the sheet."""
    return [painted(app, line) for line in sheet_of(app).sheet]


def differing(app: Explorer) -> set[int]:
    """Rows of the images on the sheet that show another colour than theirs."""
    sheet = sheet_of(app)
    pairs = zip(sheet.sheet, seen(app), expected(sheet), strict=True)
    return {sheet.view.identity(line) for line, found, wanted in pairs if found != wanted}


@pytest.mark.asyncio
class TestSheet:
    @pytest.mark.parametrize(("sort", "filter"), [("image_score", "class = dog"), ("attribute_score", "is > 0")])
    async def test_images_are_in_the_order_of_the_table_under_its_filter_and_sort(
        self, planted: Path, sort: str, filter: str
    ) -> None:
        app = explorer(planted, sort, filter)
        async with app.run_test(size=(80, 24)) as pilot:
            sheet = await opened(pilot)
            scores = sheet.view.table.column(sort).values.all()[list(map(sheet.view.identity, sheet.sheet))]
            assert (np.diff(scores) <= 0).all()
            assert len(sheet.sheet) == 8
            assert differing(app) <= {BROKEN, ABSENT}
            title = sheet.view.table.column(sort).title
            below = lines(app)[1 + sheet.grid.picture_height]
            assert below.count(f"{title} ") == 4
            assert f"{scores[0]:.2f}" in below
            if "dog" in filter:
                assert {sheet.view.identity(line) for line in sheet.sheet} <= set(range(30, 42))

    async def test_every_sheet_shows_its_images_and_no_more_than_two_sheets_are_kept(self, planted: Path) -> None:
        app = explorer(planted)
        async with app.run_test(size=(80, 24)) as pilot:
            sheet = await opened(pilot)
            kept, wrong = [], set()
            for _ in range(5):
                await press(pilot, "pagedown")
                await complete(pilot)
                kept.append(max(len(sheet.renderings), len(sheet.captions)))
                wrong |= differing(app)
            assert sheet.cursor == 40
            assert wrong <= {BROKEN, ABSENT}
            assert max(kept) <= 16
            for key, line in (
                ("G", 42), ("g", 0), ("l", 1), ("j", 5), ("h", 4), ("k", 0), ("k", 0), ("ctrl+d", 4), ("pageup", 0),
                ("G", 42), ("j", 42), ("k", 38), ("l", 39), ("j", 42),
            ):  # fmt: skip
                await press(pilot, key)
                assert sheet.cursor == line, key
            await complete(pilot)
            assert "43 of 43" in screen_text(app)

    async def test_marks_reach_the_table_and_the_cursor_stays_on_its_row(self, planted: Path) -> None:
        app = explorer(planted)
        async with app.run_test(size=(80, 24)) as pilot:
            sheet = await opened(pilot)
            await press(pilot, "l", "space", "l", "space", "j")
            wanted = [sheet.view.identity(line) for line in (1, 3)]
            row = sheet.view.identity(8)
            assert "2 marked" in screen_text(app)
            await press(pilot, "V")
            assert app.page.session.here.marks == (*wanted, *(sheet.view.identity(line) for line in range(4, 9)))
            await press(pilot, "u", "V")
            assert "mark the first row of the range" in screen_text(app)
            await press(pilot, "space", "escape")
            await drawn(app)
            assert app.page.session.here.marks == (row,)
            assert app.page.identity == sheet.view.identity(9)
            assert "10 of 43" in screen_text(app)

    async def test_marks_and_cursor_are_signs_that_need_no_colour(self, planted: Path) -> None:
        app = explorer(planted, ascii_only=True)
        async with app.run_test(size=(80, 24)) as pilot:
            sheet = await opened(pilot)
            await press(pilot, "space")
            text = lines(app)
            assert screen_text(app).isascii()
            width, high = sheet.grid.cell_width, sheet.grid.cell_height
            first, second = ([line[k * width : (k + 1) * width] for line in text[1 : 1 + high]] for k in (0, 1))
            assert all(line[0] == line[-1] == "|" for line in second)
            assert not any("|" in line for line in first)
            assert " * " in first[-2]
            assert re.search(r"> .*IS.* <", second[-2])

    async def test_files_that_cannot_be_shown_say_so_in_their_place(self, planted: Path) -> None:
        app = explorer(planted, sort="image", filter="image ~ 0000")
        async with app.run_test(size=(120, 30)) as pilot:
            sheet = await opened(pilot)
            notes = {sheet.view.identity(line): sheet.renderings.get(line).note for line in sheet.sheet}
            assert {row for row, note in notes.items() if note} == {BROKEN, ABSENT}
            words = screen_text(app).split()
            assert {"cat/00007.png", "cat/00009.png", "--images"} <= set(words), words

    async def test_a_page_opens_from_the_sheet_and_leads_back_to_it(self, planted: Path) -> None:
        app = explorer(planted)
        async with app.run_test(size=(80, 24)) as pilot:
            sheet = await opened(pilot)
            await press(pilot, "l", "enter")
            await until(lambda: isinstance(app.screen, PhotographScreen), app)
            await until(lambda: "class angle" in screen_text(app), app)
            assert app.screen.row == sheet.view.identity(1)
            figures = {figure.title: figure.value for figure in app.screen.reader.figures(app.screen.row)}
            text = " ".join(" ".join(line[41:-1] for line in lines(app)).split())
            for title in ("class", "prediction", "AS", "IS", "confidence"):
                assert f"{title} {figures[title]}" in text, text
            await press(pilot, "j", "escape")
            await until(lambda: isinstance(app.screen, ContactSheetScreen), app)
            assert sheet.cursor == 2

    async def test_size_keys_change_how_many_there_are(self, planted: Path) -> None:
        app = explorer(planted)
        async with app.run_test(size=(120, 40)) as pilot:
            sheet = await opened(pilot)
            counts = []
            for key in ("minus", "plus", "plus", "plus"):
                await press(pilot, key)
                await complete(pilot)
                counts.append(sheet.grid.count)
                assert differing(app) <= {BROKEN, ABSENT}
            assert counts[0] > counts[1] > counts[2] > counts[3] >= 1

    @pytest.mark.parametrize("size", [(10, 3), (20, 6), (300, 90)])
    async def test_any_size_of_the_screen_is_filled(self, planted: Path, size: tuple[int, int]) -> None:
        app = explorer(planted)
        async with app.run_test(size=size) as pilot:
            await drawn(app)
            await press(pilot, "O")
            await until(lambda: isinstance(app.screen, ContactSheetScreen), app)
            sheet = sheet_of(app)
            await until(lambda: all(map(sheet.renderings.get, sheet.sheet)), app)
            await handled(pilot.app)
            assert {strip.cell_length for strip in strips(app.screen)} == {size[0]}

    @pytest.mark.parametrize("graphics", ["kitty", "sixel"])
    async def test_a_better_terminal_draws_each_in_its_place(
        self, planted: Path, graphics: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TMUX", raising=False)
        app = explorer(planted, filter="class = dog", graphics=graphics)
        async with app.run_test(size=(80, 24)) as pilot:
            written: list[str] = []
            await drawn(app)
            monkeypatch.setattr(app._driver, "write", written.append)
            sheet = await opened(pilot)
            start = "\x1b_Ga=T" if graphics == "kitty" else "\x1bP0;1;0q"
            places = {re.match(r"\x1b7\x1b\[(\d+);(\d+)H", text).groups() for text in written if start in text}
            inside = (sheet.grid.picture_width - sheet.renderings.get(0).width) // 2
            wanted = {(y + 2, x + 2 + inside) for x, y in map(sheet.grid.corner, sheet.sheet)}
            assert {(int(row), int(column)) for row, column in places} == wanted
            numbers = set(re.findall(r"a=T[^;]*i=(\d+)", "".join(written)))
            assert len(numbers) == (8 if graphics == "kitty" else 0)
            last = len(written)
            await press(pilot, "escape")
            await drawn(app)
            gone = set(re.findall(r"a=d,d=I,i=(\d+)", "".join(written[last:])))
            assert numbers <= gone

    @pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
    async def test_captions_are_readable(self, planted: Path, theme: str) -> None:
        app = explorer(planted, theme=theme)
        async with app.run_test(size=(100, 30)) as pilot:
            await opened(pilot)
            for strip in strips(app.screen):
                for text, style, _ in strip:
                    if any(map(str.isalnum, text)) and ColorType.DEFAULT not in (style.color.type, style.bgcolor.type):
                        ratio = contrast(style.color.get_truecolor(), style.bgcolor.get_truecolor())
                        assert ratio >= READABLE, text


@pytest.mark.asyncio
async def test_stored_pictures_are_shown_themselves(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5", seed=3)
    write_pictures(path, "alpha")
    app = Explorer(path, Start(wish("pictures", model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        sheet = await opened(pilot)
        text = screen_text(app)
        with Store(path) as store:
            kinds = open_table(store, Place.of("pictures", model="alpha")).column("kind").values.all()[:8].tolist()
        wanted = [COLORS[0] if kind == "translated" else COLORS[1] for kind in kinds]
        assert (np.abs(np.subtract(seen(app), wanted)) <= 1).all()  # a JPEG file has changed them a little
        assert [sheet.captions.get(line).prediction for line in sheet.sheet] == kinds
        assert "angle back" in text
        assert "incorrect" not in text
