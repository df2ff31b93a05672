"""The semantic spectrum against numpy, and on a translator whose null directions are planted."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sing_compute.linalg.null_space import split_head
from sing_compute.scores.spectrum import null_shares, semantic_spectrum
from sing_compute.translator.ridge import AffineTranslator, RidgeSums

CLASSES, DIM, CLIP, CONCEPTS = 3, 10, 6, 8


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_values_and_shares_are_those_of_a_plain_svd() -> None:
    head, weight, features = normal(0, CLASSES, DIM), normal(1, CLIP, DIM), normal(2, 200, DIM) * torch.arange(1, 11)
    texts = torch.nn.functional.normalize(normal(3, CONCEPTS, CLIP), dim=1).float()
    split = split_head(head.float(), stored_dtype=torch.float32)
    sums = RidgeSums.of(features, torch.zeros(200, 1))
    translator = AffineTranslator(weight, normal(4, CLIP))
    found, shares = semantic_spectrum(translator, split, texts, poles=2), null_shares(translator, split, sums)
    null = np.linalg.svd(head.float().double().numpy())[2][CLASSES:]
    moved = weight.numpy() @ null.T @ null
    np.testing.assert_allclose(found.singular_value, np.linalg.svd(moved)[1][: min(CLIP, DIM - CLASSES)], rtol=1e-9)
    assert shares[0] == pytest.approx((moved**2).sum() / (weight.numpy() ** 2).sum())
    covariance = np.cov(features.numpy().T)
    data = np.trace(moved @ covariance @ moved.T) / np.trace(weight.numpy() @ covariance @ weight.numpy().T)
    assert shares[1] == pytest.approx(data)
    assert found.toward.shape == found.away_cosine.shape == (CLIP, 2)
    assert (found.toward_cosine[:, 0] >= found.toward_cosine[:, 1]).all()


def test_a_planted_direction_is_named_by_the_concept_it_leads_to_and_the_one_it_leads_from() -> None:
    head = normal(0, CLASSES, DIM).float()
    split = split_head(head, stored_dtype=torch.float32)
    texts = torch.eye(CLIP)  # centred, concept 2 and concept 5 lie opposite along their difference
    pull = torch.nn.functional.one_hot(torch.tensor(2), CLIP) - torch.nn.functional.one_hot(torch.tensor(5), CLIP)
    weight = torch.outer(pull.double(), split.null_basis[1]) + 1e-3 * normal(5, CLIP, DIM)
    found = semantic_spectrum(AffineTranslator(weight, torch.zeros(CLIP, dtype=torch.float64)), split, texts, poles=5)
    assert {int(found.toward[0, 0]), int(found.away[0, 0])} == {2, 5}
    assert float(found.singular_value[0]) == pytest.approx(2**0.5, rel=0.01)
    assert float(found.singular_value[1]) < 0.02


def test_fewer_concepts_than_poles_are_all_named() -> None:
    split = split_head(normal(0, CLASSES, DIM).float(), stored_dtype=torch.float32)
    texts = torch.nn.functional.normalize(normal(3, 2, CLIP), dim=1)
    translator = AffineTranslator(normal(1, CLIP, DIM), normal(4, CLIP))
    assert semantic_spectrum(translator, split, texts, poles=5).toward.shape == (CLIP, 2)


def test_the_sign_of_a_direction_is_that_of_the_concept_nearest_to_its_line() -> None:
    """An SVD gives it no sign: turned feature space gives the same directions, and they must be named alike."""
    split = split_head(normal(0, CLASSES, DIM).float(), stored_dtype=torch.float32)
    turn = torch.linalg.qr(normal(7, split.nullity, split.nullity)).Q
    turned = replace(split, null_basis=turn @ split.null_basis)
    texts = torch.nn.functional.normalize(normal(3, 9, CLIP), dim=1)
    weight, bias = normal(1, CLIP, DIM), normal(4, CLIP)
    for scale in (1.0, -1.0):  # the opposite translator has the opposite left directions
        found = semantic_spectrum(AffineTranslator(scale * weight, bias), turned, texts, poles=3)
        assert (found.toward_cosine[:, 0] >= found.away_cosine[:, 0].abs()).all()
        plain = semantic_spectrum(AffineTranslator(weight, bias), split, texts, poles=3)
        assert torch.equal(found.toward, plain.toward)
        assert torch.equal(found.away, plain.away)
