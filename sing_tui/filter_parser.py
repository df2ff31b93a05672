"""Reading a filter: a hand-written parser, because no ready grammar takes columns that people name (`is`, `as`, `IS/|AS|`)."""

import re
from difflib import get_close_matches
from typing import Any

import numpy as np

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_tui.search import Mask, Stop, aliases, contains, text_mask

Numbers = Any
"""A column's numbers or one number."""

_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(%?)")
_COMPARE = re.compile(r"<=|>=|==|!=|!~|<|>|=|~")
_JOIN = re.compile(r"(and|or)\b", re.IGNORECASE)
_WORDS_END = re.compile(r"\s+(and|or)\s|\s*[()]|\s*$", re.IGNORECASE)
_FUNCTION = re.compile(r"(abs|not)\b", re.IGNORECASE)


class FilterError(SingError):
    """A filter that cannot be read: `message` says why, `position` is where reading stopped."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.message, self.position = message, position


def evaluate(table: Table, text: str, stop: Stop | None) -> Mask:
    """Read a filter from left to right, and evaluate each part as it is read.

    The grammar, from the outermost rule to the innermost, is that of the methods of `_Parser`: either (or), both (and), single
    (not, brackets), comparison, sum, product, factor.

    Args:
        table: The table.
        text: The filter, without blanks at its end.
        stop: Asked again and again whether to give up.

    Returns:
        True for each row that passes, (row,).

    Raises:
        FilterError: The filter cannot be read; the message says where and why.
        Superseded: `stop` returned True.
    """
    return _Parser(table, text, stop).parse()


class _Parser:
    """The state of reading one filter."""

    def __init__(self, table: Table, text: str, stop: Stop | None) -> None:
        self.table, self.text, self.at, self.stop = table, text, 0, stop
        named = aliases(table)
        self.names = sorted(named.items(), key=lambda item: -len(item[0]))

    def parse(self) -> Mask:
        mask = self.either()
        self.skip()
        if self.at < len(self.text):
            raise self.error("'and', 'or' or the end was expected here")
        return mask

    def error(self, message: str, at: int | None = None) -> FilterError:
        return FilterError(message, self.at if at is None else at)

    def skip(self) -> None:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.skip()
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def sees(self, sign: str) -> bool:
        self.skip()
        return self.text.startswith(sign, self.at)

    def accept(self, sign: str) -> bool:
        if not self.sees(sign):
            return False
        self.at += len(sign)
        return True

    def joined(self, word: str) -> bool:
        self.skip()
        match = _JOIN.match(self.text, self.at)
        if not match or match.group(1).lower() != word:
            return False
        self.at = match.end()
        return True

    def either(self) -> Mask:
        mask = self.both()
        while self.joined("or"):
            mask = mask | self.both()
        return mask

    def both(self) -> Mask:
        mask = self.single()
        while self.joined("and"):
            mask = mask & self.single()
        return mask

    def single(self) -> Mask:
        self.skip()
        start = self.at
        match = _FUNCTION.match(self.text, self.at)
        if match and match.group(1).lower() == "not":
            self.at = match.end()
            return ~self.single()
        if not self.sees("("):
            return self.comparison()
        try:  # a bracket holds a condition, `(is > 3)`, or a part of a sum, `(is - as) > 3`
            return self.bracket()
        except FilterError as as_condition:
            self.at = start
            try:
                return self.comparison()
            except FilterError as as_sum:
                raise max(as_condition, as_sum, key=lambda error: error.position) from None

    def bracket(self) -> Mask:
        self.accept("(")
        mask = self.either()
        self.close()
        self.skip()
        if self.at < len(self.text) and (self.text[self.at] in "+-*/" or _COMPARE.match(self.text, self.at)):
            raise self.error("'and', 'or' or the end was expected here")
        return mask

    def comparison(self) -> Mask:
        self.skip()
        start = self.at
        column = self.column()
        if column is not None and column.is_text:
            operator = self.take(_COMPARE)
            if operator:
                return self.text_test(column, operator.group())
            self.at = start
        if self.is_words(start):
            return self.words(start)
        left = self.sum()
        operator = self.take(_COMPARE)
        if not operator or "~" in operator.group():
            raise self.error("a comparison was expected here: < <= > >= = !=")
        mask = _compare(left, operator.group(), right := self.sum())
        while more := self.take(_COMPARE):
            left = right
            mask = mask & _compare(left, more.group(), right := self.sum())
        return np.broadcast_to(mask, (self.table.length,)).astype(bool)

    def text_test(self, column: Column, operator: str) -> Mask:
        if operator in ("<", "<=", ">", ">="):
            raise self.error(f"{column.name} is text: it takes ~ (contains), !~, = and !=")
        self.skip()
        start, wanted = self.at, self.phrase()
        if not wanted and "~" in operator:
            raise self.error(f"what should {column.name} contain?", start)
        return text_mask(column, {"=": "==", "!=": "!="}.get(operator, operator), wanted, stop=self.stop)

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
        end = _WORDS_END.search(self.text, self.at).start()  # type: ignore[union-attr]
        self.at = end
        return self.text[start:end]

    def is_words(self, start: int) -> bool:
        """Return True if plain words follow: no number, column or function that a comparison could follow."""
        if start >= len(self.text):
            raise self.error("a condition was expected here")
        if self.text[start] == '"':
            return True
        words = self.text[start : _WORDS_END.search(self.text, start).start()]  # type: ignore[union-attr]
        self.at = start
        if _COMPARE.search(words) or self.sees("(") or _FUNCTION.match(self.text, start) or not words:
            return False
        column = self.column()
        self.at = start
        return (column is None or column.is_text) and not _NUMBER.fullmatch(words)

    def words(self, start: int) -> Mask:
        self.at = start
        return contains(self.table, self.phrase(), stop=self.stop)

    def column(self) -> Column | None:
        self.skip()
        lowered = self.text.lower()
        for name, column in self.names:
            end = self.at + len(name)
            if lowered.startswith(name.lower(), self.at) and not re.match(r"\w", lowered[end : end + 1]):
                self.at = end
                return column
        return None

    def sum(self) -> Numbers:
        value = self.product()
        while True:
            if self.accept("+"):
                value = value + self.product()
            elif self.accept("-"):
                value = value - self.product()
            else:
                return value

    def product(self) -> Numbers:
        value = self.factor()
        while True:
            if self.accept("*"):
                value = value * self.factor()
            elif self.accept("/"):
                with np.errstate(all="ignore"):
                    value = np.true_divide(value, self.factor())
            else:
                return value

    def factor(self) -> Numbers:
        self.skip()
        start = self.at
        if self.accept("-"):
            return -self.factor()
        if self.accept("("):
            value = self.sum()
            self.close()
            return value
        if number := self.take(_NUMBER):
            value = float(number.group(1) + (number.group(2) or ""))  # a plain float takes the column's own precision
            return value / 100 if number.group(3) else value
        column = self.column()
        if column is not None:
            if column.is_text:
                raise self.error(f"{column.name} is text: it takes ~ (contains), !~, = and !=", start)
            cells = column.values.all()
            return cells.astype(np.float64) if cells.dtype.kind in "iu" else cells
        if function := self.take(_FUNCTION):
            if function.group().lower() == "abs" and self.accept("("):
                value = self.sum()
                self.close()
                return np.abs(value)
            raise self.error("abs(...) needs brackets", start)
        word = re.match(r"[^\s<>=!~()+*/]*", self.text[start:]).group()  # type: ignore[union-attr]
        if not word:
            raise self.error("a number or a column was expected here", start)
        raise self.error(self.unknown(word), start)

    def unknown(self, word: str) -> str:
        """Say that there is no column of a name, and which there are."""
        near = get_close_matches(word.lower(), [name.lower() for name, _ in self.names], n=1)
        hint = f" (is {near[0]} meant?)" if near else ""
        return f"no column {word!r}{hint}; there are: {', '.join(c.name for c in self.table.columns)}"

    def close(self) -> None:
        if not self.accept(")"):
            raise self.error("a ')' is missing")


def _compare(left: Numbers, operator: str, right: Numbers) -> Mask:
    """Compare numbers; a missing value passes no comparison, != included."""
    with np.errstate(invalid="ignore"):
        if operator == "!=":
            return np.asarray((left != right) & ~np.isnan(left) & ~np.isnan(right), dtype=bool)
        tests = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
        return np.asarray(tests.get(operator, np.equal)(left, right), dtype=bool)
