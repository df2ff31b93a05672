"""Accuracies before and after on the same images, against published numbers and against simulation."""

import numpy as np
import pytest

from sing_compute.scores.accuracy_change import accuracy_change, worst_group_change
from sing_compute.scores.intervals import proportion_intervals


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),  # Newcombe 1998, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_of_shares_are_wilsons(hits: int, count: int, low: float, high: float) -> None:
    found = proportion_intervals(np.array([hits]), np.array([count]))
    assert (found.low[0], found.high[0]) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_a_change_is_that_of_pairs() -> None:
    before = np.repeat([True, True, False, False], [220, 30, 60, 90])
    after = np.repeat([True, False, True, False], [220, 30, 60, 90])
    found = accuracy_change(before, after)
    assert (found.before[0], found.after[0], found.change[0]) == pytest.approx((0.625, 0.7, 0.075))
    half = 1.96 * np.std(after.astype(float) - before) / np.sqrt(400)  # the accuracies alone would give .065
    assert half == pytest.approx(0.046, abs=1e-3)
    assert found.change[1:] == pytest.approx((0.075 - half, 0.075 + half), abs=0.004)
    assert np.isnan(accuracy_change(before[:0], after[:0]).before).all()


def test_no_change_in_few_images_leaves_room_for_one_and_ends_stay_within_bounds() -> None:
    right = np.ones(20, dtype=bool)
    same = accuracy_change(right, right).change
    assert same[0] == 0
    assert -0.1 < same[1] < -0.005
    assert 0.005 < same[2] < 0.1
    lost = accuracy_change(right, ~right).change
    assert lost[0] == -1
    assert -1 <= lost[1] < lost[2] < -0.8


def test_the_worst_group_may_be_another_one_afterwards() -> None:
    rng = np.random.default_rng(0)
    groups = [np.arange(900) // 300 == number for number in range(3)]
    shares = np.array([[0.5, 0.9, 0.9], [0.9, 0.8, 0.95]])
    before, after = (rng.random(900) < np.repeat(row, 300) for row in shares)
    found = worst_group_change(before, after, [*groups, np.zeros(900, dtype=bool)])
    assert found.images == 900
    assert found.before[0] == before[:300].mean()
    assert found.after[0] == after[300:600].mean()
    assert found.change[0] == found.after[0] - found.before[0]
    error = np.sqrt(
        0.25 / 300 + 0.16 / 300
    )  # the groups are far apart, so each worst group is almost always the same one
    assert found.change[2] - found.change[1] == pytest.approx(2 * 1.96 * error, rel=0.08)
    assert found == worst_group_change(before, after, groups)
    none = worst_group_change(~before[:0], after[:0], [np.zeros(0, dtype=bool)])
    assert none.images == 0
    assert np.isnan(none.change).all()
