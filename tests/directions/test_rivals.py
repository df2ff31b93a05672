"""Other methods against data in which each of them is correct, and the figures that their directions are given."""

import sys

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.rival_pairs import pattern_pairs, rival_pairs
from sing_compute.directions.rivals import RIVALS, autoencoder, ica, k_means, nmf, pattern_cav, pca, rival_directions
from sing_compute.directions.signals import signal_vectors
from sing_compute.errors import SingError

DIM, COUNT = 8, 3


def oblique(draw: torch.Generator) -> Tensor:
    return normalize(torch.randn(DIM, COUNT, generator=draw, dtype=torch.float64), dim=0)


def strengths(draw: torch.Generator, count: int = 1500) -> Tensor:
    """Independent strengths, each of them 0 for most positions."""
    there = torch.rand(count, COUNT, generator=draw) < 0.2
    return there * (1 + torch.rand(count, COUNT, generator=draw, dtype=torch.float64))


def matched(found: Tensor, wanted: Tensor, *, signed: bool = True) -> Tensor:
    """The largest cosine of any direction with each wanted one."""
    cosines = normalize(found, dim=0).T @ normalize(wanted, dim=0)
    return (cosines if signed else cosines.abs()).max(0).values


def test_pca_finds_orthogonal_directions_in_the_order_of_their_variance(draw: torch.Generator) -> None:
    axes = torch.linalg.qr(torch.randn(DIM, DIM, generator=draw, dtype=torch.float64))[0]
    positions = torch.randn(3000, DIM, generator=draw, dtype=torch.float64) * torch.tensor([9, 5, 3] + [1] * 5)
    found = pca(positions @ axes.T, COUNT, 0)
    assert torch.cosine_similarity(found, axes[:, :3], dim=0).abs().min() > 0.99


def test_ica_finds_oblique_directions_of_independent_sources(draw: torch.Generator) -> None:
    concepts = oblique(draw)
    uniform = torch.rand(2000, COUNT, generator=draw, dtype=torch.float64)
    features = uniform.logit().pow(3) @ concepts.T  # heavy tails
    found = ica(features, COUNT, 0)
    assert found.shape == (DIM, COUNT)  # as many sources as there are
    assert matched(found, concepts, signed=False).min() > 0.99
    assert found.norm(dim=0).diff().max() <= 0


def test_nmf_finds_parts_that_are_not_negative(draw: torch.Generator) -> None:
    concepts = torch.zeros(DIM, COUNT, dtype=torch.float64)
    concepts[[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2]] = torch.tensor([1, 2, 3, 1, 1, 1]).double()
    found = nmf(strengths(draw) @ concepts.T + 7, COUNT, 0)
    assert matched(found, concepts).min() > 0.999


def test_k_means_finds_the_centres_seen_from_the_mean(draw: torch.Generator) -> None:
    centres = 10 * oblique(draw)
    which = torch.arange(600) % COUNT
    features = centres.T[which] + torch.randn(600, DIM, generator=draw, dtype=torch.float64) * 0.01 + 3
    found = k_means(features, COUNT, 0)
    assert matched(found, centres - centres.mean(1, keepdim=True)).min() > 0.999


def test_an_autoencoder_with_sparse_units_finds_oblique_directions_and_one_without_them_their_span(
    draw: torch.Generator,
) -> None:
    concepts = oblique(draw)
    features = strengths(draw) @ concepts.T
    sparse = autoencoder(features, 12, 0, sparsity=0.05, rate=2e-2, steps=300, batch=128)
    assert matched(sparse, concepts).min() > 0.9
    assert sparse.shape == (DIM, 12)
    dense = normalize(autoencoder(features, COUNT, 0, rate=3e-2, steps=100, batch=128), dim=0)
    basis = torch.linalg.qr(concepts)[0]
    assert (basis.T @ dense).norm(dim=0).min() > 0.95


def test_pattern_cav_is_the_difference_of_the_means(draw: torch.Generator) -> None:
    features = torch.randn(50, DIM, generator=draw, dtype=torch.float64)
    present = torch.rand(50, 3, generator=draw) < torch.tensor([0.5, 2.0, -1.0])
    found = pattern_cav(features, present)
    wanted = features[present[:, 0]].mean(0) - features[~present[:, 0]].mean(0)
    torch.testing.assert_close(found[:, 0], wanted)
    assert not found[:, 1:].any()  # one is everywhere, one is nowhere


