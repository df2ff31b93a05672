"""Read a filter sign by sign: numbers, names of columns, quoted and plain words, and what is wrong at which character."""

import re
from difflib import get_close_matches

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_tui.search import aliases

_SPACE = re.compile(r"\s*")
_GOES_ON = re.compile(r"\w|\.\w")
"""Goes on with a longer name behind that of a column, as in `is.after` of a comparison."""
_END = re.compile(r"\s*($|[()]|(and|or)\s)", re.IGNORECASE)
_WORDS_END = re.compile(r"\s+(and|or)\s|\s*[()]|\s*$", re.IGNORECASE)


class FilterError(SingError):
    """A filter that cannot be read: `message` says why, `position` is where reading stopped."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.message, self.position = message, position


class FilterReader:
    """The text of one filter, and the place up to which it was read."""

    def __init__(self, table: Table, text: str) -> None:
        self.table, self.text, self.at = table, text, 0
        self.names = sorted(aliases(table).items(), key=lambda item: -len(item[0]))

    def error(self, message: str, at: int | None = None) -> FilterError:
        """Return an error at a character, or at the place reached."""
        return FilterError(message, self.at if at is None else at)

    def skip(self) -> None:
        """Go on behind blanks."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read what a pattern matches; None where it matches nothing."""
        self.skip()
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def sees(self, sign: str) -> bool:
        """Return True if a sign comes next."""
        self.skip()
        return self.text.startswith(sign, self.at)

    def accept(self, sign: str) -> bool:
        """Read a sign; return False where another one comes next."""
        if not self.sees(sign):
            return False
        self.at += len(sign)
        return True

    def close(self) -> None:
        """Read a closing bracket."""
        if not self.accept(")"):
            raise self.error("a ')' is missing")

    def column(self, *, alone: bool = False) -> Column | None:
        """Read the name of a column; None where none comes next, or with `alone` where it is only the first of more words."""
        self.skip()
        lowered = self.text.lower()
        for name, column in self.names:
            end = self.at + len(name)
            if lowered.startswith(name.lower(), self.at) and not _GOES_ON.match(lowered, end):
                if alone and not _END.match(self.text, end):
                    return None
                self.at = end
                return column
        return None

    def phrase(self) -> str:
        """Read a quoted text, or the words up to the next and, or, bracket or the end."""
        self.skip()
        start = self.at
        if self.accept('"'):
            end = self.text.find('"', self.at)
            if end < 0:
                raise self.error("this quote is never closed", start)
            self.at = end + 1
            return self.text[start + 1 : end]
        self.at = self.end_of_words(start)
        return self.text[start : self.at]

    def end_of_words(self, start: int) -> int:
        """Return where plain words end that begin at a character."""
        return _WORDS_END.search(self.text, start).start()  # type: ignore[union-attr]

    def unknown(self, word: str) -> str:
        """Say that there is no column of a name, and which there are."""
        near = get_close_matches(word.lower(), [name.lower() for name, _ in self.names], n=1)
        hint = f" (is {near[0]} meant?)" if near else ""
        return f"no column {word!r}{hint}; there are: {', '.join(c.name for c in self.table.columns)}"
