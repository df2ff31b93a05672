"""The details of SING's rows: controls, order, spectrum and spread, read off planted numbers."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from planted_numbers import write_planted
from rich.cells import cell_len
from rich.style import Style

from sing_compute.charts.shapes import Bars, Histogram, Pairs
from sing_compute.store import Comparison, Place, Store, open_table
from sing_tui.details import Detail, detail_of
from sing_tui.view import Arrangement, arrange
from sing_tui.widgets.details_pane import DetailsPane

MODELS, CLASSES = Place("models"), Place.of("classes", model="alpha")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_planted(tmp_path / "results.h5", groups=("in", "out"))


def detail(path: Path, place: Place, line: int = 0) -> Detail:
    with Store(path) as store:
        return detail_of(store, place, arrange(open_table(store, place), Arrangement()), line)


def facts(path: Path, place: Place = MODELS, line: int = 0) -> dict[str, str]:
    return dict(detail(path, place, line).facts)


def test_the_order_of_models_is_told_at_three_penalties_with_certainty(path: Path) -> None:
    found = facts(path)
    assert found["IS/|AS| at 0.1 lambda"] == "1.00, 3 of 3, 75% below gamma"
    assert found["IS/|AS| at lambda"] == "3.00, 1 of 3, 98% above gamma"
    assert found["IS/|AS| at 10 lambda"] == "2.00, 2 of 2, 60% below beta"
    assert "IS/|AS| at 10 lambda" not in facts(path, line=2)


def test_controls_perturbations_probe_and_spectrum_are_facts_of_a_model(path: Path) -> None:
    found = facts(path)
    assert found["removed: random subspace"].endswith("norm 0.90 flips 44.1%")
    assert found["removed: null space"].endswith("norm 0.74 flips 0.0%")
    assert found["logits, principal step"] == "move 0.4 of the spread, flips 20.0%"
    assert found["labels without CLIP"] == "null 55.0%, principal 85.0%, chance 69.8%"
    assert found["null direction 1"] == "12.3: to concept 7, concept 3; from concept 1"
    assert found["by energy=0.99"] == "nullity 12, flips 5.0%"
    with h5py.File(path) as file:
        correlation = file["comparison/accuracy_correlation"][()]
    assert found["accuracy and T(f~)"].startswith(f"correlation {correlation:+.3f}")
    assert found["median IS"] == "11.70 degrees, images [9.25 to 12.50]"
    with Store(path) as store:
        pairs = store.summary("alpha")["significant"]
    assert found["beyond chance"] == f"{pairs} of 120 class x concept pairs (q < .05)"


def test_a_class_shows_control_interval_and_spread(path: Path) -> None:
    found = facts(path, CLASSES)
    assert "[" in found["IS"]
    assert {"IS control", "IS /control", "|AS| control"} <= found.keys()
    assert [curve[0] for curve in detail(path, CLASSES).strip.curves] == [-2.0, 1.0]
    assert detail(path, CLASSES.at(subset=1)).strip is None


def test_a_class_says_its_leak_and_by_which_concept(path: Path) -> None:
    with h5py.File(path) as file:
        base = file["models/alpha/concepts"]
        centred, names = base["attribute_score_centred"][0], file["concepts/name"].asstr()[:]
        at = int(np.abs(centred).argmax())
        mark = " *" if base["q"][0, at] < 0.05 else ""
    assert facts(path, CLASSES)["leak"] == f"{abs(centred[at]):.2f} degrees by {names[at]}{mark}"


@pytest.mark.parametrize("subset", range(5))
def test_the_scores_of_a_class_are_those_of_the_subset(path: Path, subset: int) -> None:
    with h5py.File(path) as file:
        scores = file["models/alpha/images/attribute_score"][:30]
        correct = file["models/alpha/images/prediction"][:30] == 0
        group = file["images/group"][:30]
        name = file["subsets/name"].asstr()[subset]
    wanted = scores[[np.full(30, True), correct, ~correct, group == 0, group == 1][subset]]
    found = detail(path, CLASSES.at(subset=subset))
    assert isinstance(found.shape, Histogram)
    assert found.shape.values.tolist() == wanted.tolist()
    which = f" ({name})" if subset else ""
    assert found.reading.startswith(f"AS of {len(wanted)} images{which}: {np.mean(wanted > 0):.0%} come nearer")


def test_the_percentiles_of_a_class_are_one_fact(path: Path) -> None:
    with h5py.File(path) as file:
        base = file["models/alpha/classes"]
        wanted = [f"{base[f'attribute_score_q{q}'][0, 0]:+.2f}" for q in ("05", "25", "50", "75", "95")]
    assert facts(path, CLASSES)["AS 5 25 50 75 95%"] == " ".join(wanted)


def test_a_concept_shows_its_angles_among_those_around_it(path: Path) -> None:
    place = Place.of("concepts", model="alpha", **{"class": 1})
    found = detail(path, place, 3)
    assert found.title == "concept 3"
    assert isinstance(found.shape, Pairs)
    assert found.shape.labels[found.shape.chosen] == "concept 3"
    told = dict(found.facts)
    with h5py.File(path) as file:
        q = file["models/alpha/concepts/q"][1, 3]
        prompt = file["concepts/prompt"].asstr()[3]
    assert told["q < 0.05"] == ("yes" if q < 0.05 else "no")
    assert told["prompt"] == prompt
    assert "*" not in told


def test_an_image_shows_the_nearest_images_and_the_concepts_that_move_most(path: Path) -> None:
    place = Place.of("images", model="alpha", **{"class": 1})
    found = detail(path, place, 2)
    with h5py.File(path) as file:
        row = 30 + 2
        keys = file["images/key"].asstr()
        nearest = [keys[k] for k in file["models/alpha/images/nearest_before"][row]]
        shifts = file["models/alpha/images/top_concept_score"][row].tolist()
        assert found.title == keys[row]
    assert [value for name, value in found.facts if name == "near T(f)"] == nearest
    assert isinstance(found.shape, Bars)
    assert list(found.shape.values) == shifts


@pytest.mark.parametrize("identity", [0, 1])
def test_a_row_along_an_axis_has_the_details_of_its_item(path: Path, identity: int) -> None:
    model = detail(path, Place.of("classes", along="model", **{"class": 0}), identity)
    assert model.title == ("alpha", "beta")[identity]
    assert "median IS" in dict(model.facts)
    one = detail(path, Place.of("concepts", along="class", model="alpha", concept=3), identity)
    assert one.title == ("cat", "dog")[identity]
    assert isinstance(one.shape, Histogram)


def test_compared_rows_are_bars_in_the_format_of_the_measure(path: Path) -> None:
    place = replace(CLASSES, comparison=Comparison("model", ("alpha", "gamma"), "accuracy"))
    found = detail(path, place)
    with h5py.File(path) as file:
        wanted = [file[f"models/{name}/classes/accuracy"][0, 0] for name in ("alpha", "gamma")]
    assert isinstance(found.shape, Bars)
    assert found.shape.values == pytest.approx(wanted)
    assert (found.shape.labels, found.shape.format) == (("alpha", "gamma"), "percent")
    most = max(range(2), key=wanted.__getitem__)
    assert f"Largest in {('alpha', 'gamma')[most]} ({wanted[most]:.1%})" in found.reading


def test_compared_figures_are_the_models_figures(path: Path) -> None:
    place = Place("models", comparison=Comparison("model", ("beta", "alpha"), ""))
    with Store(path) as store:
        view = arrange(open_table(store, place), Arrangement('name = "image_score"'))
        found = detail_of(store, place, view, 0)
        beta = store.summary("beta")["image_score"]
    assert found.title == "IS"
    assert isinstance(found.shape, Bars)
    assert found.shape.values == pytest.approx((beta, 11.7))


def test_a_head_without_null_space_says_so(bare_path: Path) -> None:
    found = detail(bare_path, MODELS)
    assert found.reading == "There are no scores: its head has no null space."
    assert found.shape is None
    assert "median IS" not in dict(found.facts)


def test_what_a_file_lacks_is_a_fact_less(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["models/alpha/controls/name"], file["models/alpha/spectrum/toward"], file["comparison/above"]
        del file["classes/prompt"], file["models/alpha/classes/attribute_score_curve"]
    found = facts(path)
    assert "median IS" in found
    assert not [name for name in found if name.startswith(("removed", "null direction", "IS/|AS| at"))]
    assert "prompt" not in facts(path, CLASSES)
    assert detail(path, CLASSES).strip is None


def test_a_long_value_is_wrapped_and_can_be_read_whole_at_every_width() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    facts = (("note", words), ("interval", "+4.62 degrees [+4.10 to +5.31]"), ("name", "猫" * 60))
    for width in (40, 58, 118):
        pane = DetailsPane()
        pane._style = lambda part: Style.null()
        lines = ["".join(segment.text for segment in strip) for strip in pane._facts(facts, width)]
        assert all(cell_len(line) == width for line in lines)
        values = "".join(lines).replace(" ", "")
        for _, value in facts:
            assert all(word in values for word in value.split() if "猫" not in word)
        assert values.count("猫") == 60
        assert "…" not in values
