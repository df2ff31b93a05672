"""Names of signal vectors against planted concepts, and their chance."""

import math

import pytest
import torch
from torch import Tensor

from sing_compute.directions.naming import QUANTILES, largest_logits, name_signals, top_images
from sing_compute.directions.null_shares import covariance_directions
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.linalg.angles import unit

CLIP, DIM, CONCEPTS = 24, 30, 60


@pytest.fixture(scope="module")
def dictionary() -> Tensor:
    return unit(torch.randn(CONCEPTS, CLIP, generator=torch.Generator().manual_seed(0), dtype=torch.float64))


@pytest.fixture(scope="module")
def translator() -> Tensor:
    return torch.randn(CLIP, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def written(translator: Tensor, *movements: Tensor) -> Tensor:
    """Signal vectors whose image in CLIP space is each movement."""
    return torch.linalg.pinv(translator) @ torch.stack(movements, 1)


def test_a_planted_mix_is_named_with_its_sign_and_beyond_chance(dictionary: Tensor, translator: Tensor) -> None:
    mix = 3 * dictionary[7] + 2 * dictionary[21]
    signals = written(translator, mix, -mix, dictionary[4], torch.zeros(CLIP).double())
    found = name_signals(
        signals, translator, covariance_directions(torch.eye(DIM).double(), 99), dictionary, (1, 2), words=3
    )
    assert found.pick[0].tolist() == [7, 21]
    assert found.coefficient[0, 1].tolist() == pytest.approx([3 / float(mix.norm()), 2 / float(mix.norm())])
    assert found.coefficient[0, 0, 1].isnan()
    assert found.cosine[0, 1].item() == pytest.approx(1)
    assert found.cosine[0, 0].item() == pytest.approx(float(unit(mix) @ dictionary[7]))
    assert {7, 21}.isdisjoint(found.pick[1].tolist())  # the opposite movement points away from both
    assert found.cosine[1, 1].item() < 0.9
    assert found.cosine[2].tolist() == pytest.approx([1, 1])
    assert found.p[0, 1].item() == 1 / 100  # no random direction is written so well
    assert found.p[1, 1].item() > 1 / 100
    assert found.pick[3].tolist() == [-1, -1]
    assert found.cosine[3].isnan().all()
    assert found.p[3].isnan().all()
    order = (dictionary @ unit(mix)).sort(descending=True)
    assert found.nearest[0].tolist() == order.indices[:3].tolist()
    assert found.nearest_cosine[0].tolist() == pytest.approx(order.values[:3].tolist())
    assert found.nearest[3].tolist() == [-1, -1, -1]


def test_chance_is_that_of_directions_like_the_data(dictionary: Tensor, translator: Tensor) -> None:
    """Where all data lies along one line, a random direction is one of its ends: one of two cosines, each half of the time."""
    line = written(translator, dictionary[3])[:, 0]
    covariance = torch.outer(line, line)
    found = name_signals(line[:, None], translator, covariance_directions(covariance, 200), dictionary, (1,))
    toward, away = 1.0, float((dictionary @ -dictionary[3]).max())
    assert found.chance[0, [0, 2]].tolist() == pytest.approx([away, toward])
    assert found.p[0, 0].item() == pytest.approx(0.5, abs=0.1)
    assert len(QUANTILES) == found.chance.shape[1]


def test_the_best_cosine_of_isotropic_directions_is_that_of_the_sphere(dictionary: Tensor, translator: Tensor) -> None:
    """With one atom, the cosine of a uniform direction is z / |z|: its median is 0, so half of the mixes are empty."""
    covariance = torch.linalg.inv(translator @ translator.T)
    covariance = translator.T @ covariance @ covariance @ translator  # A C A' = 1: isotropic in CLIP space
    found = name_signals(
        translator.T[:, :1], translator, covariance_directions(covariance, 4000), dictionary[:1], (1,), words=1
    )
    z = torch.randn(100000, CLIP, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    wanted = torch.quantile(unit(z)[:, 0].clamp_min(0), torch.tensor(QUANTILES).double())
    assert found.chance[0].tolist() == pytest.approx(wanted.tolist(), abs=0.03)


def test_names_do_not_depend_on_the_length_of_signals_and_barred_concepts_are_not_picked(
    dictionary: Tensor, translator: Tensor
) -> None:
    signals, usable = written(translator, dictionary[7] + dictionary[21]), torch.arange(CONCEPTS) != 7
    random = covariance_directions(torch.eye(DIM).double(), 20)
    whole, scaled = (name_signals(k * signals, translator, random, dictionary, (1, 3)) for k in (1, 1e3))
    assert torch.equal(whole.pick, scaled.pick)
    torch.testing.assert_close(whole.p, scaled.p)
    barred = name_signals(signals, translator, random, dictionary, (1, 3), usable=usable)
    assert 7 in whole.pick
    assert 7 not in barred.pick
    assert 7 not in barred.nearest


def test_top_images_are_those_of_the_largest_logit_over_the_positions() -> None:
    features = torch.zeros(5, 2, 2).double()
    features[:, 0, 0] = torch.tensor([1.0, 4.0, 4.0, 0.0, 2.0])
    features[3, 1, 0] = 9  # at the other position
    features[:, 1, 1] = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])
    pairs = DirectionPairs(torch.eye(2).double() * 2, torch.tensor([1.0, 0.6]).double(), torch.eye(2).double() / 2)
    logits = largest_logits(pairs, features)
    assert logits[3].tolist() == pytest.approx([17, 0.2])
    found = top_images(logits, 3)
    assert found.image.tolist() == [[3, 1, 2], [4, 3, 2]]
    assert found.logit[0].tolist() == pytest.approx([17, 7, 7])
    assert math.isclose(float(found.logit[1, 2]), 0.0, abs_tol=1e-12)
    assert top_images(logits, 16).image.shape == (2, 5)
