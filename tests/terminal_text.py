"""Read the output of a terminal: text without escape sequences, and the cells that text is written to."""

import re
import unicodedata

_SEQUENCE = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: titles, clipboard
    rb"|\x1b[P_^X][^\x1b]*\x1b\\"  # DCS, APC: pictures
    rb"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, places, modes
    rb"|\x1b[()*+][0-9A-B]|\x1b[=>78DEHMZc]"
)
_COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")
_WRITTEN = re.compile(rb"\x1b\[(\d+);(\d+)H|(?:" + _SEQUENCE.pattern + rb")|\r|(\n|[^\x1b\r\n]+)")


def visible(data: bytes) -> bytes:
    """Return output without its escape sequences, with a newline wherever the cursor was moved."""
    return _SEQUENCE.sub(b"\n", _COLOUR.sub(b"", data))


class Cells:
    """The screen of a program that only places text, as Textual does: sequences that erase, scroll or insert are ignored."""

    def __init__(self, columns: int, rows: int) -> None:
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0

    def lines(self) -> list[str]:
        return ["".join(line) for line in self._cells]

    def write(self, data: bytes) -> None:
        """Take output; a sequence or a letter must not be cut at its end."""
        for found in _WRITTEN.finditer(data):
            row, column, text = found.groups()
            if row:
                self._row, self._column = int(row) - 1, int(column) - 1
            elif text == b"\n":
                self._row, self._column = self._row + 1, 0
            elif text:
                self._put(text.decode(errors="replace"))

    def _put(self, text: str) -> None:
        if self._row >= len(self._cells):
            return
        line = self._cells[self._row]
        for sign in text:
            width = 0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
            if width and self._column < len(line):
                line[self._column : self._column + width] = [sign, ""][:width]
            self._column += width