def test_directions_get_filters_that_read_them_alone_and_fire_as_often_as_their_match(draw: torch.Generator) -> None:
    concepts = oblique(draw)
    features = strengths(draw, 1000) @ concepts.T
    dual = torch.linalg.pinv(concepts).T
    like = DirectionPairs(dual, torch.tensor([0.5, 1.2, 1.6]).double(), concepts)
    shares = (like.logits(features) > 0).sum(0)
    assert len(set(shares.tolist())) == COUNT
    order = [2, 0, 1]
    directions = -7 * concepts[:, order]  # opposite to those of EDDP, as PCA may give them
    found = rival_pairs(directions, features, like, signed=False)
    torch.testing.assert_close(found.signals, concepts[:, order])
    torch.testing.assert_close(found.filters, dual[:, order])
    assert (found.logits(features) > 0).sum(0).tolist() == shares[order].tolist()
    signed = rival_pairs(directions, features, like)
    torch.testing.assert_close(signed.signals, -concepts[:, order])


def test_directions_that_depend_on_each_other_still_have_filters_and_dead_ones_have_none(draw: torch.Generator) -> None:
    concepts = oblique(draw)
    features = torch.randn(300, DIM, generator=draw, dtype=torch.float64)
    like = DirectionPairs(concepts, torch.full((COUNT,), -99.0).double(), concepts)  # fire everywhere
    centres = concepts - concepts.mean(1, keepdim=True)  # their sum is 0, as for clusters of equal size
    found = rival_pairs(torch.cat([centres, torch.zeros(DIM, 1).double()], 1), features, like)
    torch.testing.assert_close((found.filters * found.signals).sum(0), torch.tensor([1, 1, 1, 0]).double())
    assert torch.cosine_similarity(found.signals[:, :3], centres, dim=0).min() > 1 - 1e-9
    assert (found.logits(features) > 0).sum(0).tolist() == [300, 300, 300, 0]


def test_a_concept_that_is_there_or_not_is_shown_by_the_difference_of_the_means(
    draw: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the positives only noise varies, so the signal vector is that of the noise; the difference is the concept."""
    concept, there = oblique(draw)[:, 0], torch.rand(400, generator=draw) < 0.3
    noise = torch.randn(400, DIM, generator=draw, dtype=torch.float64) * torch.tensor([0.5] + [0.01] * 7)
    features = 5 * there[:, None] * concept + noise
    reads = concept.clone()
    reads[0] = 0
    logits = features @ reads - 2
    filters = torch.stack([reads, torch.ones(DIM).double() * 0], 1)
    thresholds = torch.tensor([2.0, 1.0]).double()
    pairs = DirectionPairs(filters, thresholds, signal_vectors(features, filters[None], logits.expand(1, 2, 400))[0])
    monkeypatch.setattr("sing_compute.directions.rival_pairs._PART", 150)
    found = pattern_pairs(pairs, features)
    wanted = features[there].mean(0) - features[~there].mean(0)
    torch.testing.assert_close(found.signals[:, 0], wanted / (reads @ wanted))
    assert torch.equal(logits > 0, there)
    assert torch.cosine_similarity(found.signals[:, 0], concept, dim=0) > 0.99
    assert torch.cosine_similarity(pairs.signals[:, 0], concept, dim=0) < 0.8
    assert not found.signals[:, 1].any()


@pytest.mark.parametrize("name", RIVALS)
def test_each_method_gives_the_same_directions_for_the_same_seed_and_any_unit(
    name: str, draw: torch.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["sing_compute.directions.rivals"]
    monkeypatch.setattr(
        module, "autoencoder", lambda *given, **options: autoencoder(*given, **options | {"steps": 20, "batch": 64})
    )
    features = strengths(draw, 300) @ oblique(draw).T
    first, second, scaled = (rival_directions(name, k * features, COUNT, seed=5) for k in (1, 1, 1024))
    assert first.shape == (DIM, COUNT)
    assert torch.equal(first, second)
    assert matched(first, scaled).min() > 0.999


def test_what_cannot_be_found_is_said(draw: torch.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    features = torch.randn(30, 5, generator=draw, dtype=torch.float64)
    with pytest.raises(SingError, match=r"6 directions cannot be found by PCA in features of shape \(30, 5\)"):
        rival_directions("PCA", features, 6)
    with pytest.raises(SingError, match="do not vary"):
        rival_directions("ICA", torch.ones(30, 5).double(), 2)
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(SingError, match=r"pip install 'sing-explorer\[rivals\]'"):
        rival_directions("PCA", features, 2)
