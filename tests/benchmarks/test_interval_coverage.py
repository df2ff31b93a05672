import numpy as np
from interval_coverage import FIGURES, WORLDS, over_images, over_pairs


def test_the_benchmark_in_small_finds_intervals_that_hold() -> None:
    rows = list(over_images(150, (50,), WORLDS[2:]))
    assert {row[2] for row in rows} == set(FIGURES)
    assert len({row[2:4] for row in rows}) == len(rows) == 4 * len(FIGURES)
    for _, _, figure, method, _, _, stated, covered, _, undefined in rows:
        assert abs(covered - stated) < 0.06, (figure, method)
        assert undefined == 0


def test_the_true_figures_of_each_world_are_those_of_a_large_sample() -> None:
    for world in WORLDS:
        scores, shifts = world.draw(np.random.default_rng(0), 400_000)
        median, absolute, image = (np.median(values) for values in (scores, np.abs(scores), shifts))
        found = dict(zip(FIGURES, (median, absolute, image, image / absolute, scores.mean()), strict=True))
        for figure, value in world.truth().items():
            assert abs(found[figure] / value - 1) < 0.01, (world.name, figure)


def test_stated_certainty_of_an_order_is_how_often_it_is_right() -> None:
    rows = list(over_pairs(300, priors=(4,)))
    stated = sum(row[5] * row[6] for row in rows if row[5])
    right = sum(row[5] * row[7] for row in rows if row[5])
    assert sum(row[5] for row in rows) == 300
    assert abs(right - stated) / 300 < 0.04
