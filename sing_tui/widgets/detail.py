"""The details of the row under the cursor: facts in one or two columns, a sentence, and the picture in the room that is left."""

import textwrap
from itertools import zip_longest
from typing import ClassVar, Literal, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from sing_tui.details import Detail
from sing_tui.evidence import Fact
from sing_tui.formats import UNICODE, Glyphs, fit
from sing_tui.plots import draw

Mode = Literal["beside", "detail", "plot"]
_PICTURE = 0.4
"""Share of the height that is kept free for a picture beside a table."""


class Painted(NamedTuple):
    """Details as lines of a size; so many lines of facts found no room."""

    size: Size
    strips: list[Strip]
    hidden: int


class DetailPane(Widget):
    """Paints one `Detail`; `mode` says what comes first: the picture (plot), the facts (detail), or both in part (beside)."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"detail-pane--title", "detail-pane--label", "detail-pane--text"}
    DEFAULT_CSS = """
    DetailPane { background: $surface; color: $foreground; display: none;
        & > .detail-pane--title { background: $panel; color: $foreground; text-style: bold; }
        & > .detail-pane--label { background: $surface; color: $text-muted; }
        & > .detail-pane--text { background: $surface; color: $foreground; }
        &:ansi > .detail-pane--title { background: ansi_default; color: ansi_default; text-style: bold underline; }
        &:ansi > .detail-pane--label { background: ansi_default; color: ansi_default; }
        &:ansi > .detail-pane--text { background: ansi_default; color: ansi_default; }
    }
    """

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.detail: Detail | None = None
        self.mode: Mode = "beside"
        self._first = self._hidden = 0
        """Lines of facts above those in sight, and below them."""
        self._strips: list[Strip] | None = None

    def show(self, detail: Detail | None, *, mode: Mode, painted: Painted | None = None) -> None:
        """Show other details, or the same ones in another mode; `painted` is what `paint` made of them beside the screen."""
        if detail is not self.detail or mode != self.mode:
            self._first = 0
            old, self.detail, self.mode = self._strips, detail, mode
            if detail is None or not self.display:
                self._strips = None
                self.refresh()
                return
            if painted is None or painted.size != self.size:
                painted = self.paint(detail, mode)
            self._strips, self._hidden = painted.strips, painted.hidden
            if old is None:
                self.refresh()
                return
            blank = Strip.blank(self.size.width, self._style("text"))
            for y, (before, after) in enumerate(zip_longest(old, self._strips, fillvalue=blank)):
                if before != after:  # only lines that changed go over the wire
                    self.refresh(Region(0, y, self.size.width, 1))

    def turn(self, share: float) -> None:
        """Move the facts by a share of the height, as far as there are more."""
        step = int(self.size.height * share)
        self._first = max(0, self._first + min(step, self._hidden))
        self._strips = None
        self.refresh()

    def on_resize(self) -> None:
        """Fit what is painted to the new size."""
        self._strips, self._first = None, 0
        self.refresh()

    def notify_style_update(self) -> None:
        """Paint anew in the colours of another theme."""
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        if self._strips is None and self.detail is not None:
            painted = self.paint(self.detail, self.mode)
            self._strips, self._hidden = painted.strips, painted.hidden
        if self._strips is None:
            return Strip.blank(self.size.width, self._style("text"))
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self._style("text"))

    def paint(self, detail: Detail, mode: Mode) -> Painted:
        """The lines of these details in the present size. A picture can take a tenth of a second: a thread may call this."""
        size, hidden = self.size, 0
        width, height = size
        glyphs, text, room = self.glyphs, self._style("text"), max(1, width - 2)
        strips = [Strip([Segment(fit(" " + glyphs.text(detail.title), width, glyphs), self._style("title"))])]
        wrapped = textwrap.wrap(glyphs.text(detail.reading), room)
        reading = [Strip([Segment(fit(" " + line, width, glyphs), text)]) for line in wrapped]
        drawn = draw(detail.strip, room, height, glyphs) if detail.strip is not None else []
        strip = [self._strip_of(line, width, text) for line in drawn]
        blank, picture = Strip.blank(width, text), detail.picture
        if mode != "plot":
            facts = self._facts(detail.facts, width)[self._first :]
            wanted = int(_PICTURE * height) + len(reading) + len(strip) if mode == "beside" and detail.picture else 0
            if mode == "detail" and detail.picture is not None and len(facts) > height - 8 - len(reading):
                reading, strip, picture = [], [], None  # it has a key of its own, and no room here
            free = max(3, height - 2 - max(wanted, len(reading) + len(strip)))
            hidden = max(0, len(facts) - free)
            if hidden:
                more = fit(
                    f" {glyphs.ellipsis} {len(facts) - free + 1} more lines: {'d' if mode == 'beside' else 'pgdn'}",
                    width,
                    glyphs,
                )
                facts = [*facts[: free - 1], Strip([Segment(more, self._style("label"))])]
            strips += [*facts, blank]
        strips += reading + strip
        if picture is not None:
            drawn = draw(picture, room, height - len(strips), glyphs)
            strips += [self._strip_of(line, width, text) for line in drawn]
        return Painted(size, strips[:height], hidden)

    def _facts(self, facts: tuple[Fact, ...], width: int) -> list[Strip]:
        """The facts in two columns if they fit side by side, else in one."""
        texts = [(f" {self.glyphs.text(label)} ", f" {self.glyphs.text(value)} ") for label, value in facts]
        tall = -(-len(texts) // 2)
        columns = [texts[:tall], texts[tall:]]
        widths = [[max((cell_len(fact[i]) for fact in column), default=0) for i in (0, 1)] for column in columns]
        spare = width - sum(map(sum, widths))
        if spare < 0:
            label_width = min(2 * width // 5, max((cell_len(label) for label, _ in texts), default=0))
            columns, widths, tall = [texts], [[label_width, width - label_width]], len(texts)
        else:
            widths[0][1] += spare // 2
        strips = []
        for row in range(tall):
            segments: list[Segment] = []
            for column, (label_width, value_width) in zip(columns, widths, strict=True):
                label, value = column[row] if row < len(column) else ("", "")
                segments.append(Segment(fit(label, label_width, self.glyphs), self._style("label")))
                segments.append(Segment(fit(value.rstrip(), value_width, self.glyphs), self._style("text")))
            strips.append(Strip(segments).adjust_cell_length(width, self._style("text")))
        return strips

    def _strip_of(self, line: Text, width: int, base: Style) -> Strip:
        segments = [Segment(" ", base)]
        for segment in line.render(self.app.console):
            if segment.text != "\n":
                segments.append(Segment(segment.text, base + (segment.style or Style.null())))
        return Strip(segments).adjust_cell_length(width, base)

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"detail-pane--{part}")
