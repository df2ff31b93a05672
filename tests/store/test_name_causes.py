"""Names of vectors compared with their effects: shares, states, and agreement beside chance, computed by hand."""

import itertools

import numpy as np
import pytest

from sing_compute.store.derived.name_causes import (
    above_random,
    agreement,
    chosen_sets,
    largest,
    layer_agreement,
    name_shares,
    random_effect,
    states,
)


def test_the_share_of_an_attribute_is_the_mean_of_both_poles() -> None:
    picks = np.array([[[0, 1, 2], [3, 2, 0]], [[-1, -1, -1], [-1, -1, -1]], [[1, 0, 3], [1, 2, 3]]])
    weights = np.array([[[0.6, 0.2, 0.0], [0.3, 0.1, np.nan]], np.full((2, 3), np.nan), [[0, 0, 0], [1, 0, 3]]])
    owners = np.array([0, 0, 1, 2])
    shares = name_shares(picks, weights, owners, 3)
    np.testing.assert_allclose(shares, [[0.5, 0.125, 0.375], [0, 0, 0], [0.125, 0, 0.375]])
    assert largest(shares).tolist() == [0, -1, 2]


def test_a_vector_is_above_random_if_it_moves_more_for_its_amount() -> None:
    random, amount = np.array([[0.2, 0.1], [0.1, 0.4], [np.nan, np.nan]]), np.array([1.0, 2.0, np.nan])
    effect = np.array([[0.05, 0.41], [0.3, 0.1], [np.nan, np.nan], [0.0, 0.19]])
    own = np.array([2.0, 2.0, np.nan, 1.0])
    # effects per amount of the two draws are .2 and .2, so the vectors must exceed .4, .4 and .2
    np.testing.assert_allclose(random_effect(own, random.max(1), amount), [0.4, 0.4, np.nan, 0.2])
    above = above_random(effect, own, random, amount)
    assert above.tolist() == [True, False, False, False]
    said, moved = np.array([1, 0, 1, 1]), largest(effect)
    assert states(said, moved, above, 2).tolist() == ["agrees", "like random", "not checked", "like random"]
    assert states(1 - said, moved, above, 2)[0] == "does not"
    assert states(said, moved, above, 1)[0] == "not checked"
    sets = chosen_sets(np.array([*effect, [0.5, 0.5]]), np.array([*above, False]))
    assert [rows.tolist() for rows in sets] == [[0, 1, 3, 4], [0], [4, 0, 1, 3]]


def test_chance_is_the_mean_over_all_permutations_of_the_names() -> None:
    said, moved = np.array([0, 0, 1, 2, -1, 1]), np.array([0, 1, 1, 2, 0, 0])
    every = [float((said[list(order)] == moved).mean()) for order in itertools.permutations(range(6))]
    share, chance, p = agreement(said, moved)
    assert share == pytest.approx(3 / 6)
    assert chance == pytest.approx(np.mean(every))
    assert p == pytest.approx(np.mean([one >= share for one in every]), abs=0.03)
    assert np.isnan(agreement(said[:0], moved[:0])).all()
    assert agreement(said, moved) == (share, chance, p)


def test_a_layer_that_was_not_tried_and_a_single_attribute_have_no_agreement() -> None:
    picks = np.zeros((2, 1, 2, 2, 1), dtype=np.int64)
    weights = np.ones((2, 1, 2, 2, 1, 1))
    effect = np.stack([np.full((1, 2, 2), np.nan), [[[0.5, 0.1], [0.1, 0.5]]]])
    amount, random, drawn = effect.max(-1), np.full((2, 1, 1, 2), 0.2), np.ones((2, 1, 1))
    found = layer_agreement(picks, weights, np.array([1]), effect, amount, random, drawn)
    assert found["count"].tolist() == [[0, 0, 0], [2, 2, 2]]
    assert np.isnan(found["agreement"][0]).all()
    assert found["agreement"][1].tolist() == found["chance"][1].tolist() == [[0.5], [0.5], [0.5]]
    alone = layer_agreement(picks, weights, np.array([0]), effect[..., :1], amount, random[..., :1], drawn)
    assert np.isnan(alone["agreement"]).all()
    assert alone["count"][1, 0] == 2
