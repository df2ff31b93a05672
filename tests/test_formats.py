"""Numbers and text as they are painted and exported."""

from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len

from sing_compute.csv_cells import csv_cells
from sing_compute.formats import ASCII, UNICODE, clean, fit, in_words, named_format, number_format, with_interval
from sing_compute.store import Column, catalogue
from sing_compute.store.columns import Values
from sing_compute.store.definition import NUMBER_FORMATS
from sing_compute.store.text import csv_text


def column(form: str, unit: str = "1", role: str = "value") -> Column:
    return Column("accuracy_ratio_q50.any", "any", unit, "", Values(np.zeros(1)), format=form, role=role)


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("signed degrees", 1.234, "+1.23"),
        ("signed degrees", -0.001, "+0.00"),
        ("signed degrees", -12.5, "-12.50"),
        ("degrees", 1.234, "1.23"),
        ("degrees", np.nan, "-"),
        ("percent", 0.8125, "81.2%"),
        ("percent", 1.0, "100.0%"),
        ("three digits", 0.7512, "0.751"),
        ("any size", 1234567.0, "1.23e+06"),
        ("any size", 17.85, "17.9"),
        ("any size", 1234.5, "1,234"),
        ("any size", 3e-7, "3.00e-07"),
        ("any size", 3.2e-5, "3.20e-05"),
        ("any size", np.inf, "∞"),
        ("any size", -np.inf, "-∞"),
        ("any size", 0.0, "0"),
        ("signed", 2.345, "+2.35"),
        ("count", 1281167, "1,281,167"),
        ("index", 1000, "1000"),
        ("rank change", -3.0, "-3"),
        ("rank change", 3.0, "+3"),
        ("figure", 1281167.0, "1,281,167"),
        ("figure", 11.7049, "11.705"),
        ("figure", 0.000123456, "0.0001235"),
    ],
)
def test_a_number_is_written_by_its_declared_format(form: str, value: float, expected: str) -> None:
    assert named_format(form).write(value) == expected
    assert number_format(column(form)).write(value) == expected


def test_every_declared_format_of_numbers_is_known() -> None:
    numbers = [form for form in NUMBER_FORMATS if form not in ("text", "path")]
    written = {form: tuple(named_format(form).write(value) for value in (1234.5678, -0.01234)) for form in numbers}
    assert len(set(written.values())) == len(numbers) - 1  # degrees with sign and a signed number differ in their unit
    assert named_format("signed degrees").unit != named_format("signed").unit


@pytest.mark.parametrize("size", [1e-300, 3.2e-5, 9.99e-4, 1e-3, 0.12345, 1.0, 999.9, 1000.0, 123456.0, 1e6, 1e30])
def test_a_number_of_any_size_is_never_shown_as_nothing(size: float) -> None:
    for value in (size, -size):
        text = named_format("any size").write(value)
        assert float(text.replace(",", "")) == pytest.approx(value, rel=5e-3)


def test_no_name_says_how_a_number_is_written() -> None:
    for spec in (catalogue.table(name) for name in ("models", "classes", "concepts", "images")):
        for declared in spec.columns:
            if declared.format not in ("text", "path"):
                renamed = column(declared.format)
                named = replace(renamed, name=declared.name)
                assert number_format(named).write(0.123456) == number_format(renamed).write(0.123456)


@pytest.mark.parametrize(("form", "unit", "expected"), [
    ("degrees", "degree", "+1.25"), ("signed degrees", "degree", "+1.25"), ("any size", "1", "+1.25"),
    ("percent", "1", "+125.0%"), ("figure", "1", "1.250"),
])  # fmt: skip
def test_a_difference_has_a_sign(form: str, unit: str, expected: str) -> None:
    written = number_format(column(form, unit, "difference")).write
    assert written(1.25) == expected
    assert written(-1.25) == f"-{expected.lstrip('+')}"


def test_the_unit_is_in_the_header_and_in_words() -> None:
    assert number_format(column("degrees", "degree")).unit == "°"
    assert number_format(column("any size", "volt")).unit == "volt"
    assert number_format(column("count", "count")).unit == number_format(column("percent")).unit == ""
    assert in_words(column("any size", "volt"), 3.2e-5) == "3.20e-05 volt"
    assert in_words(column("count", "count"), 1200.0) == "1,200"
    assert in_words(column("degrees", "degree"), np.nan) == "-"
    assert with_interval(column("degrees", "degree"), 2.0, (1.0, 3.0)) == "2.00 degrees [1.00 to 3.00]"
    assert with_interval(column("degrees", "degree"), 2.0, (np.nan, 3.0)) == "2.00 degrees"


def test_ascii_numbers_are_ascii() -> None:
    assert number_format(column("any size"), ASCII).write(np.inf) == "inf"
    assert in_words(column("signed degrees", "degree"), 2.0, ASCII) == "+2.00 degrees"
    assert number_format(column("degrees", "degree"), ASCII).unit == "deg"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize(
    "text", ["", "cat", "a much longer name", "ネコ科の動物", "🦉 owl 🦉", "e\u0301te\u0301", "aネbコc"]
)
@pytest.mark.parametrize("keep_end", [False, True])
def test_a_fitted_text_takes_exactly_its_cells(glyphs, text: str, keep_end: bool) -> None:
    for width in range(1, 20):
        assert cell_len(fit(text, width, glyphs, keep_end=keep_end)) == width
        assert cell_len(fit(text, width, glyphs, right=True)) == width


def test_fitting_keeps_the_end_that_was_asked_for() -> None:
    assert fit("folder/image_0001.png", 9) == "folder/i…"
    assert fit("folder/image_0001.png", 9, keep_end=True) == "…0001.png"
    assert fit("cat", 5, right=True) == "  cat"


def test_clean_text_cannot_steer_a_terminal() -> None:
    awkward = "a\x00b\x1b[31mc\x7fd\x9be\u202ef\u2028g\rh\ni\tj"
    assert clean(awkward) == "ab[31mcdefghij"
    assert clean("ネコ 🦉 é [red]") == "ネコ 🦉 é [red]"
    assert ASCII.text("ネコ x") == "?? x"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\x00=1", "＝1"])
def test_a_formula_is_neutralised(text: str) -> None:
    assert csv_text(text) == "'" + clean(text)


@pytest.mark.parametrize("text", ["cat", "a=b", "'quoted'", "", "1.5", "ネコ"])
def test_other_text_is_exported_as_it_is(text: str) -> None:
    assert csv_text(text) == text


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int32, np.int64])
def test_numbers_read_back_bit_for_bit(dtype) -> None:
    rng = np.random.default_rng(0)
    values = (rng.normal(size=500) * 10.0 ** rng.integers(-4, 4, 500)).astype(dtype)
    back = np.array(csv_cells(values), dtype=dtype)
    assert back.tobytes() == values.tobytes()


def test_missing_is_empty_and_infinity_is_inf() -> None:
    assert csv_cells(np.array([np.nan, np.inf, -np.inf], dtype=np.float32)) == ["", "inf", "-inf"]
