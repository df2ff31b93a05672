"""The benchmark of a large search, in small: each phase has a time, and the table says which goals are met."""

import direction_speed
from direction_speed import PHASES, Measured, Size


def test_a_small_search_has_times_of_both_phases_and_its_table_has_the_goals() -> None:
    size = Size(images=12, positions=4, dim=6, count=3, restarts=2, steps=2)
    found = direction_speed.measured(size, "single")
    assert list(found.steps) == list(found.products) == list(PHASES)
    assert min(found.steps.values()) > 0
    assert found.peak >= found.at_start > 0
    made = Measured(dict(zip(PHASES, (3.0, 5.0), strict=True)), dict(zip(PHASES, (2.0, 2.0), strict=True)), 1.0, 7.5)
    rows = direction_speed.ratios_of(size, "single", made)
    assert [row.row[2:5] for row in rows] == [("1.5", "<= 2", "yes"), ("2.5", "<= 2", "NO"), ("7.5", "<= 8", "yes")]
    assert rows[0].size == "48 pixels x 6, 3 directions, 2 restarts"
