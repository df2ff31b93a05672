"""Reading a filter: a hand-written parser, because no ready grammar takes columns that people name (`is`, `as`, `IS/|AS|`).

The grammar, from the outermost rule to the innermost, is that of the methods of `_Parser`: either (or), both (and), single
(not, brackets), comparison, sum, product, factor. What its writer can hardly have meant is an error with the reason; what
could be meant otherwise is a note.
"""

import re
from difflib import get_close_matches

import numpy as np

from sing_compute.store import Column, Table
from sing_tui.filter_reader import FilterError, FilterReader
from sing_tui.filter_units import Numbers, Side, check_units
from sing_tui.search import Mask, Stop, contains, same_text, text_mask
from sing_tui.text_patterns import PatternError, pattern_mask

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(%?)")
_COMPARE = re.compile(r"<=|>=|==|!=|!~|<|>|=|~")
_JOIN = re.compile(r"(and|or)\b", re.IGNORECASE)
_FUNCTION = re.compile(r"(abs|not)\b", re.IGNORECASE)
_TEXT_TAKES = "is text: it takes ~ (a pattern), !~, = and !="


def evaluate(table: Table, text: str, stop: Stop | None) -> tuple[Mask, tuple[str, ...]]:
    """Read a filter from left to right, and evaluate each part as it is read.

    Args:
        table: The table.
        text: The filter, without blanks at its end.
        stop: Asked again and again whether to give up.

    Returns:
        True for each row that passes, (row,), and how parts were understood that could be meant otherwise.

    Raises:
        FilterError: The filter cannot be read; the message says where and why.
        Superseded: `stop` returned True.
    """
    parser = _Parser(table, text, stop)
    return parser.parse(), tuple(dict.fromkeys(parser.notes))


class _Parser(FilterReader):
    """The state of reading one filter."""

    def __init__(self, table: Table, text: str, stop: Stop | None) -> None:
        super().__init__(table, text)
        self.stop = stop
        self.notes: list[str] = []
        self.operand = Side(0)
        """The side of a comparison that is read now."""

    def parse(self) -> Mask:
        mask = self.either()
        self.skip()
        if self.at < len(self.text):
            raise self.error("'and', 'or' or the end was expected here")
        return mask

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
        left = self.side()
        operator = self.take(_COMPARE)
        if not operator or "~" in operator.group():
            raise self.error("a comparison was expected here: < <= > >= = !=")
        mask = self.compare(left, operator.group(), right := self.side())
        while more := self.take(_COMPARE):
            left = right
            mask = mask & self.compare(left, more.group(), right := self.side())
        return np.broadcast_to(mask, (self.table.length,)).astype(bool)

    def text_test(self, column: Column, operator: str) -> Mask:
        if operator in ("<", "<=", ">", ">="):
            raise self.error(f"{column.name} {_TEXT_TAKES}")
        self.skip()
        start = self.at
        other = self.column(alone=True)
        if other is not None:
            return self.column_test(column, operator, other, start)
        quoted = self.sees('"')
        wanted = self.phrase()
        if "~" in operator:
            if not wanted:
                raise self.error(f"what should {column.name} contain?", start)
            try:
                mask = pattern_mask(column, wanted, stop=self.stop)
            except PatternError as error:
                raise self.error(str(error), start + quoted + error.position) from None
            return ~mask if operator == "!~" else mask
        self.check_name(column, wanted, start)
        if not quoted and _COMPARE.search(wanted):
            raise self.error(f'"and" or "or" is missing here, or quotes around the text: {column.name} = "..."', start)
        return text_mask(column, {"=": "=="}.get(operator, operator), wanted, stop=self.stop)

    def column_test(self, column: Column, operator: str, other: Column, start: int) -> Mask:
        """Compare the texts of two columns."""
        if not other.is_text:
            raise self.error(f"{column.name} is text and {other.name} a number: they cannot be compared", start)
        if "~" in operator:
            raise self.error(
                f'{other.name} is a column: compare it with = or !=, or write "{other.name}" for the word', start
            )
        mask = same_text(column, other, stop=self.stop)
        return ~mask if operator == "!=" else mask

    def check_name(self, column: Column, wanted: str, start: int) -> None:
        """Refuse a name that no item has, where the column says the name of one of a list of items."""
        if column.values.names is None or not wanted:
            return
        names = [str(name) for name in column.values.names]
        exact = wanted != wanted.lower()
        if wanted not in names if exact else wanted not in {name.lower() for name in names}:
            near = get_close_matches(wanted.lower(), {name.lower(): name for name in names}, n=1)
            hint = f" (is {near[0]} meant?)" if near else ""
            raise self.error(f"{column.name} is nowhere {wanted!r}{hint}; ~ finds a part of a name", start)

    def is_words(self, start: int) -> bool:
        """Return True if plain words follow: no number, column or function that a comparison could follow."""
        if start >= len(self.text):
            raise self.error("a condition was expected here")
        if self.text[start] == '"':
            return True
        words = self.text[start : self.end_of_words(start)]
        self.at = start
        if _COMPARE.search(words) or self.sees("(") or self.sees("|") or _FUNCTION.match(self.text, start) or not words:
            return False
        column = self.column()
        self.at = start
        return (column is None or column.is_text) and not _NUMBER.fullmatch(words)

    def words(self, start: int) -> Mask:
        self.at = start
        wanted = self.phrase()
        if self.text.strip() not in (wanted, f'"{wanted}"'):
            self.notes.append(f'"{wanted}" is looked for as text')
        return contains(self.table, wanted, stop=self.stop)

    def side(self) -> Side:
        """Read one side of a comparison of numbers."""
        self.skip()
        self.operand = side = Side(self.at)
        side.value = self.sum()
        return side

    def compare(self, left: Side, operator: str, right: Side) -> Mask:
        """Compare two sides, unless one cannot mean the unit of the other."""
        for side, other in ((left, right), (right, left)):
            self.notes += check_units(side, other, operator)
        return _compare(left.value, operator, right.value)

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
            self.operand.numbers.append((value, bool(number.group(3))))
            return value / 100 if number.group(3) else value
        column = self.column()
        if column is not None:
            if column.is_text:
                raise self.error(f"{column.name} {_TEXT_TAKES}", start)
            self.operand.columns.append(column)
            cells = column.values.all()
            return cells.astype(np.float64) if cells.dtype.kind in "iu" else cells
        if self.accept("|"):
            value = self.sum()
            if not self.accept("|"):
                raise self.error("a '|' is missing: |as| is abs(as)")
            return np.abs(value)
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


def _compare(left: Numbers, operator: str, right: Numbers) -> Mask:
    """Compare numbers; a missing value passes no comparison, != included."""
    with np.errstate(invalid="ignore"):
        if operator == "!=":
            return np.asarray((left != right) & ~np.isnan(left) & ~np.isnan(right), dtype=bool)
        tests = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
        return np.asarray(tests.get(operator, np.equal)(left, right), dtype=bool)
