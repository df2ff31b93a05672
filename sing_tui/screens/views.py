"""Views with a name: type to narrow the list or to name the present view, Enter opens or keeps."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from sing_compute.errors import SingError
from sing_compute.formats import Glyphs, fit
from sing_tui.error_reporting import in_one_line
from sing_tui.named_views import NamedView, keep_view, opened, read_views, remove_view
from sing_tui.settings import file_key
from sing_tui.start import Start
from sing_tui.widgets.pick_list import PickList
from sing_tui.widgets.text_lines import TextLine

_KEEP = "keep"


class ViewsScreen(ModalScreen[Start | None]):
    """A line to type in and the views that match; dismissed with the view to open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close"),
        Binding("down,ctrl+n", "step(1)", "next", show=False),
        Binding("up,ctrl+p", "step(-1)", "previous", show=False),
        Binding("ctrl+r", "remove", "remove", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    ViewsScreen { align: center top; }
    ViewsScreen > Vertical { width: 100; max-width: 95%; height: auto; max-height: 90%; margin-top: 1; padding: 0 1;
        background: $surface; border: round $primary; }
    ViewsScreen.ascii > Vertical { border: ascii $primary; }
    ViewsScreen Input, ViewsScreen Input:focus { height: 1; border: none; padding: 0 1; background: $boost; }
    ViewsScreen TextLine, ViewsScreen TextLine > .text-line--text { background: $surface; }
    """

    def __init__(self, path: Path, file: Path, present: Start, other: Path | None, *, glyphs: Glyphs) -> None:
        """Prepare the list.

        Args:
            path: The file of the views.
            file: The results file.
            present: The view that can be given a name.
            other: The second results file, where two are open.
            glyphs: The signs of the screen.
        """
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.path, self.file, self.other, self.present, self.glyphs = path, file, other, present, glyphs
        self.views: Sequence[NamedView] = ()

    def compose(self) -> ComposeResult:
        """Return the parts."""
        with Vertical():
            yield Input(placeholder="the name of a view, or a new one for the view below", compact=True, max_length=60)
            yield PickList(self.glyphs)
            yield TextLine(self.glyphs, id="hint")

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.query_one(Input).cursor_blink = False
        self._read()

    def _read(self, said: str = "") -> None:
        try:
            self.views = read_views(self.path, self.file)
        except SingError as error:
            said = in_one_line(error)
        keys = "Enter opens or keeps, ^r removes, Esc closes"
        self.query_one("#hint", TextLine).write(self.glyphs.text(said) or keys)
        self._narrow()

    @property
    def typed(self) -> str:
        """The text in the typing line, without blanks around it."""
        return self.query_one(Input).value.strip()

    def _line(self, view: NamedView) -> str:
        here = view.file == file_key(self.file)
        name = fit(self.glyphs.text(view.name), max(12, min(24, len(view.name))), self.glyphs)
        where = "" if here else f"(kept in {self.glyphs.text(Path(view.file).name)}) "
        return f"{name}  {where}{self.glyphs.text(view.options)}"

    @on(Input.Changed)
    def _narrow(self) -> None:
        """Keep the views whose name or place holds every typed word, and offer to keep the present one."""
        typed = self.typed
        lines = [
            (str(position), self._line(view))
            for position, view in enumerate(self.views)
            if all(word in f"{view.name} {view.options}".lower() for word in typed.lower().split())
        ]
        if typed:
            known = any(view.name == typed and view.file == file_key(self.file) for view in self.views)
            text = f"replace {typed} by the view below" if known else f"keep the view below as {typed}"
            lines.append((_KEEP, self.glyphs.text(text)))
        self.query_one(PickList).fill(lines, "no view has a name yet: type one, Enter keeps it")

    def action_step(self, by: int) -> None:
        """Move the highlight."""
        self.query_one(PickList).step(by)

    @on(Input.Submitted)
    @on(PickList.OptionSelected)
    def take(self) -> None:
        """Open the highlighted view, or keep the present one under the typed name."""
        chosen, typed = self.query_one(PickList).chosen, self.typed
        if chosen.isdecimal():
            try:
                start = opened(self.views[int(chosen)], pair=self.other is not None)
            except SingError as error:
                self._read(in_one_line(error))
            else:
                self.dismiss(start)
        elif chosen == _KEEP:
            try:
                keep_view(self.path, self.file, typed, self.present, self.other)
            except SingError as error:
                self._read(in_one_line(error))
            else:
                self.query_one(Input).value = ""
                self._read(f"kept as {typed}: sing-tui FILE --view opens it, too")

    def action_remove(self) -> None:
        """Remove the highlighted view."""
        chosen = self.query_one(PickList).chosen
        if not chosen.isdecimal():
            return
        view = self.views[int(chosen)]
        try:
            remove_view(self.path, view)
        except SingError as error:
            self._read(in_one_line(error))
        else:
            self._read(f"{view.name} is removed")
