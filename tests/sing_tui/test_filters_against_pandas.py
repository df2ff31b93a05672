"""Filters as they are typed, against pandas' own answers on the same table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stores import write_store

from sing_compute.store import Store, Table, image_table
from sing_tui.filters import FilterError, check, matches

Answer = Callable[[pd.DataFrame], "pd.Series[bool]"]
FILTERS = 10_000
PATTERNS = ("^cat", "00[12]", "t/0+[1-5]", "(?:cat|owl)", "7.png$", "o.l", "xyz", "cat")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    path: Path = write_store(tmp_path_factory.mktemp("filters") / "results.h5", groups=("in", "out"))
    with Store(path) as store:
        found = image_table(store, "alpha")
        for column in found.columns:
            column.values.all()
        yield found


@pytest.fixture(scope="module")
def frame(table: Table) -> pd.DataFrame:
    return pd.DataFrame({column.name: column.values.all() for column in table.columns})


class Writer:
    """Draw filters, each with the answer that pandas gives."""

    def __init__(self, table: Table, frame: pd.DataFrame) -> None:
        self.rng = np.random.default_rng(0)
        self.frame = frame
        self.numbers = [column for column in table.columns if not column.is_text]
        self.texts = [column.name for column in table.columns if column.is_text]

    def choose(self, items: object) -> object:
        return items[int(self.rng.integers(len(items)))]

    def number(self, depth: int = 0) -> tuple[str, Answer]:
        """A column, or a sum of some; numbers alone are drawn by `comparison`."""
        column = self.choose(self.numbers)
        name = column.name
        kind = self.rng.random()
        if kind < 0.5 or depth > 1:
            whole = column.values.all().dtype.kind in "iu"
            return name, lambda frame: frame[name].astype(np.float64) if whole else frame[name]
        text, value = self.number(depth + 1)
        if kind < 0.6:
            return f"abs({text})", lambda frame: value(frame).abs()
        if kind < 0.7:
            return f"|{text}|" if "|" not in text else f"abs({text})", lambda frame: value(frame).abs()
        other, second = self.number(depth + 1)
        sign = self.choose("+-*")
        calculate = {"+": pd.Series.add, "-": pd.Series.sub, "*": pd.Series.mul}[sign]
        return f"({text} {sign} {other})", lambda frame: calculate(value(frame), second(frame))

    def comparison(self) -> tuple[str, Answer]:
        left, first = self.number()
        sign = self.choose(("<", "<=", ">", ">=", "=", "!="))
        if self.rng.random() < 0.3:
            right, second = self.number()
        else:
            cell = float(first(self.frame).iloc[int(self.rng.integers(len(self.frame)))])
            near = round(0.0 if np.isnan(cell) else cell, 3)
            shares = [column for column in self.numbers if column.name == left and column.format == "percent"]
            right = f"{near * 100:.1f}%" if shares else f"{near:.3f}"
            value = float(right[:-1]) / 100 if shares else float(right)
            second = lambda frame: value  # noqa: E731
        tests = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "=": "eq", "!=": "ne"}

        def answer(frame: pd.DataFrame) -> "pd.Series[bool]":
            a, b = first(frame), second(frame)
            known = a.notna() & (b.notna() if isinstance(b, pd.Series) else True)
            return getattr(a, tests[sign])(b) & known

        return f"{left} {sign} {right}", answer

    def text(self) -> tuple[str, Answer]:
        name = self.choose(self.texts)
        kind = self.rng.random()
        if kind < 0.35:
            pattern = self.choose(PATTERNS)
            sign = self.choose(("~", "!~"))
            return (
                f'{name} {sign} "{pattern}"',
                lambda frame: frame[name].str.contains(f"(?:{pattern})", case=False) ^ (sign == "!~"),
            )
        sign = self.choose(("=", "!="))
        if kind < 0.7:
            other = self.choose(self.texts)
            return f"{name} {sign} {other}", lambda frame: (frame[name] == frame[other]) ^ (sign == "!=")
        cells = [cell for cell in self.frame[name].unique() if cell]
        wanted = self.choose(cells)
        return (
            f'{name} {sign} "{wanted}"',
            lambda frame: (
                (frame[name].str.lower() == wanted.lower() if wanted == wanted.lower() else frame[name] == wanted)
                ^ (sign == "!=")
            ),
        )

    def condition(self, depth: int = 0) -> tuple[str, Answer]:
        kind = self.rng.random()
        if kind < 0.6 or depth > 2:
            return self.comparison() if self.rng.random() < 0.6 else self.text()
        text, answer = self.condition(depth + 1)
        if kind < 0.7:
            return f"not ({text})", lambda frame: ~answer(frame)
        other, second = self.condition(depth + 1)
        word = self.choose(("and", "or"))
        join = {"and": lambda a, b: a & b, "or": lambda a, b: a | b}[word]
        return f"({text}) {word} ({other})", lambda frame: join(answer(frame), second(frame))


def test_random_filters_keep_the_rows_that_pandas_keeps(table: Table, frame: pd.DataFrame) -> None:
    writer = Writer(table, frame)
    kept = set()
    for _ in range(FILTERS):
        text, answer = writer.condition()
        found = matches(table, text)
        assert found.tolist() == answer(frame).tolist(), text
        kept.add(int(found.sum()))
    assert len(kept) == len(frame) + 1  # every number of rows, from none to all


def rows(table: Table, text: str) -> int:
    return int(matches(table, text).sum())


def test_a_column_on_the_right_is_a_column(table: Table, frame: pd.DataFrame) -> None:
    correct = int((frame["class"] == frame["prediction"]).sum())
    assert 0 < correct < len(frame)
    assert rows(table, "prediction != class") == len(frame) - correct
    assert rows(table, "prediction = class") == correct
    assert rows(table, 'image ~ "prediction"') == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("class = confidence", "class is text and confidence a number"),
        ("class ~ prediction", "prediction is a column: compare it with = or !="),
        ("confidence < 90", "confidence is a share of 1: write 90% or 0.9"),
        ("90 > confidence", "confidence is a share of 1: write 90% or 0.9"),
        ("is > 20%", "image_score is in degrees: a number with % does not fit it"),
        ("class = cta", "class is nowhere 'cta' (is cat meant?); ~ finds a part of a name"),
        ("image ~ ^cat[", "no regular expression"),
        ("|as < 3", "a '|' is missing: |as| is abs(as)"),
        ("image = cat is > 3", '"and" or "or" is missing here'),
    ],
)
def test_what_can_hardly_be_meant_is_refused_with_the_reason(table: Table, text: str, line: str) -> None:
    for read in (matches, check):
        with pytest.raises(FilterError) as caught:
            read(table, text)
        assert line in caught.value.message


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("confidence < 0.5", ("0.5 is read as 50%",)),
        ("confidence < 50%", ()),
        ("is = 3.5", ("image_score is rounded on the screen, = asks for exactly 3.5",)),
        ("is > 3 and striped", ('"striped" is looked for as text',)),
        ("striped", ()),
        ("class = cat", ()),
    ],
)
def test_what_could_be_meant_otherwise_is_noted(table: Table, text: str, note: tuple[str, ...]) -> None:
    assert check(table, text) == note


def test_an_expression_that_takes_for_ever_is_refused(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sing_tui.text_patterns.SECONDS", 0.05)
    column = table.column("image")
    endless = [*column.values.all()[:-1], "a" * 60 + "!"]
    values = type(column.values)(np.array(endless))
    columns = [type(column)(column.name, column.title, column.unit, "", values)]
    from dataclasses import replace

    with pytest.raises(FilterError, match="takes too long"):
        matches(replace(table, columns=columns), r'image ~ "^(a|a|aa)+$"')
