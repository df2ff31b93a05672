"""Text of a results file on its way to people: no control, direction or invisible characters, and lines of bounded length."""

import re

from sing_compute.errors import StoreError

_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_LINE = 400
_FORMULA = tuple("=+-@\t\r＝＋－＠")
"""Spreadsheets take the full-width ones too."""
_INNER_CELL = re.compile(r"(;\s*)(?=[=+\-@＝＋－＠])")
"""Where half of Europe's spreadsheets begin another cell."""


def clean(text: str) -> str:
    """The text without control, direction and invisible characters: nothing in it can steer a terminal."""
    return text if text.isascii() and text.isprintable() else _STEERING.sub("", text)


def one_line(text: object) -> str:
    """Any text as one harmless line of bounded length."""
    line = clean(" ".join(str(text)[: 4 * _LINE].split()))
    return line if len(line) <= _LINE else line[: _LINE - 3] + "..."


def store_error(text: object) -> StoreError:
    """An error whose one line may quote what stands in a file."""
    return StoreError(one_line(text))


def csv_text(text: str) -> str:
    """The text as a CSV cell that no spreadsheet takes for a formula: control characters out, a leading ' where needed."""
    cleaned = _INNER_CELL.sub(r"\1'", clean(text))
    return "'" + cleaned if text.startswith(_FORMULA) or cleaned.lstrip().startswith(_FORMULA) else cleaned
