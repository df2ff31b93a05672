"""The finder finds what it says, best first, and its screen shows and hands back what was found."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event

import h5py
import pytest
from driving import handled, press, strips, until
from rich.cells import cell_len
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from sing_compute.formats import ASCII, UNICODE, Glyphs
from sing_compute.store import Store
from sing_compute.store.place import Place
from sing_tui.finder import Finder, Found, Hit
from sing_tui.screens.finder import FinderScreen, HitList, emphasised, summary
from sing_tui.search import Superseded
from sing_tui.widgets.text_lines import TextLine

AXES = (("class", "classes"), ("concept", "concepts"), ("model", "models"), ("image", "images"))


def hit(text: str, positions: tuple[int, ...] = ()) -> Hit:
    """Something that was found."""
    return Hit("class", 0, text, "0", positions, 1.0, Place("classes"))


def test_the_count_line_says_what_there_is() -> None:
    hits = [hit("a")]
    counts = {"class": 1, "concept": 12, "model": 0, "image": 1204}
    assert summary(Found(hits, counts), AXES) == "1 class, 12 concepts, 1,204 images, the first 1 shown"
    assert summary(Found(hits, {"class": 1}), AXES) == "1 class"
    assert summary(Found([], {"class": 0}), AXES) == "nothing found"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize(
    "text",
    [
        "plain name",
        "ネコ科の動物たち",
        "bell\x07\x1b[31m end",
        "👩\u200d👩\u200d👧 e\u0301 🇯🇵 ☁\ufe0f",
        "long " * 30,
        "",
    ],
)
def test_emphasis_fills_its_width_and_marks_the_matched_letters(text: str, glyphs: Glyphs) -> None:
    for width in (0, 1, 2, 5, 8, 24, 200):
        for places in ((), (0,), (len(text) - 1,), tuple(range(len(text)))):
            parts = emphasised(hit(text, places), width, glyphs)
            shown = "".join(part for part, _ in parts)
            assert sum(cell_len(part) for part, _ in parts) == width
            assert "\x1b" not in shown
            assert not glyphs.ascii_only or shown.isascii()
    marked = emphasised(hit("be\x07ll end", (5, 6)), 12, glyphs)
    assert marked == [("bell", False), (" e", True), ("nd    ", False)]
    sign = glyphs.ellipsis
    assert emphasised(hit("x" * 30 + "cat", (30, 31, 32)), 6, glyphs) == [
        (sign + "xx", False),
        ("cat", True),
    ]
    assert emphasised(hit("cat" + "x" * 30, (0, 1, 2)), 6, glyphs) == [
        ("cat", True),
        ("xx" + sign, False),
    ]


class Host(App[None]):
    """An app that shows nothing but the finder and keeps what it hands back."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, finder: Finder, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self.finder, self.glyphs = finder, glyphs
        self.chosen: list[Hit | None] = []

    def on_mount(self) -> None:
        self.push_screen(FinderScreen(self.finder, glyphs=self.glyphs), self.chosen.append)


def drive(
    finder: Finder, act: Callable[[Pilot, FinderScreen], object], size: tuple[int, int] = (80, 24), glyphs=UNICODE
) -> list[Hit | None]:
    app = Host(finder, glyphs)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await until(lambda: isinstance(app.screen, FinderScreen) and app.focused is not None, app)
            await act(pilot, app.screen)
            await handled(pilot.app)

    asyncio.run(run())
    return app.chosen


async def enter_text(pilot: Pilot, screen: FinderScreen, text: str) -> None:
    before = screen.generation
    screen.query_one(Input).value = text
    await until(lambda: before < screen.generation == screen.answered, pilot.app)
    await handled(pilot.app)


def painted(screen: FinderScreen) -> list[str]:
    return [strip.text for strip in strips(screen)]


@pytest.mark.parametrize(("size", "glyphs"), [((80, 24), UNICODE), ((40, 10), ASCII), ((200, 50), UNICODE)])
def test_the_screen_shows_hits_and_hands_back_the_chosen_one(
    named: Finder, size: tuple[int, int], glyphs: Glyphs
) -> None:
    async def act(pilot: Pilot, screen: FinderScreen) -> None:
        await enter_text(pilot, screen, "cat")
        lines = painted(screen)
        assert any("class" in line and "tiger cat" in line for line in lines)
        assert any("4 classes" in line and "48 images" in line for line in lines)
        assert not glyphs.ascii_only or all(line.isascii() for line in lines)
        assert all(cell_len(line) == size[0] for line in lines)
        await press(pilot, "down", "ctrl+n", "up", "ctrl+n", "ctrl+p", "enter")

    assert drive(named, act, size, glyphs) == [named.find("cat").hits[1]]


