"""Shapes with known numbers: lengths, positions and axes are read back from what is drawn."""

import re

import numpy as np
import pytest
from charting import lines_of
from rich.cells import cell_len
from scipy.stats import chi2

from sing_compute.charts.shapes import (
    Bars,
    Curves,
    Densities,
    Ellipse,
    Histogram,
    IntervalBars,
    Pairs,
    Scatter,
    Shape,
    StackedBars,
    Violins,
)
from sing_compute.formats import ASCII, UNICODE, Glyphs

PERCENT = np.linspace(0, 1, 21)


def test_ellipse_points_lie_at_the_95_percent_quantile() -> None:
    mean, covariance = np.array([1.0, 20.0]), np.array([[4.0, 3.0], [3.0, 9.0]])
    away = Ellipse("A", "", mean, covariance).points() - mean
    form = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
    assert form == pytest.approx(chi2.ppf(0.95, 2))
    flat = Ellipse("A", "", mean, np.zeros((2, 2))).points()
    assert flat == pytest.approx(np.tile(mean, (len(flat), 1)))


def test_bars_of_ratios_are_in_proportion_and_carry_their_intervals() -> None:
    labels, nothing = ("a", "b", "c"), (np.nan, np.nan)
    images = ((80.0, 100.0), (45.0, 55.0), nothing)
    shape = IntervalBars(labels, (90.0, 50.0, 20.0), images, ((70.0, 95.0), nothing, nothing), 1, "IS/|AS|")
    lines = lines_of(shape, 121, 9)
    start, room = lines[0].index("0"), 121 - lines[0].index("0")
    assert lines[0].split() == ["0", "IS/|AS|", "100"]

    def value(column: int) -> float:
        return 100 * (column - start) / (room - 1)

    first, second, under, last = lines[1], lines[3], lines[2], lines[5]
    assert [value(first.index(sign)) for sign in "[*]"] == pytest.approx([80, 90, 100], abs=0.51)
    assert [value(second.index(sign)) for sign in "[*]"] == pytest.approx([45, 50, 55], abs=0.51)
    assert [value(under.index(sign)) for sign in "()"] == pytest.approx([70, 95], abs=0.51)
    assert value(last.index("*")) == pytest.approx(20, abs=0.51)
    assert last.count("#") == last.index("*") - start
    assert [line[0] for line in lines[1:]] == [" ", " ", ">", " ", " ", " "]
    assert [line.split()[1] for line in (first, last)] == ["90.0", "20.0"]
    assert len(lines_of(shape, 121, 6)) == 4  # no room for the second lines


def test_an_even_distribution_is_drawn_even_and_classes_are_taken_from_first_to_last() -> None:
    curves = np.stack([PERCENT * 10 - k for k in range(100)])
    shape = Densities(tuple(f"class {k}" for k in range(100)), (("AS", curves),), -1)
    lines = lines_of(shape, 60, 11)
    assert [int(line.split()[1]) for line in lines[1:]] == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    alone = lines_of(Densities(("one",), (("AS", PERCENT[None] * 10),), 0), 60, 5)[1]
    assert set(alone[alone.index("+5.00") + 6 :]) == {"@", "|"}


def test_singular_values_stand_on_a_true_logarithmic_axis_with_the_cut() -> None:
    values = np.array([100.0, 30.0, 10.0, 1e-3, 1e-4])
    shape = Curves(np.arange(1.0, 6), (("o", "head", values),), "position", "value", True, 0.01)
    lines = lines_of(shape, 60, 30)
    read = {}
    for y, line in enumerate(lines):
        if match := re.match(r" *([-\d.e]+)\+", line):
            read[y] = np.log10(float(match[1]))
    slope, start = np.polyfit(list(read), list(read.values()), 1)
    rows = [y for y, line in enumerate(lines[:-2]) if "o" in line and y > 0]
    assert [start + slope * y for y in rows] == pytest.approx(np.log10(values), abs=abs(slope))
    cut = next(y for y, line in enumerate(lines[:-3]) if line.count("-") > 20)
    assert start + slope * cut == pytest.approx(-2, abs=abs(slope))


