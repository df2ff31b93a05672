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
    before = np.array([True] * 6 + [False] * 4)
    after = np.array([True] * 5 + [False] + [True] * 3 + [False])
    found = accuracy_change(before, after)
    assert (found.before[0], found.after[0], found.change[0]) == pytest.approx((0.6, 0.8, 0.2))
    half = 2.2622 * np.std([0] * 5 + [-1] + [1] * 3 + [0], ddof=1) / np.sqrt(10)  # t with 9 degrees of freedom
    assert found.change[1:] == pytest.approx((0.2 - half, 0.2 + half), abs=1e-4)
    assert np.isnan(accuracy_change(before[:0], after[:0]).before).all()


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