def test_the_matched_letters_are_bold_and_underlined(named: Finder) -> None:
    async def act(pilot: Pilot, screen: FinderScreen) -> None:
        await enter_text(pilot, screen, "gws")
        strip = screen.query_one(HitList).render_line(0)
        marked = [segment.text for segment in strip if segment.style and segment.style.bold and segment.style.underline]
        assert marked == ["g", "w", "s"]

    drive(named, act)


def test_the_cursor_scrolls_through_all_hits_and_goes_round(named: Finder) -> None:
    async def act(pilot: Pilot, screen: FinderScreen) -> None:
        await enter_text(pilot, screen, "cat")
        hits = screen.query_one(HitList)
        last = len(hits.hits) - 1
        await press(pilot, "up")
        assert hits.cursor == last
        assert hits.hits[last].text in painted(screen)[hits.region.bottom - 1]
        await press(pilot, "down", "pagedown", "pagedown")
        assert hits.cursor == 20
        assert any(hits.hits[20].text in line for line in painted(screen))
        await press(pilot, "pageup", "pageup", "pageup", "pageup")
        assert hits.cursor == hits.top == 0
        await pilot.click(HitList, offset=(5, 2))

    assert drive(named, act) == [named.find("cat").hits[2]]


def test_escape_hands_back_nothing_and_enter_needs_a_hit(named: Finder) -> None:
    async def act(pilot: Pilot, screen: FinderScreen) -> None:
        await enter_text(pilot, screen, "no such thing")
        assert any("nothing found" in line for line in painted(screen))
        await press(pilot, "down", "enter")
        assert screen.is_current
        await press(pilot, "escape")

    assert drive(named, act) == [None]


class Slow:
    """A finder that answers only when it is let, and remembers which searches it gave up."""

    axes = AXES

    def __init__(self) -> None:
        self.free = Event()
        self.begun: list[str] = []
        self.given_up: list[str] = []

    def find(
        self, words: str, *, place: Place | None = None, limit: int = 100, stop: Callable[[], bool] | None = None
    ) -> Found:
        self.begun.append(words)
        while not self.free.wait(0.005):
            if stop is not None and stop():
                self.given_up.append(words)
                raise Superseded
        return Found([hit(words)], {"class": 1})


def test_a_newer_letter_ends_the_search_and_enter_waits_for_the_answer() -> None:
    slow = Slow()

    async def act(pilot: Pilot, screen: FinderScreen) -> None:
        for text in ("o", "ow", "owl"):
            screen.query_one(Input).value = text
            await until(lambda text=text: text in slow.begun, pilot.app)
        await until(lambda: slow.given_up[-1:] == ["ow"], pilot.app)
        await press(pilot, "enter")
        assert screen.is_current
        slow.free.set()
        await until(lambda: not screen.is_current, pilot.app)

    assert [hit.text for hit in drive(slow, act) if hit] == ["owl"]
    assert set(slow.given_up) == {"o", "ow"}


def test_an_answer_that_comes_too_late_is_dropped(named: Finder) -> None:
    async def act(pilot: Pilot, screen: FinderScreen) -> None:
        await enter_text(pilot, screen, "cat")
        late = Found([hit("too late")], {"class": 1})
        screen.post_message(FinderScreen.Answered(screen.generation - 1, late))
        await handled(pilot.app)
        assert screen.query_one(HitList).hits == named.find("cat").hits

    drive(named, act)


def test_a_damaged_file_becomes_one_line_and_awkward_text_stays_harmless(awkward_path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.h5"
    broken.write_bytes(awkward_path.read_bytes())
    with h5py.File(broken, "r+") as file:
        del file["images/key"]

    async def act(pilot: Pilot, screen: FinderScreen) -> None:
        await enter_text(pilot, screen, "e")
        assert "images/key" in screen.query_one(TextLine).left

    async def look(pilot: Pilot, screen: FinderScreen) -> None:
        for text in ("bell", "ネコ", "red", "owl", "=1", "long"):
            await enter_text(pilot, screen, text)
            assert screen.query_one(HitList).hits
            lines = painted(screen)
            assert all(cell_len(line) == 40 for line in lines)
            assert not any("\x1b" in line or "\x07" in line for line in lines)

    with Store(broken) as store:
        drive(Finder(store), act)
    with Store(awkward_path) as store:
        drive(Finder(store), look, (40, 10))
