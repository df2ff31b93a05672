"""The line above a map: the meaning of its colours or signs, and the order of its rows and columns."""

from rich.segment import Segment
from textual.strip import Strip

from sing_compute.formats import fit
from sing_tui.maps.drawing import Legend, Palette
from sing_tui.widgets.text_lines import TextLine


class LegendLine(TextLine):
    """The scale of a map with its ends, the look of a missing value, and a few words."""

    legend: Legend | None = None
    palette: Palette | None = None
    said = ""

    def show(self, legend: Legend, palette: Palette | None, said: str) -> None:
        """Show a scale and the words behind it."""
        if (legend, palette, said) != (self.legend, self.palette, self.said):
            self.legend, self.palette, self.said = legend, palette, said
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        width, text = self.size.width, self.get_component_rich_style("text-line--text")
        if self.legend is None:
            return Strip([Segment(" " * width, text)])
        strip = Strip(self.legend.segments(self.palette, text))
        room = width - strip.cell_length
        if room > 4:
            strip = Strip([*strip, Segment(fit(self.glyphs.text(self.said), room - 1, self.glyphs), text)])
        return strip.adjust_cell_length(width, text).crop(0, width)
