"""The lines around a table: where one is, its state, and which keys there are."""

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sing_compute.formats import UNICODE, Glyphs, fit
from sing_tui.actions import Offer
from sing_tui.view import View


class TextLine(Widget):
    """One line of plain text, never read as markup; painted again only when it changes."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"text-line--text", "text-line--key"}
    DEFAULT_CSS = """
    TextLine { height: 1; width: 1fr; background: $panel; color: $foreground;
        & > .text-line--text { background: $panel; color: $foreground; }
        & > .text-line--key { background: $panel; color: $accent; text-style: bold; }
        &:ansi > .text-line--text { background: ansi_default; color: ansi_default; }
        &:ansi > .text-line--key { background: ansi_default; color: ansi_default; text-style: bold; }
        &.place > .text-line--text { text-style: bold; }
        &.problem > .text-line--text { color: $text-error; text-style: bold; }
    }
    """

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self.left = self.right = ""

    def write(self, left: str, right: str = "") -> None:
        """Show text at the left and, where there is room, at the right."""
        if (left, right) != (self.left, self.right):
            used = 1 + _changed_cells(self.left, left)
            part = not right and not self.right and not self.has_class("place") and 0 < used < self.size.width
            self.left, self.right = left, right
            self.refresh(*([Region(0, 0, used, 1)] if part else []))  # blanks cost bytes too

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        width = self.size.width
        left, right = self.shown_parts(width)
        return Strip([Segment(fit(left + right, width, self.glyphs), self.get_component_rich_style("text-line--text"))])

    def shown_parts(self, width: int) -> tuple[str, str]:
        """Return the texts at the left and at the right as they are painted on so many cells."""
        right = self.right if self.right and cell_len(self.left) + cell_len(self.right) + 4 <= width else ""
        ends = self.has_class("place")  # the end of a place says most
        return fit(" " + self.left, max(0, width - cell_len(right) - 1), self.glyphs, keep_end=ends), right


class PlaceLine(TextLine):
    """The line at the top: the steps that lead to the table, and at the right what happens to the file."""

    _steps: Sequence[str] = ()

    class StepChosen(Message):
        """A step was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number
            """0 for the file, then the items in their order."""

    def show(self, steps: Sequence[str], right: str) -> None:
        """Show the names of the steps, without the empty ones."""
        self._steps = [self.glyphs.text(step) for step in steps if step]
        self.write(f" {self.glyphs.crumb} ".join(self._steps), right)

    def on_click(self, event: events.Click) -> None:
        """Say which step was clicked."""
        left, gap = self.shown_parts(self.size.width)[0], cell_len(self.glyphs.crumb) + 2
        end = cell_len(left.rstrip())  # names are cut at the beginning of the line
        for number in range(len(self._steps) - 1, -1, -1):
            start = end - cell_len(self._steps[number])
            if start <= event.x < end:
                self.post_message(self.StepChosen(number))
            end = start - gap


