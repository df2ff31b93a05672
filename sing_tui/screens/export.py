"""The form of an export over the table."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from sing_compute.formats import Glyphs
from sing_tui.exporting import ExportWanted
from sing_tui.widgets.export_form import ExportChoices, ExportForm


class ExportScreen(ModalScreen[ExportWanted | None]):
    """The form; dismissed with what is wanted, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]
    DEFAULT_CSS = """
    ExportScreen { align: center middle; }
    ExportScreen.ascii > ExportForm { border: ascii $primary; }
    """

    def __init__(self, choices: ExportChoices, *, glyphs: Glyphs) -> None:
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.choices, self.glyphs = choices, glyphs

    def compose(self) -> ComposeResult:
        """Return the form."""
        yield ExportForm(self.choices, self.glyphs)

    @on(ExportForm.Filled)
    def take(self, message: ExportForm.Filled) -> None:
        """Hand back what is wanted."""
        self.dismiss(message.wanted)
