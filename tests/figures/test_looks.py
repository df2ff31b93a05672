"""The look of figures: sizes, fonts, texts that neither overlap nor leave the figure, on files of every kind."""

import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase

import h5py
import numpy as np
import pytest
from drawn_figures import drawn, faults, texts_of
from matplotlib.figure import Figure
from stores import write_store

from sing_compute.charts.shapes import (
    Bars,
    Curves,
    Densities,
    Ellipse,
    Histogram,
    IntervalBars,
    Pairs,
    Panels,
    Scatter,
    StackedBars,
    Violins,
)
from sing_compute.figures import contents
from sing_compute.figures.choosing import Choice
from sing_compute.figures.contents import Absent, figures
from sing_compute.figures.drawing import left_out
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.latex import latex_table, latex_text
from sing_compute.figures.output import print_bytes, svg_text
from sing_compute.figures.rows import rows_drawn
from sing_compute.figures.style import INCH, WIDTHS
from sing_compute.store import Store, class_table
from sing_compute.store.columns import Column, Values

HOSTILE = (
    "$\\frac{x}{0}$",
    "x" * 255,
    "<script>alert(1)</script>",
    "\u202eabc\u202d",
    "=1+1",
    "ネコ科の動物たち" * 4,
    "\\input{x}",
    "e" + "\u0301" * 250,
)


def of_file(path: Path, *only: str) -> list[PaperFigure]:
    with Store(path) as store:
        return [each for each in figures(store, Choice(), only) if isinstance(each, PaperFigure)]


@pytest.fixture(scope="module")
def hostile_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "hostile.h5"
    models = ("<b>$x_1$", "m" * 255, "ネコ")
    return write_store(path, models=models, class_names=HOSTILE, images_per_class=(2,) * len(HOSTILE), concepts=8)


def test_no_text_leaves_a_figure_or_overlaps_another(found: dict[str, PaperFigure]) -> None:
    alike = ("strings-alpha-dog", "strings-alpha-owl", "heads-clip-layer_0-head_0", "heads-clip-layer_0-head_1")
    wide = ("validation-alpha", "violins-alpha", "spectrum-alpha")
    for name, each in found.items():
        if each.shape is not None and name not in alike:
            for width in WIDTHS if name == "scatter" else (("column", "page")[name in wide],):
                assert faults(drawn(each.shape, width)) == [], (name, width)


def test_texts_over_each_other_would_be_found() -> None:
    figure = drawn(Bars(("one", "two"), (1.0, 2.0)))
    assert faults(figure) == []
    figure.axes[0].text(1, 0, "here")
    figure.axes[0].text(1.01, 0, "there")
    figure.text(0.99, 0.5, "far away")
    assert faults(figure) == ["'far away' leaves the figure", "'here' is over 'there'"]


def test_hostile_names_are_drawn_as_plain_text(hostile_path: Path) -> None:
    for each in of_file(hostile_path, "scatter", "translator", "violins"):
        assert each.shape is not None
        figure = drawn(each.shape)
        assert faults(figure) == []
        written = "".join(text.get_text() for text in texts_of(figure))
        assert "\u202e" not in written
        assert not any(text.get_parse_math() for text in texts_of(figure))
        assert re.fullmatch(r"[A-Za-z0-9_-]+", each.name)
        assert len(each.reading) < 600
        if each.name.startswith("violins"):
            assert "$\\frac{x}{0}$" in written
            assert "xxx…" in written


def test_hostile_names_are_harmless_in_svg(hostile_path: Path) -> None:
    (each,) = of_file(hostile_path, "violins")
    assert each.shape is not None
    text = svg_text(each.shape, name="violins", title=HOSTILE[2], description=each.reading + '"&]]>')
    assert "<script" not in text
    root = ElementTree.fromstring(text)  # well-formed
    assert root.find("{http://www.w3.org/2000/svg}title").text == HOSTILE[2]


def test_latex_has_every_sign_escaped(hostile_path: Path) -> None:
    assert latex_text('a_b^c%&#~{}\\$|<>*"[') == (
        r"a\_b\textasciicircum{}c\%\&\#\textasciitilde{}\{\}\textbackslash{}\$\textbar{}\textless{}\textgreater{}{*}{\char34}{[}"
    )
    with Store(hostile_path) as store:
        lines = latex_table(class_table(store, store.models[0]), ("class", "attribute_score_q50")).splitlines()
    rows = dict(line.removesuffix(r" \\").split(" & ") for line in lines[5:-2])
    assert rows.keys() == {latex_text(name) for name in HOSTILE}
    assert all(re.fullmatch(r"(\+|\$-\$)\d+\.\d\d( \{\[\}.*\{\]\})?", number) for number in rows.values())
    assert lines[1:4] == [r"\begin{tabular}{@{}lr@{}}", r"\toprule", r"class & AS (\textdegree{}) \\"]
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]


