"""The details of the row under the cursor: facts in one or two columns, a sentence, and the chart in the room that is left."""

import textwrap
from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import get_current_worker

from sing_compute.formats import UNICODE, Glyphs, fit
from sing_tui.session.state import Body

if TYPE_CHECKING:
    from sing_tui.details import Detail, Fact

Mode = Literal["pane", "details", "chart"]
_CHART = 0.4
"""Share of the height that is kept free for a chart next to a table."""


REST = 0.08
"""Seconds for which the cursor must rest before details are read: held keys stay cheap."""
Read = Callable[[], "Detail"]
"""Reads the details of one row; a thread calls it."""


def pane_mode(body: Body) -> Mode:
    """Return what comes first in the details while something fills the screen."""
    return "pane" if body == "table" else body


class Painted(NamedTuple):
    """Details as lines of a size; so many lines of facts found no room."""

    size: Size
    strips: list[Strip]
    hidden: int


class Shown(NamedTuple):
    """Details that are on the screen, to show them again later."""

    detail: "Detail | None"
    wanted: object
    painted: Painted | None


class DetailsPane(Widget):
    """Paints one `Detail`; `mode` says what comes first: the chart, the facts (`details`), or both in part (`pane`)."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"details-pane--title", "details-pane--label", "details-pane--text"}
    DEFAULT_CSS = """
    DetailsPane { background: $surface; color: $foreground; display: none;
        & > .details-pane--title { background: $panel; color: $foreground; text-style: bold; }
        & > .details-pane--label { background: $surface; color: $text-muted; }
        & > .details-pane--text { background: $surface; color: $foreground; }
        &:ansi > .details-pane--title { background: ansi_default; color: ansi_default; text-style: bold underline; }
        &:ansi > .details-pane--label { background: ansi_default; color: ansi_default; }
        &:ansi > .details-pane--text { background: ansi_default; color: ansi_default; }
    }
    """

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.detail: Detail | None = None
        self.mode: Mode = "pane"
        self.wanted: object = None
        """The last request for details; those of an earlier one are not drawn."""
        self._first = self._hidden = 0
        """Lines of facts above those in sight, and below them."""
        self._strips: list[Strip] | None = None
        self._painted: Painted | None = None
        """Lines that were painted for a size, which the pane may get only when the screen is laid out again."""
        self._timer: Timer | None = None
        self._drawn: object = None

    def ask(self, wanted: object, read: Read, mode: Mode) -> None:
        """Read and show details once the cursor rests.

        Args:
            wanted: What they are of; details of the same that are shown already are not read again.
            read: Reads them in a thread.
            mode: What comes first.
        """
        self._stop_timer()
        self.wanted = (wanted, mode)
        if self._drawn != self.wanted:
            self._timer = self.set_timer(REST, partial(self._start, self.wanted, read, mode))

    def forget(self) -> None:
        """Ask for nothing, and show what is shown until then."""
        self._stop_timer()
        self.wanted = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _start(self, wanted: object, read: Read, mode: Mode) -> None:
        self._timer = None

        def work() -> None:
            worker = get_current_worker()
            detail = read()
            if not worker.is_cancelled and self.is_attached:
                self.call_later(self._arrive, wanted, detail, mode, self.paint(detail, mode))

        self.run_worker(work, thread=True, exclusive=True, group="details", exit_on_error=False)

    def _arrive(self, wanted: object, detail: "Detail", mode: Mode, painted: "Painted") -> None:
        if wanted == self.wanted:
            self.show(detail, mode=mode, painted=painted, wanted=wanted)

    def show(
        self, detail: "Detail | None", *, mode: Mode, painted: Painted | None = None, wanted: object = None
    ) -> None:
        """Show other details, or the same ones in another mode.

        Args:
            detail: The details; None for an empty pane.
            mode: What comes first.
            painted: The lines that `paint` made of them for a size, which the pane has or is about to get.
            wanted: What they were asked for.
        """
        self._drawn = wanted if detail is not None else None
        if detail is not self.detail or mode != self.mode:
            self._first = 0
            old, self.detail, self.mode, self._painted = self._strips, detail, mode, painted
            waits = painted is not None and painted.size != self.size
            if detail is None or waits or not self.display:
                self._strips = None
                self.refresh()
                return
            painted = painted or self.paint(detail, mode)
            self._strips, self._hidden = painted.strips, painted.hidden
            if old is None:
                self.refresh()
                return
            blank = Strip.blank(self.size.width, self._style("text"))
            for y, (before, after) in enumerate(zip_longest(old, self._strips, fillvalue=blank)):
                if before != after:  # only lines that changed go over the wire
                    self.refresh(Region(0, y, self.size.width, 1))

    @property
    def shown(self) -> Shown:
        """The details that are on the screen."""
        painted = None if self._strips is None else Painted(self.size, self._strips, self._hidden)
        return Shown(self.detail, self._drawn, painted)

    def set_mode(self, mode: Mode) -> None:
        """Show the same details in another mode."""
        if mode != self.mode:
            self.show(self.detail, mode=mode)

    def turn(self, share: float) -> None:
        """Move the facts by a share of the height, as far as there are more."""
        step = int(self.size.height * share)
        self._first = max(0, self._first + min(step, self._hidden))
        self._strips = self._painted = None
        self.refresh()

    def on_resize(self) -> None:
        """Fit what is painted to the new size."""
        self._strips, self._first = None, 0
        self.refresh()

    def notify_style_update(self) -> None:
        """Paint again in the colours of another theme."""
        super().notify_style_update()
        self._strips = self._painted = None

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        if self._strips is None and self.detail is not None:
            known = self._painted if self._painted is not None and self._painted.size == self.size else None
            painted = known or self.paint(self.detail, self.mode)
            self._strips, self._hidden = painted.strips, painted.hidden
        if self._strips is None:
            return Strip.blank(self.size.width, self._style("text"))
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self._style("text"))

    def paint(self, detail: "Detail", mode: Mode) -> Painted:
        """Paint details in the present size. A chart can take a tenth of a second: a thread may call this."""
        from sing_tui.charts.drawing import draw  # the first rows do not wait for it
        from sing_tui.colors import chart_colors

        size, hidden = self.size, 0
        width, height = size
        glyphs, text, room = self.glyphs, self._style("text"), max(1, width - 2)
        colors = chart_colors(text)
        strips = [Strip([Segment(fit(" " + glyphs.text(detail.title), width, glyphs), self._style("title"))])]
        wrapped = textwrap.wrap(glyphs.text(detail.reading), room)
        reading = [Strip([Segment(fit(" " + line, width, glyphs), text)]) for line in wrapped]
        drawn = draw(detail.strip, room, height, glyphs, colors) if detail.strip is not None else []
        strip = [self._strip_of(line, width, text) for line in drawn]
        blank, chart = Strip.blank(width, text), detail.shape
        if mode != "chart":
            facts = self._facts(detail.facts, width)[self._first :]
            wanted = int(_CHART * height) + len(reading) + len(strip) if mode == "pane" and detail.shape else 0
            if mode == "details" and detail.shape is not None and len(facts) > height - 8 - len(reading):
                reading, strip, chart = [], [], None  # it has a key of its own, and no room here
            free = max(3, height - 2 - max(wanted, len(reading) + len(strip)))
            hidden = max(0, len(facts) - free)
            if hidden:
                more = fit(
                    f" {glyphs.ellipsis} {len(facts) - free + 1} more lines: {'d' if mode == 'pane' else 'pgdn'}",
                    width,
                    glyphs,
                )
                facts = [*facts[: free - 1], Strip([Segment(more, self._style("label"))])]
            strips += [*facts, blank]
        strips += reading + strip
        if chart is not None:
            drawn = draw(chart, room, height - len(strips), glyphs, colors)
            strips += [self._strip_of(line, width, text) for line in drawn]
        return Painted(size, strips[:height], hidden)

    def _facts(self, facts: "tuple[Fact, ...]", width: int) -> list[Strip]:
        """Paint the facts in two columns if they fit side by side, else in one."""
        texts = [(f" {self.glyphs.text(label)} ", f" {self.glyphs.text(value)} ") for label, value in facts]
        tall = -(-len(texts) // 2)
        columns = [texts[:tall], texts[tall:]]
        labels, values = ([_widest(column, part) for column in columns] for part in (0, 1))
        spare = width - sum(labels) - sum(values)
        if spare < 0:
            return self._in_one_column(texts, width)
        values[0] += spare // 2
        strips = []
        for row in range(tall):
            pairs = [column[row] if row < len(column) else ("", "") for column in columns]
            cells = [(*pair, label, value) for pair, label, value in zip(pairs, labels, values, strict=True)]
            strips.append(self._fact_line(cells, width))
        return strips

    def _in_one_column(self, texts: list[tuple[str, str]], width: int) -> list[Strip]:
        """Paint facts one below the other, each value whole."""
        label_width = min(2 * width // 5, _widest(texts, 0))
        strips = []
        for label, value in texts:
            for number, line in enumerate(_wrapped(value.strip(), max(1, width - label_width - 2)) or [""]):
                cells = [("" if number else label, f" {line}", label_width, width - label_width)]
                strips.append(self._fact_line(cells, width))
        return strips

    def _fact_line(self, cells: list[tuple[str, str, int, int]], width: int) -> Strip:
        """Paint one line of labels and values, each with its width."""
        segments: list[Segment] = []
        for label, value, label_width, value_width in cells:
            segments.append(Segment(fit(label, label_width, self.glyphs), self._style("label")))
            segments.append(Segment(fit(value.rstrip(), value_width, self.glyphs), self._style("text")))
        return Strip(segments).adjust_cell_length(width, self._style("text"))

    def _strip_of(self, line: Text, width: int, base: Style) -> Strip:
        segments = [Segment(" ", base)]
        for segment in line.render(self.app.console):
            if segment.text != "\n":
                segments.append(Segment(segment.text, base + (segment.style or Style.null())))
        return Strip(Segment.simplify(segments)).adjust_cell_length(width, base)

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"details-pane--{part}")


def _wrapped(text: str, width: int) -> list[str]:
    """Cut a text into lines of at most so many cells, between words where that is possible."""
    return [part for line in textwrap.wrap(text, width) for part in chop_cells(line, width)]


def _widest(texts: list[tuple[str, str]], part: int) -> int:
    """Return the cells of the widest label (part 0) or value (part 1)."""
    return max((cell_len(fact[part]) for fact in texts), default=0)
