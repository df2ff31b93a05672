"""Words in the text columns of a table, and columns by the names that people give them.

Stored text is searched as the bytes it is made of: decoding a million keys takes seconds, looking through their bytes 30 ms.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.columns import Values

Mask = NDArray[np.bool_]
Cells = NDArray[Any]
"""UTF-8 bytes of fixed length, one text a row."""
Stop = Callable[[], bool]
"""Asked between two runs of rows; it returns True if a newer search has made this one useless."""
DISTRIBUTION = "distribution"
"""Format of a column whose cells are counts of bins (`distributions`): nobody looks for them by words."""
_ROWS = 2**16
_READ, _RUN = 2**23, 2**18
"""Bytes read at once, and looked through at once: larger runs leave the processor's cache and take twice as long."""
_CAPITALS_FROM_AFAR = {"i": "\u0130".encode(), "k": "\u212a".encode()}
"""The only characters outside ASCII whose lower case holds an ASCII letter: I with a dot, and the Kelvin sign."""


class Superseded(SingError):  # noqa: N818
    """A newer search began before this one ended."""

    def __init__(self) -> None:
        super().__init__("a newer search began")


def aliases(table: Table) -> dict[str, Column]:
    """Return the columns by the names that people give them: the name, or the title in lower case with _ for spaces."""
    named = {column.name: column for column in table.columns}
    for column in table.columns:
        named.setdefault(column.title.lower().replace(" ", "_"), column)
    return named


def contains(table: Table, words: str, *, stop: Stop | None = None) -> Mask:
    """Find the rows with some words in any text column; case counts only if a capital was typed.

    Args:
        table: The table.
        words: The words, as one text.
        stop: Asked again and again whether to give up.

    Returns:
        True for each row that holds them, (row,).

    Raises:
        Superseded: `stop` returned True.
    """
    found = np.zeros(table.length, dtype=bool)
    words = words.strip()
    for column in table.columns:
        if column.is_text and column.format != DISTRIBUTION:
            found |= text_mask(column, "~", words, stop=stop)
    return found


def text_mask(column: Column, operator: str, wanted: str, *, stop: Stop | None = None) -> Mask:
    """Find the rows whose text contains or is what is wanted.

    Args:
        column: A column of text.
        operator: `~` contains, `==` is, `!~` and `!=` the opposite.
        wanted: The text; case counts only if it holds a capital.
        stop: Asked again and again whether to give up.

    Returns:
        True for each row that passes, (row,).

    Raises:
        Superseded: `stop` returned True.
    """
    values, whole = column.values, "~" not in operator
    found = np.zeros(len(values), dtype=bool)
    if values.names is not None and len(values.names):
        named = np.array([says(str(name), wanted, whole=whole) for name in (*values.names, "")])
        found = named[values.codes()]  # an index that no name belongs to is -1, and the last name the empty text
    else:
        for low, cells in runs(values, stop):
            found[low : low + len(cells)] = rows_with(cells, wanted, whole=whole)
    return ~found if operator.startswith("!") else found


def same_text(left: Column, right: Column, *, stop: Stop | None = None) -> Mask:
    """Find the rows in which two columns hold the same text.

    Args:
        left: A column of text.
        right: Another one of the same table.
        stop: Asked whether to give up before a column is read.

    Returns:
        True for each row, (row,).

    Raises:
        Superseded: `stop` returned True.
    """
    if left.values.names is not None and left.values.names is right.values.names:
        return np.asarray(left.values.codes() == right.values.codes())
    cells = []
    for column in (left, right):
        if stop is not None and stop():
            raise Superseded
        cells.append(column.values.all())
    return np.asarray(cells[0] == cells[1], dtype=bool)


def runs(values: Values, stop: Stop | None = None) -> Iterator[tuple[int, Cells]]:
    """Read all texts in runs of rows, undecoded.

    Args:
        values: Cells of a column of text.
        stop: Asked between two runs whether to give up.

    Yields:
        The first row of a run, and the run's cells as UTF-8 bytes.

    Raises:
        Superseded: `stop` returned True.
    """
    width = max(1, values.source.dtype.itemsize)
    step, part = (max(1, min(_ROWS, size // width)) for size in (_READ, _RUN))
    for start in range(0, len(values), step):
        piece = values.encoded(start, min(start + step, len(values)))
        for low in range(0, len(piece), part):
            if stop is not None and stop():
                raise Superseded
            yield start + low, _narrowed(piece[low : low + part])


def rows_with(cells: Cells, wanted: str, *, whole: bool = False) -> Mask:
    """Find the rows whose text contains what is wanted, or with `whole` is it; case counts only if a capital is wanted."""
    exact = wanted != wanted.lower()
    found = np.zeros(len(cells), dtype=bool)
    doubtful = np.zeros(len(cells), dtype=bool)
    foreign = bool(len(cells)) and bool(_signed(cells).min() < 0)
    if all(_as_bytes(character, exact) for character in wanted):
        needle = wanted.encode()
        searched = cells if exact or wanted == wanted.upper() else _lowered(cells)
        found |= searched == needle if whole else np.strings.find(searched, needle) >= 0
        for letter, capital in _CAPITALS_FROM_AFAR.items():
            if foreign and not exact and letter in wanted:
                doubtful |= np.strings.find(cells, capital) >= 0
    elif foreign:
        doubtful |= (_signed(cells).reshape(len(cells), -1) < 0).any(axis=1)
    for row in np.flatnonzero(doubtful).tolist():
        found[row] = says(cells[row].decode("utf-8", "replace"), wanted, whole=whole)
    return found


def says(text: str, wanted: str, *, whole: bool = False) -> bool:
    """Return True if a text contains what is wanted, or with `whole` is it; case counts only if a capital is wanted."""
    text = text if wanted != wanted.lower() else text.lower()
    return text == wanted if whole else wanted in text


def _as_bytes(character: str, exact: bool) -> bool:
    """Return True if a text holds a character exactly where its bytes hold the character's (ASCII in lower case if not exact)."""
    if character.isascii():
        return True
    if character == "\ufffd" or "\ud800" <= character <= "\udfff":  # what undecodable bytes are read as
        return False
    return exact or (character == character.lower() == character.upper() and character != "\u0307")  # part of a small i


def _signed(cells: Cells) -> NDArray[np.int8]:
    """Return all bytes, one after the other; those of characters outside ASCII are below zero."""
    return cells.view(np.int8)


def _lowered(cells: Cells) -> Cells:
    """Return the texts with A to Z in lower case; bytes of other characters stay."""
    letters = cells.view(np.uint8)
    capital = (letters - np.uint8(ord("A")) < 26).view(np.uint8)
    capital *= np.uint8(ord("a") - ord("A"))
    capital |= letters
    return capital.view(cells.dtype)


def _narrowed(cells: Cells) -> Cells:
    """Halve the bytes of each text as long as none needs the other half: one long text makes all others wide."""
    while len(cells) and (half := -(-cells.dtype.itemsize // 2)) >= 16:
        if _signed(cells).reshape(len(cells), -1)[:, half:].any():
            break
        cells = cells.astype(f"S{half}")
    return cells