def test_numbers_of_latex_have_minus_signs_and_powers_and_intervals(found: dict[str, PaperFigure]) -> None:
    each = found["models"]
    text = latex_table(each.table, (*each.columns, "logit_change_max"))
    ratio, low, high = (each.table.column(f"ratio_images{end}").values.all()[0] for end in ("", "_low", "_high"))
    assert f" & {ratio:#.3g} {{[}}{low:#.3g}, {high:#.3g}{{]}} & " in text
    assert re.search(r"\$\d\.\d\d\\times10\^\{-\d+\}\$", text)


@pytest.mark.parametrize("count", [1, 1000])
def test_one_item_or_a_thousand_stay_readable(count: int) -> None:
    labels = tuple(f"an item of some length {k}" for k in range(count))
    values = np.linspace(9, 1, count)
    curves = values[:, None] + np.linspace(-5, 5, 21)
    ends = tuple((value - 0.5, value + 0.5) for value in values.tolist())
    numbers = tuple(values.tolist())
    for shape in (
        Densities(labels, (("AS", curves),), -1),
        IntervalBars(labels, numbers, ends, ends, -1, "IS/|AS|"),
    ):
        figure = drawn(shape)
        assert faults(figure) == []
        assert figure.get_figheight() <= 230 / INCH
        assert bool(left_out(shape)) == (count > 1)
    around = StackedBars(labels, numbers, numbers, 700 if count > 700 else -1, ("common", "image-specific"))
    assert len(rows_drawn(around)) == min(count, 24)
    assert count == 1 or 700 in rows_drawn(around)


