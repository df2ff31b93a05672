import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from sing_compute.errors import HeadError
from sing_compute.linalg.null_space import HeadSplits, NullSpaceRule, rank_cutoff, split_head, stored_precision


def make_head(classes: int, dim: int, rank: int, *, seed: int = 0) -> Tensor:
    """A float64 head of known rank whose non-zero singular values fall from 2 to 0.5."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.normal(size=(classes, rank)))
    right, _ = np.linalg.qr(rng.normal(size=(dim, rank)))
    return torch.from_numpy(left * np.geomspace(2, 0.5, rank) @ right.T)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("classes", "dim", "rank"), [(100, 256, 60), (100, 256, 100), (256, 100, 37), (10, 64, 9)])
def test_rank_survives_the_precision_the_head_was_stored_in(
    dtype: torch.dtype, classes: int, dim: int, rank: int
) -> None:
    weight = (
        make_head(classes, dim, rank).to(dtype).float() if dtype != torch.float64 else make_head(classes, dim, rank)
    )
    split = split_head(weight, stored_dtype=dtype)
    assert (split.rank, split.nullity) == (rank, dim - rank)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_noise_is_estimated_near_what_rounding_really_adds(dtype: torch.dtype) -> None:
    weight = make_head(1000, 1280, 500)
    noise = float(torch.linalg.matrix_norm(weight - weight.to(dtype).double(), ord=2))
    assert noise / 2 < rank_cutoff(weight, dtype) < 2 * noise


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_rank_does_not_depend_on_the_heads_scale(scale: float) -> None:
    assert split_head(make_head(100, 256, 60).float() * scale, stored_dtype=torch.float32).rank == 60


def test_float32_rule_is_numpys_matrix_rank() -> None:
    weight = make_head(40, 90, 23).float()
    tolerance = 90 * np.finfo(np.float32).eps * np.linalg.norm(weight.numpy().astype(np.float64), 2)
    assert rank_cutoff(weight.double(), torch.float32) == pytest.approx(tolerance)
    assert split_head(weight, stored_dtype=torch.float32).rank == np.linalg.matrix_rank(weight.numpy())


def test_null_basis_spans_scipys_null_space() -> None:
    weight = make_head(30, 50, 30)
    split = split_head(weight, stored_dtype=torch.float64)
    reference = scipy.linalg.null_space(weight.numpy())
    assert np.abs(split.null_basis.numpy().T @ split.null_basis.numpy() - reference @ reference.T).max() < 1e-12


@pytest.mark.parametrize("rank", [5, 45])  # null space wider, and narrower, than the principal space
def test_removing_the_null_part_leaves_every_logit_alone(rank: int) -> None:
    weight = make_head(48, 50, rank)
    split = split_head(weight, stored_dtype=torch.float64)
    features = torch.randn(20, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    null = split.null_part(features)
    assert float((null @ weight.T).abs().max()) < 1e-12
    assert float((split.null_part(null) - null).abs().max()) < 1e-12
    assert float(null.norm()) > 0.1


def test_bases_are_orthonormal_and_complete() -> None:
    split = split_head(make_head(10, 64, 10).float(), stored_dtype=torch.float32)
    basis = torch.cat([split.row_basis, split.null_basis])
    assert float((basis @ basis.T - torch.eye(64, dtype=torch.float64)).abs().max()) < 1e-12


def test_softmax_gains_one_direction_exactly_when_all_ones_is_in_the_column_space() -> None:
    full = torch.randn(10, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    centred = full - full.mean(dim=0)  # already orthogonal to all-ones: nothing to gain
    for weight, gained in ((full, 1), (centred, 0)):
        plain = split_head(weight, stored_dtype=torch.float64)
        softmax = split_head(weight, stored_dtype=torch.float64, invariance="softmax")
        assert softmax.nullity - plain.nullity == gained


def test_gap_and_tail_say_where_the_spectrum_breaks() -> None:
    weight = torch.diag(torch.tensor([4.0, 2.0, 1.0, 1e-9], dtype=torch.float64))
    split = split_head(weight, stored_dtype=torch.float32)
    assert (split.rank, split.gap, split.tail_ratio) == (3, pytest.approx(1e9), 2.0)
    assert split_head(make_head(10, 64, 10), stored_dtype=torch.float64).gap == float("inf")


@pytest.mark.parametrize("weight", [torch.zeros(3, 4), torch.full((3, 4), torch.nan)])
def test_a_head_that_was_never_loaded_is_refused(weight: Tensor) -> None:
    with pytest.raises(HeadError, match="all zero or not finite; was its checkpoint loaded"):
        split_head(weight, stored_dtype=torch.float32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_tell_the_precision_they_were_rounded_to(dtype: torch.dtype) -> None:
    weight = torch.randn(20, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).to(dtype)
    assert stored_precision(weight.to(torch.float64), declared=None) == dtype
    assert stored_precision(weight, declared=torch.float64) == dtype


def test_a_file_of_coarser_dtype_is_believed() -> None:
    weight = torch.randn(20, 30, generator=torch.Generator().manual_seed(4))
    assert stored_precision(weight, declared=torch.float16) == torch.float16


@pytest.mark.parametrize(
    ("rule", "rank"),
    [("numerical", 4), ("tol=0.2", 2), ("tol=0.05", 3), ("energy=0.5", 1), ("energy=0.99", 2), ("energy=0.9999", 3)],
)
def test_approximate_rules_count_small_singular_values_as_zero(rule: str, rank: int) -> None:
    spectrum = np.diag([1.0, 0.5, 0.1, 1e-3])
    orthogonal = np.linalg.qr(np.random.default_rng(0).normal(size=(7, 7)))[0][:4]
    weight = torch.from_numpy(spectrum @ orthogonal)
    split = split_head(weight, stored_dtype=torch.float64, rule=NullSpaceRule.parse(rule))
    assert (split.rank, split.nullity) == (rank, 7 - rank)
    assert int((split.singular_values > split.cutoff).sum()) == rank
    energy = (split.singular_values[:rank].square().sum() / split.singular_values.square().sum()).item()
    if rule.startswith("energy"):
        assert energy >= NullSpaceRule.parse(rule).value
    assert str(NullSpaceRule.parse(rule)) == rule


@pytest.mark.parametrize(
    "text", ["", "exact", "tol", "tol=", "tol=2", "energy=0", "energy=1", "energy=nan", "numerical=1"]
)
def test_a_rule_that_is_none_says_what_there_is(text: str) -> None:
    with pytest.raises(HeadError, match=r"is no null space: numerical, tol=1e-2 or energy=0.99"):
        NullSpaceRule.parse(text)


def test_all_rules_of_a_head_take_one_decomposition_each_for_logits_and_softmax(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[int, ...]] = []
    whole = torch.linalg.svd

    def counted(matrix: torch.Tensor, **options: bool) -> object:
        calls.append(tuple(matrix.shape))
        return whole(matrix, **options)

    monkeypatch.setattr(torch.linalg, "svd", counted)
    monkeypatch.setattr(torch.linalg, "matrix_norm", lambda *_, **__: pytest.fail("a norm is one more decomposition"))
    weight = make_head(30, 50, 20)
    splits = HeadSplits(weight, torch.float32)
    for rule in ("numerical", "tol=1e-3", "tol=0.2", "energy=0.99"):
        for invariance in ("logits", "softmax"):
            matrix = weight.double().numpy()
            matrix = matrix - matrix.mean(0) if invariance == "softmax" else matrix
            values = np.linalg.svd(matrix, compute_uv=False)
            share = np.cumsum(values**2) / np.sum(values**2)
            wanted = {
                "numerical": int(
                    (values > 50 * torch.finfo(torch.float32).eps * np.linalg.norm(weight.numpy(), 2)).sum()
                ),
                "tol=1e-3": int((values > 1e-3 * values[0]).sum()),
                "tol=0.2": int((values > 0.2 * values[0]).sum()),
                "energy=0.99": int((share < 0.99).sum()) + 1,
            }
            found = splits.split(invariance, NullSpaceRule.parse(rule))
            assert found.rank == wanted[rule], (rule, invariance)
            lost = np.linalg.norm(matrix @ found.null_basis.numpy().T, 2)
            largest_dropped = values[found.rank] if found.rank < len(values) else 0
            assert lost == pytest.approx(largest_dropped, abs=1e-12 * values[0])
    assert calls == [(30, 50), (30, 50)]