def test_parts_of_one_sign_add_up_and_others_stand_on_both_sides() -> None:
    shape = StackedBars(("same", "turned", "both"), (4.0, -6.0, 2.0), (2.0, -2.0, -4.0), 2, ("common", "specific"))
    lines = lines_of(shape, 100, 9)
    zero = lines[1].index("|")
    half = (100 - zero) - 1
    assert "# common = specific" in lines[0]
    scale = half / 8
    wanted = ((0, 0, 4, 2), (6, 2, 0, 0), (0, 4, 2, 0))
    for line, lengths in zip(lines[1:], wanted, strict=True):
        left, right = line[zero - half : zero], line[zero + 1 :]
        counted = left.count("#"), left.count("="), right.count("#"), right.count("=")
        assert counted == pytest.approx([length * scale for length in lengths], abs=1)
    assert lines[1][zero + 1] == "#"  # the common part stands next to zero
    assert lines[2][zero - 1] == "#"
    assert ["+6.00" in lines[1], "-8.00" in lines[2], "-2.00" in lines[3]] == [True] * 3
    assert [line[0] for line in lines[1:]] == [" ", " ", ">"]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_violin_is_flat_for_even_values_and_high_where_they_crowd(glyphs) -> None:
    even, crowded = np.linspace(-2, 2, 21), np.array([*np.linspace(0, 1, 11), *np.linspace(1.2, 11, 10)])
    first, second = lines_of(Violins(("AS", "IS"), (even, crowded)), 60, 9, glyphs)
    assert len(first) == len(second) == 60
    assert first.startswith("AS    -2.00 ")
    assert first.endswith("    +2.00")
    strip, packed = first[12:-9], second[12:-9]
    assert set(strip) == {glyphs.density[-1], "|"}
    assert abs(strip.index("|") - len(strip) / 2) <= 1
    heights = [glyphs.density.find(sign) for sign in packed]
    assert packed.index("|") == len(packed) // 11
    assert max(heights) == heights[0] > 3 * max(heights[len(packed) // 5 :])


def test_a_violin_of_one_value_or_no_room_is_no_error() -> None:
    same = Violins(("AS",), (np.zeros(21),))
    assert lines_of(same, 60, 3, UNICODE)[0].split()[1] == "0.00"
    assert lines_of(same, 20, 3, UNICODE) == lines_of(same, 60, 0, UNICODE) == []


def test_bars_are_written_in_the_format_of_their_numbers() -> None:
    shares = Bars(("one", "other"), (0.5, -0.25), "percent")
    first, second = lines_of(shares, 60, 5)
    assert first.split()[:2] == ["one", "50.0%"]
    assert second.split()[:2] == ["other", "-25.0%"]
    assert first.count("#") == 2 * second.count("#")
    large = lines_of(Bars(("images",), (1_281_167.0,), "count"), 60, 5)[0]
    assert "1,281,167 " in large
    assert "#" in large
    assert "#" not in lines_of(Bars(("angle", "none"), (10.0, 1_281_167.0)), 60, 5)[1]  # no angle is so large


def test_pairs_of_other_numbers_than_angles_have_their_own_axis() -> None:
    lines = lines_of(Pairs(("loss",), (2e-5,), (4e-5,), 0, format="any size"), 70, 5)
    assert lines[0].split()[0] == "2.00e-05"
    assert lines[0].endswith("4.00e-05")
    assert lines[1].index("o") < lines[1].index("*")


def test_a_scatter_needs_no_ellipse() -> None:
    at = np.linspace(0, 1, 30)
    lines = lines_of(Scatter(at, at**2, "share", "squared share", format="percent"), 60, 20)
    assert "share" in lines[-1]
    assert any("." in line for line in lines)
    nothing = np.full(3, np.nan)
    assert lines_of(Scatter(nothing, nothing, "x", "y"), 60, 20) == []
    assert lines_of(Histogram(nothing, "x"), 60, 20) == []


def test_a_histogram_counts_what_it_says() -> None:
    lines = lines_of(Histogram(np.repeat([1.0, 2.0, 3.0], (5, 10, 2)), "angle", "rows"), 60, 20)
    assert "angle" in lines[-1]
    columns = np.array([[cell == "#" for cell in line.ljust(60)] for line in lines[:-3]]).sum(axis=0)
    assert columns.max() == columns[20:45].max() > 1.5 * columns[:15].max()


HOSTILE = "red\x1b[31m\n" + "ネコ" * 9
AT = np.linspace(1, 2, 21)


@pytest.mark.parametrize(
    "shape",
    [
        Pairs((HOSTILE,), (1.0,), (2.0,), 0, (HOSTILE, HOSTILE), HOSTILE),
        Bars((HOSTILE,), (1.0,)),
        StackedBars((HOSTILE,), (1.0,), (2.0,), 0, (HOSTILE, HOSTILE)),
        IntervalBars((HOSTILE,), (1.0,), ((0.5, 1.5),), ((0.5, 1.5),), 0, HOSTILE),
        Violins((HOSTILE,), (AT,)),
        Densities((HOSTILE,), ((HOSTILE, AT[None]),), 0),
        Curves(AT, (("a", HOSTILE, AT), ("b", HOSTILE, AT)), HOSTILE, HOSTILE),
        Histogram(AT, HOSTILE, HOSTILE),
        Scatter(
            AT,
            AT,
            HOSTILE,
            HOSTILE,
            Ellipse("A", HOSTILE, np.ones(2), np.eye(2)),
            (Ellipse("B", HOSTILE, np.ones(2), np.eye(2)),),
        ),
    ],
    ids=lambda shape: type(shape).__name__,
)
@pytest.mark.parametrize("glyphs", [ASCII, UNICODE])
def test_names_from_a_file_are_drawn_harmless_and_in_their_width(shape: Shape, glyphs: Glyphs) -> None:
    for width, height in ((110, 20), (70, 12)):
        lines = lines_of(shape, width, height, glyphs)
        assert lines
        assert max(map(cell_len, lines)) <= width
        assert not any(sign in line for line in lines for sign in ("\x1b", "\n"))
        assert glyphs is UNICODE or all(line.isascii() for line in lines)
