"""The numbers of figures: those of the explorer's exports, and those that are drawn."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_figures import drawn
from matplotlib.patches import Rectangle
from stores import write_store
from tower_figures import BEST

from sing_compute.charts.shapes import Curves, Densities, IntervalBars, Pairs, Panels, Scatter, StackedBars
from sing_compute.figures.cards import Cards
from sing_compute.figures.choosing import Choice, chosen_classes, chosen_heads, chosen_models
from sing_compute.figures.contents import KINDS, figures
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.plots import DOTS
from sing_compute.figures.rows import density
from sing_compute.store import Store, class_table
from sing_compute.table_text import WholeTable, write_rows
from sing_tui.cli import main

HEAD = ["--table", "vectors", "--at", "tower=clip"]
EXPORTS = {
    "models": ["--table", "models"],
    "scatter": ["--table", "models", "--chart", "scatter"],
    "ratios": ["--table", "models", "--chart", "ratios"],
    "parts": ["--table", "models", "--chart", "parts"],
    "translator": ["--table", "models"],
    "violins-alpha": ["--model", "alpha", "--table", "classes", "--chart", "distributions"],
    "strings-alpha-cat": ["--model", "alpha", "--class", "cat", "--table", "concepts", "--chart", "strings"],
    "strings-alpha-dog": ["--model", "alpha", "--class", "dog", "--table", "concepts", "--chart", "strings"],
    "strings-alpha-owl": ["--model", "alpha", "--class", "owl", "--table", "concepts", "--chart", "strings"],
    "validation-alpha": ["--model", "alpha", "--table", "classes", "--chart", "validation"],
    "spectrum-alpha": ["--model", "alpha", "--table", "classes", "--chart", "spectrum"],
    "words-alpha": ["--model", "alpha", "--table", "null_modes"],
    "directions-alpha": ["--model", "alpha", "--table", "directions"],
    "directions-beta": ["--model", "beta", "--table", "directions"],
    "pictures-alpha": ["--model", "alpha", "--table", "pairs"],
    "heads-clip-layer_1-head_0": [*HEAD, "--at", "layer=1", "--at", "head=0"],
    "heads-clip-layer_0-head_0": [*HEAD, "--at", "layer=0", "--at", "head=0"],
    "heads-clip-layer_0-head_1": [*HEAD, "--at", "layer=0", "--at", "head=1"],
}
"""The command line of `sing-tui` that exports the numbers of each figure."""


@pytest.mark.parametrize("name", EXPORTS)
def test_the_csv_of_a_figure_is_the_explorers_export(
    name: str, whole_path: Path, found: dict[str, PaperFigure]
) -> None:
    target = io.StringIO(newline="")
    write_rows(WholeTable(found[name].table), target)
    named = target.getvalue().splitlines()[0]  # an export of all columns has those that the explorer adds, too
    columns = [] if "--chart" in EXPORTS[name] else ["--columns", named]
    export = CliRunner().invoke(main, [str(whole_path), *EXPORTS[name], *columns, "--csv", "-"])
    assert export.exit_code == 0, export.output
    assert target.getvalue() == export.stdout
    assert target.getvalue().count("\n") > 1


def test_every_kind_of_figure_is_compared_and_none_is_left_out(found: dict[str, PaperFigure]) -> None:
    assert set(found) == {*EXPORTS, "steering-alpha"}  # test_steering_figure.py compares it
    assert {name.partition("-")[0] for name in found} == {kind.name for kind in KINDS}


def test_the_page_of_figures_names_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    assert all(f"\n| `{kind.name}" in page for kind in KINDS)


def test_violins_hold_the_stored_percentiles(found: dict[str, PaperFigure]) -> None:
    shape = found["violins-alpha"].shape
    assert isinstance(shape, Densities)
    figure = drawn(shape, "page")
    for axes, (_, curves) in zip(figure.axes, shape.scores, strict=True):
        medians = next(line for line in axes.lines if line.get_marker() == "|")
        assert medians.get_xdata().tolist() == curves[:, 10].tolist()
        halves = [part for part in axes.collections if part.__class__.__name__ == "LineCollection"]
        ends = [part.get_segments()[0][:, 0].tolist() for part in halves]
        assert ends == [pytest.approx([curve[5], curve[15]]) for curve in curves]
        bodies = [part for part in axes.collections if part not in halves]
        for row, (body, curve) in enumerate(zip(bodies, curves, strict=True)):
            outline = body.get_paths()[0].vertices
            assert outline[:, 0].min() == pytest.approx(curve[0])
            assert outline[:, 0].max() == pytest.approx(curve[20])
            assert np.abs(outline[:, 1] - row).max() == pytest.approx(0.42)


def test_a_violin_is_as_high_as_values_are_dense() -> None:
    places, heights = density(np.linspace(0, 20, 21))
    assert (places[0], places[-1]) == (0, 20)
    assert heights[13:-13] == pytest.approx(1)  # even
    skewed = np.append(np.linspace(0, 1, 20), 30)
    places, heights = density(skewed)
    assert places[heights.argmax()] <= 1
    assert heights[places > 5].max() < 0.1
    assert density(np.full(21, 3.0))[1].max() == 1  # all the same


def test_pairs_are_drawn_in_the_order_of_the_table(found: dict[str, PaperFigure]) -> None:
    shape = found["strings-alpha-cat"].shape
    assert isinstance(shape, Pairs)
    assert len(shape.labels) > 24
    assert "Drawn are 24 of" in found["strings-alpha-cat"].reading
    axes = drawn(shape).axes[0]
    before, after = axes.lines
    assert before.get_xdata().tolist() == list(shape.first[:24])
    assert after.get_xdata().tolist() == list(shape.second[:24])
    assert [text.get_text() for text in axes.get_yticklabels()] == list(shape.labels[:24])
    assert axes.yaxis_inverted()
    assert axes.get_xlabel() == "angle to the concept, degrees"


def test_ratio_bars_have_both_intervals(found: dict[str, PaperFigure]) -> None:
    shape = found["ratios"].shape
    assert isinstance(shape, IntervalBars)
    axes = drawn(shape).axes[0]
    assert [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)] == list(shape.values)
    (segments,) = [part.get_segments() for part in axes.collections]
    assert [tuple(segment[:, 0]) for segment in segments] == [pytest.approx(pair) for pair in shape.intervals]
    classes = drawn(replace(shape, others=((1.0, 2.0), (np.nan, np.nan)))).axes[0].collections[1]
    assert [segment[:, 0].tolist() for segment in classes.get_segments()] == [[1, 2]]
    numbers = [text.get_text() for text in axes.texts]
    assert numbers == [f"{value:#.3g}" for value in shape.values]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["95 % over images", "95 % over classes"]


def test_scatter_draws_the_ellipses_and_an_even_choice_of_dots(found: dict[str, PaperFigure]) -> None:
    shape = found["scatter"].shape
    assert isinstance(shape, Scatter)
    lines = drawn(shape).axes[0].lines
    assert lines[0].get_xdata().tolist() == shape.x.tolist()
    assert lines[0].get_ydata().tolist() == shape.y.tolist()
    ellipses = [line for line in lines if len(line.get_xdata()) == 120]
    for line, one in zip(ellipses, (shape.ellipse, *shape.others), strict=True):
        assert one is not None
        assert line.get_xydata() == pytest.approx(one.points())
    many = Scatter(np.arange(3 * DOTS) / 100, np.arange(3 * DOTS) / 50, "x", "y")
    assert drawn(many).axes[0].lines[0].get_xdata().tolist() == many.x[::3].tolist()


def test_perturbations_and_singular_values_are_drawn_as_they_are(found: dict[str, PaperFigure]) -> None:
    for name in ("validation-alpha", "spectrum-alpha"):
        shape = found[name].shape
        assert isinstance(shape, Panels)
        for axes, part in zip(drawn(shape, "page").axes, shape.parts, strict=True):
            assert isinstance(part, Curves)
            for line, (_, label, values) in zip(axes.lines, part.series, strict=False):
                assert line.get_label() == label or len(part.series) == 1
                assert line.get_xdata().tolist() == part.x.tolist()
                assert line.get_ydata().tolist() == values.tolist()
            assert axes.get_yscale() == ("log" if part.logarithmic else "linear")


def test_stacked_parts_of_one_sign_follow_each_other_and_others_part_at_zero() -> None:
    shape = StackedBars(("a", "b", "c"), (2.0, -1.0, np.nan), (1.0, 3.0, 1.0), -1, ("common", "own"))
    bars = drawn(shape).axes[0].patches
    assert [bar.get_x() for bar in bars[:2]] == [0, 0]
    assert [bar.get_width() for bar in bars[:2]] == [2, -1]
    assert [(bar.get_x(), bar.get_width()) for bar in bars[3:5]] == [(2, 1), (0, 3)]
    assert [text.get_text() for text in drawn(shape).axes[0].texts] == ["+3.00", "+2.00", "–"]


def test_cards_show_strength_and_words(found: dict[str, PaperFigure]) -> None:
    best = found["heads-clip-layer_{}-head_{}".format(*BEST)]
    assert isinstance(best.shape, Cards)
    assert best.shape.values == (8, 6, 4)
    axes = drawn(best.shape).axes[0]
    widths = np.array([bar.get_width() for bar in axes.patches])
    assert widths / widths[0] == pytest.approx([1, 0.75, 0.5])
    texts = [text.get_text() for text in axes.texts]
    assert texts[0] == "singular value"
    assert texts[1:7] == ["vector 0", "8.00", "+", "red 0.75, a $name$ | with, signs 0.25", "−", "round 0.75, red 0.25"]


def test_directions_are_beside_chance_the_largest_share_first(found: dict[str, PaperFigure]) -> None:
    shape = found["directions-alpha"].shape
    assert isinstance(shape, Pairs)
    table = found["directions-alpha"].table
    share = table.column("null_share").values.all()
    assert list(shape.second) == sorted(share[np.isfinite(share)], reverse=True)
    assert set(shape.first) == {0.5}
    assert "beside the median of directions with the covariance of the features (50.0%): 1 of 2 are above it" in (
        found["directions-alpha"].reading
    )


def test_the_rule_takes_the_classes_that_leak_most_and_the_model_of_the_largest_score_over_its_control(
    whole: Store,
) -> None:
    table = class_table(whole, "alpha")
    shifts = np.abs(whole.array("models/alpha/concepts/attribute_score_centred")).max(1)
    assert table.ids is not None
    ranked = sorted(table.ids.tolist(), key=lambda index: -shifts[index])
    assert chosen_classes(whole, "alpha", Choice(), 2) == ranked[:2]
    assert chosen_classes(whole, "alpha", Choice(classes=("owl", "0", "owl")), 2) == [2, 0]
    assert chosen_models(whole, Choice(models=("beta",))) == ["beta"]
    summary = {name: whole.summary(name) for name in whole.models}
    assert chosen_models(whole, Choice()) == [
        max(summary, key=lambda n: summary[n]["attribute_score_abs_over_control"])
    ]
    assert (chosen_heads(whole)[0]["layer"], chosen_heads(whole)[0]["head"]) == BEST


def test_chosen_models_and_classes(whole: Store) -> None:
    made = figures(whole, Choice(("alpha", "beta"), ("owl",)), ["strings", "scatter", "directions"])
    assert [each.name for each in made] == [
        *("scatter", "strings-alpha-owl", "strings-beta-owl", "directions-alpha", "directions-beta"),
    ]


def test_many_classes_get_the_violins_of_the_rule_and_the_table_keeps_all(tmp_path: Path) -> None:
    names = [f"class {k}" for k in range(30)]
    path = write_store(tmp_path / "many.h5", models=("one",), class_names=names, images_per_class=(4,) * 30, concepts=8)
    with Store(path) as store:
        (made,) = figures(store, Choice(), ["violins"])
        wanted = {names[index] for index in chosen_classes(store, "one", Choice(), 20)}
    assert isinstance(made, PaperFigure)
    assert isinstance(made.shape, Densities)
    assert set(made.shape.labels) == wanted
    assert made.table.length == 30
    medians = made.shape.scores[0][1][:, 10]
    assert (np.diff(medians) <= 0).all()
    assert "Drawn are the 20 classes that leak most." in made.reading
