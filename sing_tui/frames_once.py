"""No frame is sent that the terminal shows already. Textual paints a screen that opens three times, and over SSH each counts."""

from typing import Any

from textual.driver import Driver

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
"""Marks of a synchronised update, in which terminals that know it are sent a frame."""
_POINTER = "\x1b]22;"
"""Begins the shape of the mouse's pointer, which changes no cell."""


class FramesOnce(Driver):
    """Part of a driver that knows the last frame; whatever else is written may have painted over it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Prepare as Textual does."""
        super().__init__(*arguments, **options)
        self._in_frame, self._shown = False, ""

    def forget(self) -> None:
        """Send the next frame in any case: what the terminal shows is not known any more."""
        self._shown = ""

    def start_application_mode(self) -> None:
        """Take the terminal, perhaps back from other programs."""
        self.forget()
        super().start_application_mode()  # type: ignore[safe-super]  # that of the other part

    def write(self, data: str) -> None:
        """Write, unless it is the frame that was written last."""
        if data in (_BEGIN, _END):
            self._in_frame = data == _BEGIN
        elif not self._in_frame:
            self._shown = self._shown if data.startswith(_POINTER) else ""
        elif data == self._shown:
            return
        else:
            self._shown = data
        super().write(data)  # type: ignore[safe-super]


def frames_once(kind: type[Driver]) -> type[Driver]:
    """Return a kind of driver that sends no frame twice in a row."""
    return type("FramesOnceDriver", (FramesOnce, kind), {})
