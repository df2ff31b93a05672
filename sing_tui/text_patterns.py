"""Patterns in the text of a column: regular expressions, or plain words where nothing in them is a sign of one."""

import re

import numpy as np

from sing_compute.errors import SingError
from sing_compute.store import Column
from sing_tui.search import Mask, Stop, runs, text_mask

_SIGNS = re.compile(r"[.^$*+?{}\[\]\\|()]")
_ESCAPED = re.compile(r"\\.")
SECONDS = 2.0
"""Longest search in one text: some expressions take for ever."""


class PatternError(SingError):
    """A pattern that cannot be read or takes too long; `position` is the place in it."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def pattern_mask(column: Column, pattern: str, *, stop: Stop | None = None) -> Mask:
    """Find the rows whose text has a match of a regular expression.

    Args:
        column: A column of text.
        pattern: The expression; case counts only if it holds a capital.
        stop: Asked again and again whether to give up.

    Returns:
        True for each row with a match, (row,).

    Raises:
        PatternError: The expression cannot be read, or takes too long.
        Superseded: `stop` returned True.
    """
    if not _SIGNS.search(pattern):
        return text_mask(column, "~", pattern, stop=stop)
    import regex  # has a limit of time, which re has not

    letters = _ESCAPED.sub("", pattern)
    try:
        search = regex.compile(pattern, 0 if letters != letters.lower() else regex.IGNORECASE).search
    except regex.error as error:
        raise PatternError(f"no regular expression: {error.msg}", error.pos or 0) from None
    values = column.values
    found = np.zeros(len(values), dtype=bool)

    def has(text: str) -> bool:
        return search(text, timeout=SECONDS, concurrent=True) is not None

    try:
        if values.names is not None and len(values.names):
            named = np.array([has(str(name)) for name in (*values.names, "")])
            return np.asarray(
                named[values.codes()]
            )  # an index that no name belongs to is -1, and the last name the empty text
        for low, cells in runs(values, stop):
            found[low : low + len(cells)] = [has(cell.decode("utf-8", "replace")) for cell in cells.tolist()]
    except TimeoutError:
        raise PatternError("this expression takes too long", 0) from None
    return found
