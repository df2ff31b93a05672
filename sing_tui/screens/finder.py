"""The finder: type part of a name, an index or a code; items of every table that match, the best first."""

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from sing_compute.formats import UNICODE, Glyphs, fit
from sing_compute.store.place import Place
from sing_tui.error_reporting import in_one_line
from sing_tui.finder import Finder, Found, Hit
from sing_tui.search import Superseded
from sing_tui.session.catalog import article
from sing_tui.widgets.text_lines import TextLine

LIMIT = 100
"""Hits shown at most; the others are counted."""
_PAINTED = 1000
"""Characters of a name that are looked at to paint it."""
Axes = tuple[tuple[str, str], ...]
"""Name of each axis that is searched, and the word for several of its items."""


class HitList(Widget):
    """Hits, one a line: axis, name with its matched letters in bold and underlined, and what else distinguishes it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"hit-list--text", "hit-list--cursor"}
    DEFAULT_CSS = """
    HitList { height: 1fr; background: $surface;
        & > .hit-list--text { background: $surface; color: $foreground; }
        & > .hit-list--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        &:ansi > .hit-list--text { background: ansi_default; color: ansi_default; }
        &:ansi > .hit-list--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
    }
    """

    @dataclass
    class Chosen(Message):
        """A hit was clicked."""

        hit: Hit

    def __init__(self, axes: Axes, glyphs: Glyphs) -> None:
        super().__init__()
        self.glyphs = glyphs
        self._axis_width = max((len(name) for name, _ in axes), default=0) + 1
        self.hits: list[Hit] = []
        self.cursor = self.top = 0

    @property
    def hit(self) -> Hit | None:
        """The hit under the cursor."""
        return self.hits[self.cursor] if self.hits else None

    def show(self, hits: list[Hit]) -> None:
        """Show other hits, the cursor on the best one."""
        self.hits, self.cursor, self.top = hits, 0, 0
        self.refresh()

    def step(self, step: int) -> None:
        """Move the cursor by so many hits; a single step goes round at the ends."""
        if not self.hits:
            return
        last, wanted = len(self.hits) - 1, self.cursor + step
        if abs(step) == 1:
            wanted %= last + 1
        self.cursor = min(max(wanted, 0), last)
        self.top = min(max(self.top, self.cursor - self.size.height + 1), self.cursor)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        width, row = self.size.width, self.top + y
        at_cursor = row == self.cursor
        style = self.get_component_rich_style("hit-list--cursor" if at_cursor else "hit-list--text")
        if row >= len(self.hits):
            return Strip([Segment(" " * width, self.get_component_rich_style("hit-list--text"))])
        hit = self.hits[row]
        extra = self.glyphs.text(hit.extra)
        extra_width = min(cell_len(extra), width // 3) if width >= 48 else 0
        head = f"{self.glyphs.right if at_cursor else ' '} {hit.axis:<{self._axis_width}}"
        room = width - len(head) - extra_width - (2 if extra_width else 0)
        found = style + Style(bold=True, underline=True)
        segments = [Segment(head, style)]
        segments += [
            Segment(part, found if matched else style) for part, matched in emphasised(hit, max(0, room), self.glyphs)
        ]
        if extra_width:
            segments.append(Segment(f" {fit(extra, extra_width, self.glyphs)} ", style))
        return Strip(segments).adjust_cell_length(width, style)

    def on_click(self, event: events.Click) -> None:
        """Choose the hit under the mouse."""
        if self.top + event.y < len(self.hits):
            self.post_message(self.Chosen(self.hits[self.top + event.y]))

    def on_mouse_scroll_down(self) -> None:
        """Move on."""
        self.step(min(3, len(self.hits) - 1 - self.cursor))

    def on_mouse_scroll_up(self) -> None:
        """Move back."""
        self.step(-min(3, self.cursor))


class FinderScreen(ModalScreen[Hit | None]):
    """A line to type in and what matches; dismissed with the hit that was chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close"),
        Binding("down,ctrl+n", "step(1)", "next", show=False),
        Binding("up,ctrl+p", "step(-1)", "previous", show=False),
        Binding("pagedown", "step(10)", "page down", show=False),
        Binding("pageup", "step(-10)", "page up", show=False),
    ]
    DEFAULT_CSS = """
    FinderScreen { align: center top; }
    FinderScreen > Vertical { width: 96; max-width: 95%; height: 22; max-height: 95%; margin-top: 1; padding: 0 1;
        background: $surface; border: round $primary; }
    FinderScreen.ascii > Vertical { border: ascii $primary; }
    FinderScreen.low > Vertical { margin-top: 0; max-height: 100%; }
    FinderScreen Input, FinderScreen Input:focus { height: 1; border: none; padding: 0 1; background: $boost; }
    """

    @dataclass
    class Answered(Message):
        """The hits of a search, or the reason why it failed; `generation` is the number of the search."""

        generation: int
        found: Found | None
        problem: str = ""

    def __init__(self, finder: Finder, place: Place | None = None, *, glyphs: Glyphs = UNICODE) -> None:
        """Prepare the screen.

        Args:
            finder: Finds things in the open file.
            place: Where the user is: hits are shown for the same model.
            glyphs: The signs of the screen.
        """
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.finder, self.place, self.glyphs = finder, place, glyphs
        self.axes = finder.axes
        self.hint = _hint(self.axes)
        self.generation = self.answered = 0
        self.entered = False
        """True if Enter was pressed before the answer was there."""

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with Vertical():
            yield Input(placeholder="name, index or code", compact=True)
            yield TextLine(self.glyphs)
            yield HitList(self.axes, self.glyphs)

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.query_one(Input).cursor_blink = False
        self.query_one(TextLine).write(self.hint)

    def on_resize(self, event: events.Resize) -> None:
        """Use every line of a low terminal."""
        self.set_class(event.size.height < 16, "low")

    def on_unmount(self) -> None:
        """Stop a search that is under way."""
        self.generation += 1

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        """Search for the text as it is now."""
        self.generation += 1
        self.entered = False
        self.search(event.value, self.generation)

    @work(thread=True, exclusive=True, group="finder", exit_on_error=False)
    def search(self, words: str, generation: int) -> None:
        """Search in the background; a newer search ends it."""
        try:
            found = self.finder.find(words, place=self.place, limit=LIMIT, stop=lambda: generation != self.generation)
        except Superseded:
            return
        except Exception as error:  # whatever a damaged file leads to ends in one line
            self.post_message(self.Answered(generation, None, in_one_line(error)))
        else:
            self.post_message(self.Answered(generation, found))

    @on(Answered)
    def show(self, message: Answered) -> None:
        """Show an answer, unless something else is wanted by now."""
        if message.generation != self.generation:
            return
        self.answered = message.generation
        self.query_one(HitList).show(message.found.hits if message.found else [])
        words = self.query_one(Input).value.strip()
        line = summary(message.found, self.axes) if message.found else self.glyphs.text(message.problem)
        self.query_one(TextLine).write(line if words else self.hint)
        if self.entered:
            self.choose()

    def action_step(self, step: int) -> None:
        """Move the highlight."""
        self.query_one(HitList).step(step)

    @on(Input.Submitted)
    def choose(self) -> None:
        """Hand back the highlighted hit, as soon as the search is through."""
        hit = self.query_one(HitList).hit
        self.entered = self.answered != self.generation
        if not self.entered and hit is not None:
            self.dismiss(hit)

    @on(HitList.Chosen)
    def choose_clicked(self, event: HitList.Chosen) -> None:
        """Hand back the hit that was clicked."""
        self.dismiss(event.hit)


