"""Make text of a results file safe to show: no control, direction or invisible characters, and lines of bounded length."""

import re

from sing_compute.errors import STEERING, StoreError

_LINE = 400
_FORMULA = tuple("=+-@\t\r＝＋－＠")
"""Characters at which a spreadsheet begins a formula; full-width ones count, too."""
_INNER_CELL = re.compile(r"(;\s*)(?=[=+\-@＝＋－＠])")
"""A semicolon, which begins another cell in many European spreadsheets, before the beginning of a formula."""


def clean(text: str) -> str:
    """Return the text without control, direction and invisible characters, so that it cannot control a terminal."""
    return text if text.isascii() and text.isprintable() else STEERING.sub("", text)


def one_line(text: object) -> str:
    """Return any text as one harmless line of bounded length."""
    line = clean(" ".join(str(text)[: 4 * _LINE].split()))
    return line if len(line) <= _LINE else line[: _LINE - 3] + "..."


def store_error(text: object) -> StoreError:
    """Return a StoreError; its one line may quote text of a file."""
    return StoreError(one_line(text))


def file_stem(*parts: object, plain: bool = False) -> str:
    """Return a file name without ending, from texts: no separators, no leading dot, nothing that a shell takes for a sign.

    Args:
        parts: The texts; they are joined by -. One of which nothing is left is left out.
        plain: True for ASCII letters, digits, _ and - alone, which LaTeX takes, too.
    """

    def keep(letter: str) -> bool:
        return letter.isalnum() and letter.isascii() if plain else letter.isalnum() or letter == "."

    kept = ("".join(c if keep(c) or c == "_" else "_" for c in clean(str(part))).strip("._")[:60] for part in parts)
    return "-".join(part for part in kept if part)


def csv_text(text: str) -> str:
    """Return the text as a CSV cell that no spreadsheet reads as a formula: without control characters, with a ' if needed."""
    cleaned = _INNER_CELL.sub(r"\1'", clean(text))
    return "'" + cleaned if text.startswith(_FORMULA) or cleaned.lstrip().startswith(_FORMULA) else cleaned
