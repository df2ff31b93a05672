"""COMP against a plain float64 reference and scipy: picks, coefficients, what they may not depend on, and real vectors."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import roads
import torch
from scipy.optimize import nnls
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.linalg import comp as module
from sing_compute.linalg import nearest_atoms
from sing_compute.linalg.comp import Codes, coherence_of, comp, distinct, mixes, top_k

LOW = [torch.float32, torch.bfloat16, torch.float64]


def random_pool(atoms: int = 900, vectors: int = 20, dim: int = 40) -> tuple[Tensor, Tensor]:
    """Vectors and atoms in random directions."""
    return normalize(torch.randn(vectors, dim), dim=1), normalize(torch.randn(atoms, dim), dim=1)


def text_like_pool(atoms: int = 900, vectors: int = 20, dim: int = 40) -> tuple[Tensor, Tensor]:
    """Vectors and atoms in families, of a falling spectrum, centred: as texts are."""
    spectrum = torch.arange(1, dim + 1) ** -0.5
    families = torch.randn(atoms // 20, dim) * spectrum
    pool = families[torch.randint(len(families), (atoms,))] + 0.5 * torch.randn(atoms, dim) * spectrum
    pool = normalize(normalize(pool, dim=1) - normalize(pool, dim=1).mean(0), dim=1)
    x = families[torch.randint(len(families), (vectors, 3))].sum(1) + 0.5 * torch.randn(vectors, dim) * spectrum
    return normalize(x, dim=1), pool


POOLS = pytest.mark.parametrize("pool", [random_pool, text_like_pool])


def reference(x: np.ndarray, atoms: np.ndarray, size: int, coherence: float) -> Iterator[tuple[list[int], np.ndarray]]:
    """Picks and coefficients of one vector after each step, from the definition."""
    picks: list[int] = []
    residual = x
    for _ in range(size):
        score = atoms @ residual
        if picks:
            score = score + coherence / len(picks) * (atoms @ atoms[picks].T).sum(1)
        score[picks] = -np.inf
        picks.append(int(score.argmax()))
        coefficients = nnls(atoms[picks].T, x)[0]
        residual = x - coefficients @ atoms[picks]
        yield list(picks), coefficients


@POOLS
@pytest.mark.parametrize("coherence", [0.0, 0.3, 1.0])
def test_picks_and_coefficients_are_those_of_the_definition(pool, coherence: float) -> None:
    x, atoms = pool()
    codes = comp(x, atoms, range(1, 9), coherence=coherence)
    for row, vector in enumerate(x.double().numpy()):
        for picks, coefficients in reference(vector, atoms.double().numpy(), 8, coherence):
            size = len(picks)
            assert codes.picks[row, :size].tolist() == picks
            assert codes.coefficients[size][row].numpy() == pytest.approx(coefficients, abs=1e-9)


@POOLS
def test_every_code_fulfils_the_conditions_of_the_least_squares_problem(pool) -> None:
    x, atoms = pool(vectors=200)
    codes = comp(x, atoms, (12,), coherence=0.5)
    coefficients = codes.coefficients[12]
    gradient = (atoms.double()[codes.picks] * (mixes(codes, atoms, 12) - x.double())[:, None]).sum(2)
    assert (coefficients >= 0).all()
    assert gradient.min() >= -1e-9
    assert (gradient * coefficients).abs().max() <= 1e-9
    assert 0 < codes.unused(12).sum() == (coefficients == 0).sum()  # coherence picks some in vain


@POOLS
@pytest.mark.parametrize("screen", LOW, ids=str)
def test_a_code_depends_on_its_vector_alone(pool, screen: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    x, atoms = pool(vectors=21, atoms=1003)
    whole = comp(x, atoms, (6,))
    monkeypatch.setattr(module, "ROWS", 7)
    monkeypatch.setattr(nearest_atoms, "_SCORES", 700)
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if threads == 1 else 1)
    try:
        parts = comp(x, atoms, (6,), screen=screen)
    finally:
        torch.set_num_threads(threads)
    alone = [comp(vector[None], atoms, (6,), screen=screen) for vector in x[:5]]
    assert torch.equal(parts.picks, whole.picks)
    assert torch.equal(parts.coefficients[6], whole.coefficients[6])
    assert torch.equal(torch.cat([codes.picks for codes in alone]), whole.picks[:5])
    assert torch.equal(torch.cat([codes.coefficients[6] for codes in alone]), whole.coefficients[6][:5])


@pytest.mark.parametrize("screen", LOW, ids=str)
@pytest.mark.parametrize("both_signs", [False, True])
def test_of_atoms_whose_scores_hardly_differ_the_best_is_found(screen: torch.dtype, both_signs: bool) -> None:
    base = normalize(torch.randn(16, dtype=torch.float64), dim=0)
    atoms = normalize(base + 1e-7 * torch.randn(700, 16, dtype=torch.float64), dim=1)
    queries = torch.stack([base, -base if both_signs else base, normalize(base + 0.1 * atoms[3], dim=0)])
    scores = (atoms * queries[:, None]).sum(2)
    expected = (scores.abs() if both_signs else scores).argmax(1)
    none = torch.zeros(3, 0, dtype=torch.long)
    found = nearest_atoms.best_atoms(queries, atoms, none, both_signs=both_signs, screen=screen)
    assert found.tolist() == expected.tolist()


def test_of_equal_atoms_the_first_is_picked_and_a_query_of_zeros_has_an_answer() -> None:
    _, atoms = random_pool(atoms=300)
    atoms[::7] = atoms[50]
    nearest = comp(atoms[50][None], atoms, (2,))
    assert nearest.picks[0, 0] == 0
    assert comp(torch.zeros(1, 40), atoms, (2,)).coefficients[2].tolist() == [[0.0, 0.0]]


@POOLS
def test_a_smaller_size_is_the_beginning_of_a_larger_one(pool) -> None:
    x, atoms = pool()
    together = comp(x, atoms, (2, 5, 9))
    for size in (2, 5, 9):
        alone = comp(x, atoms, (size,))
        assert torch.equal(alone.picks, together.picks[:, :size])
        assert torch.equal(alone.coefficients[size], together.coefficients[size])


def test_planted_mixes_are_found() -> None:
    atoms = normalize(torch.randn(2000, 256, dtype=torch.float64), dim=1)
    planted = torch.stack([torch.randperm(2000)[:4] for _ in range(30)])
    weights = torch.tensor([1.0, 0.8, 0.7, 0.6], dtype=torch.float64)
    x = (weights[:, None] * atoms[planted]).sum(1)
    codes = comp(x, atoms, (4,), coherence=0.0)
    assert codes.picks.sort().values.tolist() == planted.sort().values.tolist()
    expected = weights.expand(30, 4).gather(1, planted.argsort())
    assert torch.allclose(codes.coefficients[4].gather(1, codes.picks.argsort()), expected, atol=1e-10)


def test_signed_mixes_hold_planted_negative_atoms() -> None:
    atoms = normalize(torch.randn(2000, 256, dtype=torch.float64), dim=1)
    x = (atoms[5] - 0.8 * atoms[700] + 0.6 * atoms[1500])[None]
    codes = comp(x, atoms, (3,), coherence=0.0, nonnegative=False)
    assert codes.picks.tolist() == [[5, 700, 1500]]
    assert codes.coefficients[3][0].tolist() == pytest.approx([1, -0.8, 0.6], abs=1e-10)
    flipped = comp(x, -atoms, (3,), coherence=0.3, nonnegative=False)
    assert flipped.picks.tolist() == comp(x, atoms, (3,), coherence=0.3, nonnegative=False).picks.tolist()


def test_top_k_takes_the_most_similar_atoms_and_fits_them_once() -> None:
    x, atoms = text_like_pool()
    codes = top_k(x, atoms, (3, 6))
    expected = (x.double() @ atoms.double().T).argsort(1, descending=True)[:, :6]
    assert torch.equal(codes.picks, expected)
    for row in range(len(x)):
        fitted = nnls(atoms[expected[row]].double().numpy().T, x[row].double().numpy())[0]
        assert codes.coefficients[6][row].numpy() == pytest.approx(fitted, abs=1e-9)


def test_atoms_that_are_the_same_lead_to_their_first_and_only_that_is_picked() -> None:
    x, atoms = text_like_pool()
    atoms[300:320] = atoms[100:120]
    noisy = normalize(atoms[100:110].double() + 1e-5 * torch.randn(10, 40, dtype=torch.float64), dim=1)
    atoms[500:510] = noisy.float()
    atoms[600] = normalize(atoms[601] + 0.01 * torch.randn(40), dim=0)  # only like it
    expected = torch.arange(900)
    expected[300:320] = torch.arange(100, 120)
    expected[500:510] = torch.arange(100, 110)
    owners = distinct(atoms)
    assert torch.equal(owners, expected)
    usable = owners == torch.arange(900)
    picks = comp(x, atoms, (8,), coherence=1.0, usable=usable).picks
    assert usable[picks].all()
    doubled = comp(x, atoms, (8,), coherence=1.0).picks
    assert any(len(set(owners[row].tolist())) < 8 for row in doubled)  # else nothing is shown here
    assert all(len(set(owners[row].tolist())) == 8 for row in picks)


def test_coherence_is_the_weighted_mean_cosine_of_pairs() -> None:
    atoms = normalize(torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1]]), dim=1)
    codes = Codes(torch.tensor([[0, 1, 2], [2, 0, 1]]), {3: torch.tensor([[2.0, 1, 3], [1, 0, 0]]).double()})
    mean = coherence_of(codes, atoms, 3)
    assert float(mean[0]) == pytest.approx(2 * 0.5**0.5 / (2 + 6 + 3))
    assert mean[1].isnan()


def test_a_dictionary_may_be_a_memory_map_in_half_precision(tmp_path: Path) -> None:
    x, atoms = random_pool()
    np.save(tmp_path / "atoms.npy", atoms.half().numpy())
    stored = torch.from_numpy(np.load(tmp_path / "atoms.npy", mmap_mode="c"))
    codes, other = comp(x, stored, (5,)), comp(x, atoms.half().double(), (5,))
    assert torch.equal(codes.picks, other.picks)
    assert torch.allclose(codes.coefficients[5], other.coefficients[5], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda x, atoms: (x, atoms, (901,)), "901 atoms for each vector: the dictionary has 900"),
        (lambda x, atoms: (x, atoms, (0,)), "0 atoms|dictionary has 900"),
        (lambda x, atoms: (x[:, :5], atoms, (2,)), r"\(20, 5\) and atoms \(900, 40\)"),
        (lambda x, atoms: (x / 0, atoms, (2,)), "not finite"),
        (lambda x, atoms: (x, torch.cat([atoms[:7], 3 * atoms[7:]]), (2,)), "atom 7 has length 3, wanted 1"),
        (lambda x, atoms: (x, torch.cat([atoms[:7], atoms[7:] * torch.nan]), (2,)), "atom 7 has length nan"),
    ],
)
def test_what_cannot_be_written_is_refused(change, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        comp(*change(*random_pool()))


def test_no_vectors_have_no_codes() -> None:
    _, atoms = random_pool()
    codes = comp(torch.zeros(0, 40), atoms, (2, 3))
    assert codes.picks.shape == (0, 3)
    assert codes.coefficients[2].shape == (0, 2)


def test_real_image_embeddings_in_words_of_lvis() -> None:
    roads.need("cifar10_test500_clip_vitb32", "detic_clip_vitb32_text")
    assets = roads.ASSETS
    images = torch.load(assets / "cifar10_test500_clip_vitb32/image_embeddings.pt", weights_only=True).float()
    labels = np.load(assets / "cifar10_test500_clip_vitb32/image_labels.npy")
    texts = torch.tensor(np.load(assets / "detic_clip_vitb32_text/lvis_v1_clip_a+cname.npy")).float()
    listed = json.loads((assets / "detic_clip_vitb32_text/lvis_v1_train_cat_info.json").read_text())
    names = [entry["name"] for entry in sorted(listed, key=lambda entry: entry["id"])]
    classes = torch.tensor([names.index(name) for name in roads.LVIS_NAMES])[torch.from_numpy(labels).long()]
    images, texts = normalize(images, dim=1), normalize(texts, dim=1)
    x, atoms = normalize(images - images.mean(0), dim=1), normalize(texts - texts.mean(0), dim=1)
    found = {}
    for name, codes in {
        "top-k": top_k(x, atoms),
        "NNOMP": comp(x, atoms, coherence=0.0),
        "COMP": comp(x, atoms),
    }.items():
        cosine = torch.cosine_similarity(mixes(codes, atoms, 5), x.double(), dim=1).mean()
        named = (codes.picks == classes[:, None]).any(1).double().mean()
        found[name] = [float(cosine), float(coherence_of(codes, atoms, 5).mean()), float(named)]
    for name, expected in {
        "top-k": [0.345, 0.276, 0.756],
        "NNOMP": [0.390, 0.016, 0.454],
        "COMP": [0.361, 0.204, 0.716],
    }.items():
        assert found[name] == pytest.approx(expected, abs=0.002), name
    assert int(comp(x, atoms).unused(5).sum()) == 50
    assert int(comp(images, atoms).unused(5).sum()) == 320  # images that are not centred
