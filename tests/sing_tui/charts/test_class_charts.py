"""Charts of classes and concepts against planted numbers."""

import numpy as np
import pytest
from charting import MODELS, Plant, cells, classes, concepts, images, lines_of, made
from scipy.stats import norm

from sing_compute.charts.shapes import Pairs
from sing_compute.errors import SingError
from sing_compute.store import Store


def test_distributions_share_one_axis_and_mark_the_median(plant: Plant) -> None:
    middles = np.array([-3.0, 4.0, 0.5, np.nan])
    spread = norm.ppf(np.linspace(0.001, 0.999, 21))
    store = plant(
        {
            "models/alpha/classes/attribute_score_curve": middles[:, None] + spread,
            "models/alpha/classes/image_score_curve": 20 + middles[:, None] + spread,
        }
    )
    found = made(store, "distributions", classes("alpha"), 2)
    assert cells(found, "class") == ["dog", "owl", "cat"]  # by falling median; the class without images has none
    assert found.table.ids is not None
    assert found.table.ids.tolist() == [1, 2, 0]
    assert cells(found, "attribute_score_p050") == pytest.approx([4.0, 0.5, -3.0])
    assert "owl is number 2 of 3 classes by median AS, +0.50 degrees" in found.reading
    lines = lines_of(found.shape, 60, 16)
    low, high = -3 + spread[0], 4 + spread[-1]
    start = lines[0].index(f"{low:.1f}")
    assert lines[0].endswith(f"{high:.1f}deg")
    width = (high - low) / (60 - start)
    for line, middle in zip(lines[1:], (4.0, 0.5, -3.0), strict=True):
        assert f"{middle:+.2f}" in line
        assert low + (line.index("|") - start + 0.5) * width == pytest.approx(middle, abs=0.51 * width + 1e-5)
        drawn = [k for k, sign in enumerate(line[start:]) if sign not in " |"]
        assert low + drawn[0] * width >= middle + spread[0] - width
        assert low + (drawn[-1] + 1) * width <= middle + spread[-1] + width
    assert lines[2].startswith("> owl")
    both = lines_of(found.shape, 100, 16)[0].split()
    assert [word for word in both if word in ("AS", "IS")] == ["AS", "IS"]


def test_strings_run_from_the_angle_before_to_the_angle_after(plant: Plant) -> None:
    before, after = np.full((4, 60), 70.0), np.full((4, 60), 70.0)
    after[1, 7], after[1, 9], before[1, 5] = 60.0, 85.0, 75.0
    store = plant({"models/alpha/concepts/angle_before": before, "models/alpha/concepts/angle_after": after})
    found = made(store, "strings", classes("alpha"), 1)
    assert cells(found, "concept")[:3] == ["concept 9", "concept 7", "concept 5"]
    assert (
        "dog comes nearer to 2 of 60 concepts; 15.00 degrees away from concept 9 (70.00 to 85.00), the most"
        in found.reading
    )
    lines = lines_of(found.shape, 70, 5)
    start, room = lines[0].index("60.0"), 70 - lines[0].index("60.0")
    for line, ends in zip(lines[1:4], ((70, 85), (70, 60), (75, 70)), strict=True):
        values = [60 + 25 * (line.index(sign, start) - start) / (room - 1) for sign in "o*"]
        assert values == pytest.approx(ends, abs=25 / room)
    chosen = made(store, "strings", concepts("alpha", 1), 7)
    assert isinstance(chosen.shape, Pairs)
    assert chosen.shape.labels[chosen.shape.chosen] == "concept 7"
    assert "10.00 degrees nearer to concept 7" in chosen.reading


def test_where_there_is_no_class_the_first_or_that_of_the_image_is_taken(store: Store) -> None:
    place = images("beta")
    row = int(store.offsets[1]) + 2
    assert made(store, "strings").title.startswith("cat:")
    assert made(store, "strings", place, row).title == "dog: angle to concepts, beta"
    assert made(store, "strings", place, int(store.offsets[1]) - 1).title.startswith("cat:")
    for place, identity in ((MODELS, 2), (classes("beta"), -1), (images("beta"), 43)):
        with pytest.raises(SingError, match=f"no row {identity} among its {place.table}"):
            made(store, "strings", place, identity)
    with pytest.raises(SingError, match="no image of the class was measured"):
        made(store, "strings", classes("beta"), 3)


def test_common_part_is_the_score_minus_its_image_specific_part(store: Store) -> None:
    found = made(store, "parts", concepts("beta", 1), 11)
    score, specific = (
        store.array(f"models/beta/concepts/{name}")[1] for name in ("attribute_score", "attribute_score_centred")
    )
    common = score.astype(float) - specific
    rows = found.table.ids
    assert rows is not None
    assert cells(found, "attribute_score_common") == pytest.approx(common[rows].tolist())
    assert sorted(rows.tolist()) == list(range(60))
    assert f"moves dog by {np.abs(common).mean():.2f} degrees" in found.reading
    assert (
        f"by {np.abs(specific).mean():.2f}. concept 11: AS {score[11]:+.2f}, common {common[11]:+.2f}" in found.reading
    )
