"""Null directions by what CLIP could see move and by what images of a class do, on planted features and against numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.scores.null_movements import null_modes, principal_null_directions

CLASSES, DIM, CLIP = 3, 10, 6


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def split() -> HeadSplit:
    return split_head(normal(0, CLASSES, DIM).float(), stored_dtype=torch.float32)


@pytest.mark.parametrize("images", [5, 40], ids=["fewer images than null dimensions", "more images"])
def test_directions_and_shares_are_those_of_numpy(split: HeadSplit, images: int) -> None:
    features = normal(1, images, DIM) * torch.arange(1, DIM + 1) + 5
    found = principal_null_directions(features.float(), split, 3)
    null = features.float().double().numpy() @ split.null_basis.numpy().T
    _, values, right = np.linalg.svd(null - null.mean(0))
    np.testing.assert_allclose(found.share, values[:3] ** 2 / (values**2).sum(), rtol=1e-9)
    np.testing.assert_allclose(found.deviation, values[:3] / np.sqrt(images), rtol=1e-9)
    overlap = np.abs((found.direction @ split.null_basis.T).numpy() @ right[:3].T)
    np.testing.assert_allclose(overlap, np.eye(3), atol=1e-7)


@pytest.mark.parametrize("images", [6, 30])
def test_planted_variance_is_found_in_the_null_space_alone(split: HeadSplit, images: int) -> None:
    first, second, seen = split.null_basis[2], split.null_basis[5], split.row_basis[0]
    t = torch.linspace(-1, 1, images, dtype=torch.float64)
    t = t / t.square().mean().sqrt()
    u = t.square() - t.square().mean()
    u = u / u.square().mean().sqrt()
    found = principal_null_directions(
        7 + 100 * u[:, None] * seen + 3 * t[:, None] * first + u[:, None] * second, split, 3
    )
    torch.testing.assert_close(found.share, torch.tensor([0.9, 0.1], dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(found.deviation, torch.tensor([3.0, 1.0], dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close((found.direction @ torch.stack([first, second]).T).abs(), torch.eye(2).double())
    assert (found.direction @ split.row_basis.T).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("features", "count"),
    [
        (normal(2, 0, DIM), 0),
        (normal(2, 1, DIM), 0),
        (normal(2, 2, DIM), 0),
        (normal(2, 3, DIM), 2),
        (normal(2, 1, DIM).expand(50, DIM), 0),
        (1e4 + normal(2, 50, 1) * 1e-9 + torch.zeros(50, DIM), 0),
    ],
    ids=["no image", "one", "two", "three", "all equal", "rounding"],
)
def test_what_is_no_direction_is_left_out(split: HeadSplit, features: Tensor, count: int) -> None:
    found = principal_null_directions(features, split, 3)
    assert found.direction.shape == (count, DIM)
    assert len(found.share) == len(found.deviation) == count
    assert float(found.share.sum()) == pytest.approx(float(count > 0))


def test_modes_are_those_of_a_plain_svd_and_move_clip_by_their_values(split: HeadSplit) -> None:
    weight = normal(3, CLIP, DIM)
    found = null_modes(weight, split, 4)
    projector = split.null_basis.T @ split.null_basis
    np.testing.assert_allclose(found.singular_value, np.linalg.svd((weight @ projector).numpy())[1][:4], rtol=1e-9)
    torch.testing.assert_close((found.direction @ weight.T).norm(dim=1), found.singular_value)
    torch.testing.assert_close(found.direction @ projector, found.direction)
    assert len(null_modes(weight, split, 100).singular_value) == CLIP
    assert len(null_modes(weight @ (torch.eye(DIM) - projector), split, 4).singular_value) == 0
