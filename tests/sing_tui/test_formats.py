"""Numbers and text as they are painted and exported."""

import numpy as np
import pytest
from rich.cells import cell_len

from sing_compute.store.text import csv_text
from sing_tui.formats import ASCII, UNICODE, clean, csv_cells, fit, in_words, number_format


@pytest.mark.parametrize(
    ("name", "unit", "value", "expected"),
    [
        ("attribute_score", "degree", 1.234, "+1.23"),
        ("attribute_score", "degree", -0.001, "+0.00"),
        ("attribute_score_q50", "degree", -12.5, "-12.50"),
        ("attribute_score_abs", "degree", 1.234, "1.23"),
        ("attribute_score_std", "degree", 0.5, "0.50"),
        ("image_score", "degree", np.nan, "-"),
        ("accuracy", "1", 0.8125, "81.2%"),
        ("confidence", "1", 1.0, "100.0%"),
        ("null_energy", "1", 0.7512, "0.751"),
        ("ratio", "1", 1234567.0, "1.23e+06"),
        ("ratio", "1", 17.85, "17.9"),
        ("ratio", "1", 1234.5, "1,234"),
        ("logit_change_max", "1", 3e-7, "3.00e-07"),
        ("gap", "1", np.inf, "∞"),
        ("gap", "1", -np.inf, "-∞"),
        ("lambda", "1", 0.0, "0"),
        ("count", "count", 1281167, "1,281,167"),
        ("index", "index", 1000, "1000"),
    ],
)
def test_a_number_is_painted_by_its_kind(name: str, unit: str, value: float, expected: str) -> None:
    assert number_format(name, unit).write(value) == expected


def test_ascii_numbers_are_ascii() -> None:
    assert number_format("gap", "1", ASCII).write(np.inf) == "inf"
    assert in_words("attribute_score", "degree", 2.0, ASCII) == "+2.00 degrees"
    assert number_format("image_score", "degree", ASCII).unit == "deg"


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
