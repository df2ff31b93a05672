"""Decoding the photographs of a contact sheet: the newest sheet comes first, and what was paged away stays away."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from driving import PATIENCE, drawn, handled, press, until
from planted_photographs import ABSENT, BROKEN
from test_contact_sheet import complete, differing, explorer, planted, sheet_of

from sing_compute.formats import Glyphs
from sing_tui.captions import Caption
from sing_tui.screens import contact_sheet
from sing_tui.screens.photograph_reading import PhotographReader
from sing_tui.view import View
from sing_tui.widgets.photographs import Rendering

__all__ = ["planted"]


def hold(monkeypatch: pytest.MonkeyPatch, *, first_alone: bool = False) -> tuple[threading.Event, list[int]]:
    """Let the decoding of photographs, or of the first alone, wait; give what releases it, and the rows that were begun."""
    release, begun = threading.Event(), []
    render = PhotographReader.rendered

    def slow(self: PhotographReader, row: int, *size: Any, **how: Any) -> Rendering:
        begun.append(row)
        assert (first_alone and row != begun[0]) or release.wait(PATIENCE)
        return render(self, row, *size, **how)

    monkeypatch.setattr(PhotographReader, "rendered", slow)
    return release, begun


async def test_keys_are_answered_while_images_are_decoded_and_the_newest_sheet_comes_first(
    planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, begun = hold(monkeypatch)
    app = explorer(planted)
    async with app.run_test(size=(80, 24)) as pilot:
        try:
            await drawn(app)
            await press(pilot, "O")
            await until(lambda: len(begun) == 2, app)
            for _ in range(3):
                await press(pilot, "pagedown")
            sheet = sheet_of(app)
            assert sheet.cursor == 24
            assert len(begun) == 2  # no further thread was started
        finally:
            release.set()
        await complete(pilot)
        assert differing(app) <= {BROKEN, ABSENT}
        later = [sheet.view.line_of(row) for row in begun[2:]]
        assert sorted(later[:8]) == list(range(24, 32))
        assert not set(later) & set(range(2, 24))  # what was paged away is not decoded


async def test_a_photograph_that_was_paged_away_takes_the_place_of_none_in_sight(
    planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, begun = hold(monkeypatch, first_alone=True)
    app = explorer(planted)
    async with app.run_test(size=(80, 24)) as pilot:
        try:
            await drawn(app)
            await press(pilot, "O")
            await until(lambda: len(begun) > 1, app)
            await press(pilot, "pagedown", "pagedown", "pagedown")
            sheet = await complete(pilot)
            await until(lambda: all(sheet.renderings.get(line) for line in range(24, 40)), app)
        finally:
            release.set()
        await until(lambda: all(worker.is_finished for worker in app.workers if worker.group == "sheet"), app)
        await handled(app)
        assert all(sheet.renderings.get(line) for line in sheet.sheet)


async def test_captions_that_come_late_take_the_place_of_none_in_sight(
    planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, read = threading.Event(), contact_sheet.captions

    def slow(view: View, lines: Sequence[int], glyphs: Glyphs) -> list[Caption]:
        assert 24 in lines or release.wait(PATIENCE)
        return read(view, lines, glyphs)

    monkeypatch.setattr(contact_sheet, "captions", slow)
    app = explorer(planted)
    async with app.run_test(size=(80, 24)) as pilot:
        try:
            await drawn(app)
            await press(pilot, "O", "pagedown", "pagedown", "pagedown")
            sheet = await complete(pilot)
            assert sheet.sheet == range(24, 32)
        finally:
            release.set()
        await until(lambda: all(worker.is_finished for worker in app.workers if worker.group == "captions"), app)
        await handled(app)
        assert all(sheet.captions.get(line) for line in sheet.sheet)