class StatusLine(TextLine):
    """The line at the bottom: the row and how many there are, marks, sort and filter; or a message, or what went wrong."""

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self.message = self.problem = ""
        self.notes: tuple[str, ...] = ()
        """Lines that say how parts of the typed filter were understood."""

    @property
    def is_at_work(self) -> bool:
        """True if the message says what is being done."""
        return self.message.endswith(" ...")

    def forget(self) -> None:
        """Say no more what was said of an earlier step; what is being done is still said."""
        if not self.is_at_work:
            self.message = ""

    def show(self, view: View | None, line: int, marks: int, *, counting: bool, named: bool = False) -> None:
        """Show the state of a table, unless there is a message or a problem.

        Args:
            view: The table; None where there is none.
            line: Line of the cursor, from 0.
            marks: Number of marked rows.
            counting: True while a filter is typed: the rows that pass it are counted.
            named: True to say the name of the row, where its table is not on the screen.
        """
        self.set_class(bool(self.problem), "problem")
        if self.problem or self.message or view is None:
            self.write(self.glyphs.text(self.problem or self.message))
            return
        parts = self._parts(view, line, marks, counting)
        if named and len(view):
            name = view.table.columns[0].values.take(view.order[line : line + 1])[0]
            parts[0] = f"{self.glyphs.text(str(name))}, {parts[0]}"
        self.write(f" {self.glyphs.dot} ".join(parts))

    def _parts(self, view: View, line: int, marks: int, counting: bool) -> list[str]:
        arrangement, glyphs = view.arrangement, self.glyphs
        parts = [f"{line + 1:,} of {len(view):,}" if len(view) else "no rows"]
        if counting:
            parts = [f"{len(view):,} of {view.table.length:,} rows", *map(glyphs.text, self.notes)]
        elif arrangement.filter:
            parts[0] += f" (filtered from {view.table.length:,})"
        if marks:
            parts.append(f"{marks:,} marked")
        if view.table.note and not counting:
            parts.append(glyphs.text(view.table.note))
        if arrangement.sort:
            arrow = glyphs.descending if arrangement.descending else glyphs.ascending
            said = f"sort {view.table.column(arrangement.sort).title} {arrow}"
            if arrangement.then:
                arrow = glyphs.descending if arrangement.then_descending else glyphs.ascending
                said += f", then {view.table.column(arrangement.then).title} {arrow}"
            parts.append(said)
        if arrangement.filter:
            parts.append(f"filter {glyphs.text(arrangement.filter)}")
        return parts

    def point_at(self, column: int, message: str) -> None:
        """Show an error with a mark under the column of the screen that it is about."""
        room, at = self.size.width - 2, column - 1
        message = self.glyphs.text(message)
        behind, before = room - at - 2, at - 1
        if len(message) <= behind or behind >= before:
            self.problem = " " * max(0, at) + f"^ {fit(message, max(1, behind), self.glyphs)}"
        else:
            self.problem = f"{fit(message, before, self.glyphs).rstrip()} ^".rjust(at + 1)


class KeyLine(TextLine):
    """The most useful keys of the screen: six on 80 columns, more where there is room. The last one, help, always stays."""

    keys: tuple[Offer, ...] = ()
    told = ""
    """One line in place of the keys."""

    class Clicked(Message):
        """A key that has an action was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def offer(self, keys: tuple[Offer, ...]) -> None:
        """Show keys with what they do, most useful first, help last."""
        if keys != self.keys:
            self.keys = keys
            self.refresh()

    def tell(self, message: str) -> None:
        """Show one line in place of the keys; without a message they come back."""
        if message != self.told:
            self.told = message
            self.refresh()

    def _in_sight(self) -> list[Offer]:
        if self.told:
            return []
        width = self.size.width
        *others, last = self.keys or (Offer("?", "help"),)
        room = width - _width(last)
        fitting: list[Offer] = []
        for offer in others[: 5 if width < 100 else None]:
            if _width(offer) > room:
                break
            room -= _width(offer)
            fitting.append(offer)
        return [*fitting, last]

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        text, key = self.get_component_rich_style("text-line--text"), self.get_component_rich_style("text-line--key")
        segments = [Segment(f" {self.told}", text)] if self.told else []
        for offer in self._in_sight():
            segments += [Segment(f" {offer.key}", key), Segment(f" {offer.text} ", text)]
        return Strip(segments).adjust_cell_length(self.size.width, text)

    def on_click(self, event: events.Click) -> None:
        """Say which key was clicked; a line in place of the keys goes."""
        if self.told:
            self.tell("")
            return
        end = 0
        for offer in self._in_sight():
            start, end = end, end + _width(offer)
            if start <= event.x < end and offer.action:
                self.post_message(self.Clicked(offer.action))


def _width(offer: Offer) -> int:
    return cell_len(offer.key) + cell_len(offer.text) + 3


def _changed_cells(before: str, now: str) -> int:
    """Return the cells up to the end of what differs between two texts: the rest need not be painted again."""
    if len(before) == len(now):
        kept = next(
            (k for k, (a, b) in enumerate(zip(reversed(before), reversed(now), strict=True)) if a != b), len(now)
        )
        changed = (before[: len(before) - kept], now[: len(now) - kept])
        if cell_len(changed[0]) == cell_len(changed[1]):
            return cell_len(changed[1])
    return max(cell_len(before), cell_len(now))
