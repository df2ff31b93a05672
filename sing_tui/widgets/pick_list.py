"""Lines below a typing line, one of which Enter takes."""

from textual import on
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sing_compute.formats import UNICODE, Glyphs


class PickList(OptionList, can_focus=False):
    """Lines with a sign before the one that Enter takes: not every terminal shows it by colour."""

    DEFAULT_CSS = """
    PickList, PickList:focus { height: auto; max-height: 16; border: none; padding: 0; background: $surface;
        scrollbar-size: 0 0; text-wrap: nowrap; text-overflow: clip; }
    """

    def __init__(self, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(markup=False)
        self._sign = glyphs.right

    def fill(self, lines: list[tuple[str, str]], otherwise: str) -> None:
        """Show other lines, the first of them chosen.

        Args:
            lines: Each with its id.
            otherwise: What is said where there are none.
        """
        self.clear_options()
        self.add_options([Option(Content(f"  {text}"), id=name) for name, text in lines])
        if lines:
            self.highlighted = 0
        else:
            self.add_option(Option(Content(f"  {otherwise}"), disabled=True))

    @property
    def chosen(self) -> str:
        """Id of the chosen line; empty for none."""
        return "" if self.highlighted is None else self.get_option_at_index(self.highlighted).id or ""

    def step(self, by: int) -> None:
        """Choose another line; behind the last one is the first."""
        if self.option_count:
            self.highlighted = ((self.highlighted or 0) + by) % self.option_count

    @on(OptionList.OptionHighlighted)
    def point(self) -> None:
        """Put the sign before the chosen line."""
        for position, option in enumerate(self.options):
            sign = self._sign if position == self.highlighted else " "
            if str(option.prompt)[:1] != sign:
                self.replace_option_prompt_at_index(position, Content(sign + str(option.prompt)[1:]))