def test_only_ellipses_that_have_a_name_are_drawn(whole: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = figures(whole, Choice(), ["scatter"])
    assert isinstance(made, PaperFigure)
    assert isinstance(made.shape, Scatter)
    many = replace(
        made.shape, others=tuple(replace(made.shape.others[0], letter=letter) for letter in ascii_uppercase[1:20])
    )
    for width in WIDTHS:
        assert len(legend_texts(drawn(many, width))) == 20
        assert faults(drawn(many, width)) == []
    monkeypatch.setattr(contents, "_ELLIPSES", 1)
    (made,) = figures(whole, Choice(), ["scatter"])
    assert isinstance(made, PaperFigure)
    assert isinstance(made.shape, Scatter)
    assert made.shape.others == ()
    assert made.reading.endswith("Drawn are the ellipses of 1 of 2 models.")


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_damaged_numbers_are_left_out(whole_path: Path, tmp_path: Path) -> None:
    path = shutil.copy(whole_path, tmp_path / "damaged.h5")
    with h5py.File(path, "r+") as file:
        for name in ("attribute_score_curve", "image_score_curve"):
            file[f"models/alpha/classes/{name}"][0] = np.nan
        file["models/alpha/concepts/angle_after"][:, ::2] = np.inf
        file["models/alpha/summary/ratio_images"][...] = np.nan
        file["models/alpha/controls/logit_change"][0] = 1e300
        file["models/alpha/spectrum/singular_value"][::2] = np.nan
        file["towers/clip/vectors/value"][...] = np.inf
        file["models/alpha/directions/null/share"][0] = np.nan
    made = {
        each.name: each for each in of_file(path, "violins", "strings", "ratios", "validation", "spectrum", "heads")
    }
    assert {"violins-alpha", "strings-alpha-dog", "ratios", "validation-alpha", "spectrum-alpha"} <= made.keys()
    for name, each in made.items():
        assert each.shape is not None
        if not name.startswith(("heads-clip-layer_0", "strings-alpha-o", "strings-alpha-c")):
            assert faults(drawn(each.shape)) == [], name
    violins = made["violins-alpha"].shape
    assert isinstance(violins, Densities)
    assert violins.labels == ("dog", "owl") or violins.labels == ("owl", "dog")


def test_a_file_without_scores_says_why_it_has_no_figures(tmp_path: Path) -> None:
    with Store(write_store(tmp_path / "bare.h5", models=("vgg",), null_space=False)) as store:
        made = list(figures(store, Choice()))
    reasons = {each.name: each.reason for each in made if isinstance(each, Absent)}
    assert [each.name for each in made if isinstance(each, PaperFigure)] == ["models", "spectrum-vgg"]
    assert reasons["heads"] == "the file holds no heads analysis (sing-compute heads)"
    assert reasons["scatter"] == "this file holds no scores of vgg: its head has no null space"
    assert len(reasons) == 12
    assert all("\n" not in reason for reason in reasons.values())


def test_shapes_of_other_charts_are_drawn_too() -> None:
    curve = np.linspace(1, 9, 21)
    histogram = Histogram(np.array([1.0, 2.0, 2.0, np.nan]), "IS")
    shapes = (
        Violins(("a", "b"), (curve, -curve)),
        histogram,
        Panels((Bars(("x",), (1.0,)), histogram)),
        Panels((Scatter(curve, curve, "x", "y", Ellipse("A", "one", np.ones(2), np.eye(2))), Bars(("x",), (1.0,)))),
        Panels((Curves(np.arange(3.0), (("a", "one", np.arange(3.0)), ("b", "two", np.ones(3))), "x", "y"), histogram)),
        Pairs(("nothing",), (np.nan,), (np.nan,), -1),
    )
    for shape in shapes:
        assert faults(drawn(shape)) == []
    assert sum(bar.get_height() for bar in drawn(histogram).axes[0].patches) == 3


def test_print_has_the_width_asked_for_and_embedded_fonts() -> None:
    found = print_bytes(Bars(("one", "two"), (1.0, -2.0)), WIDTHS["column"])
    assert found == print_bytes(Bars(("one", "two"), (1.0, -2.0)), WIDTHS["column"])
    width = int.from_bytes(found["png"][16:20])
    assert width == pytest.approx(84 / INCH * 300, abs=1)
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", found["pdf"])
    assert box is not None
    assert float(box[1]) == pytest.approx(84 / INCH * 72, abs=0.1)
    assert b"/FontFile2" in found["pdf"]  # TrueType, embedded
    assert b"/Subtype /Type3" not in found["pdf"]
    assert b"CreationDate" not in found["pdf"]


def test_svg_is_the_same_each_time_and_its_names_are_its_own() -> None:
    shape = Bars(("one", "two"), (1.0, -2.0))

    def made(name: str) -> str:
        return svg_text(shape, name=name, title="Two bars", description="One is 1, two is -2 degrees.")

    text = made("first")
    assert text == made("first")
    assert not re.search(r"\d{4}-\d\d-\d\d", text)
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    assert ids
    assert ids.isdisjoint(re.findall(r'\bid="([^"]+)"', made("second")))
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    assert used
    assert used <= ids
    assert text.startswith("<svg ")
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert set(str(root.get("aria-labelledby")).split()) <= ids
    assert not re.search(r'https?://(?!www\.w3\.org/)|<script|<style[^>]*>[^<]*@import|\bon\w+="', text)


def test_long_text_is_wrapped_in_latex_but_never_the_first_column(found: dict[str, PaperFigure]) -> None:
    words = found["words-alpha"]
    table = replace(words.table, columns=[_lengthened(column) for column in words.table.columns])
    sides = latex_table(table, words.columns).splitlines()[1]
    texts = [words.table.column(name).is_text for name in words.columns]
    assert (
        sides == r"\begin{tabular}{@{}l" + "".join(r"p{.3\linewidth}" if text else "r" for text in texts[1:]) + "@{}}"
    )


def _lengthened(column: Column) -> Column:
    return replace(column, values=Values(np.array(["long " * 20] * len(column.values)))) if column.is_text else column


def test_equal_numbers_of_a_pair_are_a_ring_around_a_dot_and_lines_at_zero_have_nothing_below() -> None:
    pair = drawn(Pairs(("one",), (2.0,), (2.0,), -1)).axes[0]
    ring, dot = (line.get_markersize() for line in pair.lines if line.get_marker() == "o")
    assert ring > dot + 1
    flat = Curves(np.arange(3.0), (("A", "null", np.zeros(3)),), "length", "flips")
    assert drawn(flat).axes[0].get_ylim() == (-0.05, 1.0)
    near = Curves(np.arange(3.0), (("A", "value", np.array([5.3, 8.0, 13.9])),), "position", "value", True)
    low, high = drawn(near).axes[0].get_ylim()
    assert sum(low <= tick <= high for tick in drawn(near).axes[0].get_yticks()) >= 3
