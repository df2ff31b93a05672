"""Charts of models against planted numbers."""

import re
from pathlib import Path

import numpy as np
import pytest
from charting import NAMES, Plant, cells, heights, lines_of, made
from scipy.stats import chi2

from sing_compute.charts.shapes import Panels
from sing_compute.errors import SingError
from sing_compute.store import Store


def test_scatter_says_the_planted_moments_and_marks_each_model_by_its_letter(plant: Plant) -> None:
    planted = {
        "models/alpha/summary/score_mean": [1.5, 12.0],
        "models/alpha/summary/score_covariance": [[4.0, 3.0], [3.0, 9.0]],
        "models/beta/summary/score_mean": [-1.0, 30.0],
        "models/beta/summary/score_covariance": [[1.0, 0.0], [0.0, 1.0]],
    }
    store = plant(planted)
    found = made(store, "scatter")
    assert "alpha (A): AS +1.50 (sd 2.00) and IS 12.00 (sd 3.00)" in found.reading
    assert "correlation +0.50; number 2 of 2 models by mean IS" in found.reading
    assert cells(found, "covariance") == [3.0, 0.0]
    assert cells(found, "letter") == ["A", "B"]
    lines = lines_of(found.shape, 76, 24)
    assert ">A alpha" in lines[0]
    assert " B beta" in lines[1]
    plot = [line[:52] for line in lines]
    at = heights(plot)
    step = abs(at(1) - at(0))
    means = [y for y, line in enumerate(plot[:-3]) if "A" in line]
    assert [at(y) for y in means] == [pytest.approx(12, abs=1.5 * step)]
    rows = [at(y) for y, line in enumerate(plot) if "B" in line]  # its mean, and a point of its outline
    assert min(abs(row - 30) for row in rows) <= 1.5 * step
    assert all(abs(row - 30) <= np.sqrt(chi2.ppf(0.95, 2)) + 1.5 * step for row in rows)
    assert "B" not in "".join(lines_of(found.shape, 40, 24)[:-1])  # no room to say what the letter means


def test_ratios_are_sorted_and_the_reading_places_the_model(plant: Plant) -> None:
    names = [f"models/{model}/bootstrap/images_interval" for model in ("alpha", "beta")]
    store = plant({"models/alpha/summary/ratio_images": 4.0, "models/beta/summary/ratio_images": 8.0})
    row = store.array("models/beta/bootstrap/figure").tolist().index("ratio_images")
    ends = [store.array(name) for name in names]
    ends[0][1, row], ends[1][1, row] = (3.5, 4.5), (7.0, 9.0)
    store = plant(
        {
            **dict(zip(names, ends, strict=True)),
            "models/alpha/summary/ratio_images": 4.0,
            "models/beta/summary/ratio_images": 8.0,
        }
    )
    found = made(store, "ratios", identity=1)
    assert cells(found, "model") == ["beta", "alpha"]
    assert cells(found, "ratio_images") == [8.0, 4.0]
    assert cells(found, "ratio_images_low") == [7.0, 3.5]
    assert cells(found, "ratio_images_high") == [9.0, 4.5]
    assert "beta is number 1 of 2 by IS/|AS|, 8.00, over images 7.00 to 9.00" in found.reading
    assert "the interval below ends below its own" in found.reading


