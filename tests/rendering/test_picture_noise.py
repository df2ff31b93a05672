"""The rule of `beyond noise`: exact where pictures differ by noise alone, strict where the noise is common."""

import numpy as np
import pytest

from sing_compute.store.derived.picture_noise import BEYOND, UNKNOWN, WITHIN, picture_noise

CLIP = 32


def at(rng: np.random.Generator, seeds: int, centre: np.ndarray, spread: float = 1.0) -> np.ndarray:
    return centre + spread * rng.normal(size=(seeds, CLIP))


def test_a_decoder_that_ignores_its_input_is_within_noise() -> None:
    rng = np.random.default_rng(0)
    fixed = np.repeat(rng.normal(size=(1, CLIP)), 4, axis=0)
    assert picture_noise(fixed, fixed) == (0.0, 0.0, 1.0, WITHIN)
    pictures = at(rng, 4, np.ones(CLIP))  # noise alone, and the same one
    found = picture_noise(pictures, pictures)
    assert (found.between, found.p, found.state) == (0.0, 1.0, WITHIN)
    assert found.noise > 0


def test_a_decoder_that_draws_its_input_is_beyond_noise() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 1, CLIP))
    found = picture_noise(one.repeat(4, 0), other.repeat(4, 0))
    assert found.noise == 0.0
    assert found.between > 30
    assert found.p == pytest.approx(48 / 1680)  # the two sets may change places, and partners are all alike
    assert found.state == BEYOND


@pytest.mark.parametrize("seeds", [4, 5])
def test_pictures_of_further_seeds_are_called_beyond_noise_in_one_of_twenty_cases(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    draws = 400 if seeds == 4 else 25
    centre = 2 * np.ones(CLIP)
    false = sum(picture_noise(at(rng, seeds, centre), at(rng, seeds, centre)).state == BEYOND for _ in range(draws))
    assert false / draws < 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5


def test_common_noise_hides_what_is_smaller_than_noise_and_nothing_larger() -> None:
    rng = np.random.default_rng(3)
    centre, away = 2 * np.ones(CLIP), rng.normal(size=CLIP)
    states = {}
    for step in (0.15, 3.0):
        noise = [0.5 * rng.normal(size=(4, CLIP)) for _ in range(20)]
        states[step] = {picture_noise(centre + each, centre + step * away + each).state for each in noise}
    assert states == {0.15: {WITHIN}, 3.0: {BEYOND}}


@pytest.mark.parametrize("seeds", [0, 1, 2, 3])
def test_fewer_than_four_seeds_say_nothing(seeds: int) -> None:
    rng = np.random.default_rng(4)
    found = picture_noise(at(rng, seeds, np.ones(CLIP), 0.01), at(rng, seeds, -np.ones(CLIP), 0.01))
    assert found.state == UNKNOWN
    assert np.isnan(found.p)
    assert np.isnan(found.noise) == (seeds < 2)


def test_many_seeds_are_compared_with_ways_that_are_drawn() -> None:
    rng = np.random.default_rng(5)
    same = picture_noise(at(rng, 7, np.ones(CLIP)), at(rng, 7, np.ones(CLIP)))
    other = picture_noise(at(rng, 7, np.ones(CLIP), 0.1), at(rng, 7, rng.normal(size=CLIP), 0.1))
    assert (same.state, other.state) == (WITHIN, BEYOND)
    assert other.p == pytest.approx(1 / 10_000, abs=2e-3)  # never 0
    assert other.p > 0