def _hint(axes: Axes) -> str:
    *most, last = [name for name, _ in axes] or ["item"]
    listed = f"{', '.join(most)} or {last}" if most else last
    return f"{article(listed)}; words in any order"


def summary(found: Found, axes: Axes) -> str:
    """Say how many hits there are on each axis, and how many of them are shown."""
    counts = [(names, found.counts.get(names[0], 0)) for names in axes]
    total = sum(count for _, count in counts)
    if not total:
        return "nothing found"
    parts = [f"{count:,} {one if count == 1 else several}" for (one, several), count in counts if count]
    if total > len(found.hits):
        parts.append(f"the first {len(found.hits):,} shown")
    if found.note:
        parts.insert(0, found.note)
    return ", ".join(parts)


def emphasised(hit: Hit, width: int, glyphs: Glyphs) -> list[tuple[str, bool]]:
    """Return a hit's name in exactly so many cells, cut into parts that matched and parts that did not.

    If its last match would be cut off, the name's end is shown instead of its beginning.
    """
    text, positions = hit.text[:_PAINTED], set(hit.positions)
    cleaned = glyphs.text(text)
    parted = list(text) if len(cleaned) == len(text) else [glyphs.text(character) for character in text]
    matched = [position in positions for position, part in enumerate(parted) for _ in part]
    reach = max((position for position, is_match in enumerate(matched) if is_match), default=0)
    from_end = cell_len(cleaned) > width and cell_len(cleaned[: reach + 1]) >= width
    shown = fit(cleaned, width, glyphs, keep_end=from_end)
    start, stop = _kept(cleaned, shown, len(glyphs.ellipsis), from_end)
    marks = [False] * len(shown)
    for position in range(start, stop):
        marks[position - start + (len(glyphs.ellipsis) if start else 0)] = matched[position]
    parts: list[tuple[str, bool]] = []
    for character, mark in zip(shown, marks, strict=True):
        if parts and parts[-1][1] == mark:
            parts[-1] = (parts[-1][0] + character, mark)
        else:
            parts.append((character, mark))
    whole = cell_len(shown) == sum(cell_len(part) for part, _ in parts)  # else a cut runs through a compound character
    return parts if whole else [(shown, False)]


def _kept(text: str, shown: str, sign: int, from_end: bool) -> tuple[int, int]:
    """Return which characters of a text are in its shortened form."""
    if from_end:
        tail = shown[sign:]
        tail = tail if text.endswith(tail) else tail.rstrip(" ")
        return len(text) - len(tail), len(text)
    stop = next((k for k, (a, b) in enumerate(zip(text, shown, strict=False)) if a != b), min(len(text), len(shown)))
    return 0, stop