def test_perturbations_stand_at_their_numbers_on_a_true_axis(plant: Plant) -> None:
    change = np.array([[0, 0, 0, 0], [0.1, 0.2, 0.4, 0.8], [0.3, 0.6, 1.2, 2.4]])
    flips = np.array([[0, 0, 0, 0], [0, 0, 0.05, 0.1], [0.1, 0.2, 0.3, 0.5]])
    base = "models/alpha/controls/"
    found = made(plant({base + "logit_change": change, base + "perturbation_flips": flips}), "validation")
    assert cells(found, "logit_change") == change.ravel().tolist()
    assert cells(found, "perturbation") == np.repeat(["null", "random", "principal"], 4).tolist()
    assert "at 2.00 times" in found.reading
    assert "random 0.800 and 10.0% flips; principal 2.40 and 50.0% flips" in found.reading
    assert isinstance(found.shape, Panels)
    for panel, values in zip(found.shape.parts, (change, flips * 100), strict=True):
        lines = lines_of(panel, 60, 24)
        assert lines[1] == "n null  r random  p principal"
        plot = lines[2:-2]
        at = heights(plot)
        step = abs(at(1) - at(0))
        for letter, row in zip("rp", values[1:], strict=True):
            places = sorted((line.index(letter, pos), at(y)) for y, line in enumerate(plot)
                            for pos in [m.start() for m in re.finditer(letter, line)])  # fmt: skip
            assert len(places) == 4 or row[0] == row[1]
            assert [value for _, value in places][-2:] == pytest.approx(row[-2:], abs=1.1 * step)
            columns = np.array([column for column, _ in places])[-4:]
            if len(columns) == 4:  # lengths 0.25, 0.5, 1, 2 along the axis
                shares = (columns - columns[0]) / (columns[-1] - columns[0])
                assert shares == pytest.approx([0, 1 / 7, 3 / 7, 1], abs=0.05)


def test_the_spectrum_says_rank_cut_and_how_many_directions_carry_the_null_space(plant: Plant) -> None:
    null = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.01])
    head = [5.0, 2.0, 0.5, 1e-9]
    with_null = {"models/alpha/head/singular_values": head, "models/alpha/spectrum/singular_value": null}
    found = made(plant({**with_null, "models/alpha/summary/cutoff": 1e-6, "models/alpha/summary/gap": 5e8}), "spectrum")
    assert (
        "3 of 4 singular values of the head lie above the cut at 1.00e-06, from 5.00 to 0.500 (gap 5.00e+08)"
        in found.reading
    )
    share = np.cumsum(null**2) / np.sum(null**2)
    half, most = (int(np.argmax(share >= wanted)) + 1 for wanted in (0.5, 0.9))
    assert f"the first {half} make half of that movement, the first {most} nine tenths" in found.reading
    assert isinstance(found.shape, Panels)
    assert len(found.shape.parts) == 2
    assert cells(found, "singular_value")[:8] == null.tolist()
    assert np.isnan(cells(found, "singular_values")[4:]).all()


def test_parts_of_models_run_from_the_whole_to_the_image_specific_median(plant: Plant) -> None:
    figures = {
        "attribute_score_abs": 2.0,
        "attribute_score_centred_abs": 0.5,
        "image_score": 16.0,
        "image_score_centred": 4.0,
    }
    store = plant({f"models/beta/summary/{name}": value for name, value in figures.items()})
    found = made(store, "parts", identity=1)
    assert "beta: removing only what is specific to each image leaves IS 4.00 of 16.00 degrees (25%)" in found.reading
    assert "|AS| 0.50 of 2.00" in found.reading
    assert isinstance(found.shape, Panels)
    scores, shifts = found.shape.parts
    line, top = (lines_of(shifts, 60, 5)[k] for k in (2, 0))
    start, room = top.index("0.0"), 60 - top.index("0.0")
    assert line.startswith("> beta")
    most = max(16.0, cells(found, "image_score")[0])
    values = [most * (line.index(sign, start) - start) / (room - 1) for sign in "o*"]
    assert values == pytest.approx([16, 4], abs=most / room)
    assert "|AS|" in lines_of(scores, 60, 5)[0]


def test_a_head_without_null_space_shows_its_singular_values_and_nothing_else(bare_path: Path) -> None:
    with Store(bare_path) as store:
        found = made(store, "spectrum")
        assert isinstance(found.shape, Panels)
        assert len(found.shape.parts) == 1
        for name in NAMES:
            if name != "spectrum":
                with pytest.raises(SingError, match="null space"):
                    made(store, name)
