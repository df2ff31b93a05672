import numpy as np
import pytest
import torch

from sing_compute.extraction.precision_effect import FOLDS, GRID, effect_on_scores, few_images_ridge
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.translator.ridge import RidgePath, RidgeSums

IMAGES, DIM, CLIP, CLASSES = 60, 24, 10, 6


@pytest.fixture
def split() -> HeadSplit:
    weight = torch.randn(CLASSES, DIM, generator=torch.Generator().manual_seed(1))
    return split_head(weight, stored_dtype=torch.float32)


@pytest.fixture
def world() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(IMAGES, DIM, generator=generator)
    targets = (
        features @ torch.randn(DIM, CLIP, generator=generator) + torch.randn(IMAGES, CLIP, generator=generator) + 3
    )
    texts = torch.randn(IMAGES, CLIP, generator=generator)
    return features, targets / targets.norm(dim=1, keepdim=True), texts / texts.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("images", [9, 200])
def test_the_dual_form_is_the_ridge_translator(images: int) -> None:
    generator = torch.Generator().manual_seed(0)
    features, targets = (
        torch.randn(images, size, dtype=torch.float64, generator=generator) + 1 for size in (DIM, CLIP)
    )
    expected = RidgePath(RidgeSums.of(features, targets)).fit(0.7)
    found = few_images_ridge(features, targets, 0.7)
    assert torch.allclose(found.weight, expected.weight, rtol=1e-9, atol=1e-11)
    assert torch.allclose(found.bias, expected.bias, rtol=1e-9, atol=1e-11)


def test_nothing_changed_moves_nothing(split: HeadSplit, world: tuple[torch.Tensor, ...]) -> None:
    features, targets, texts = world
    assert effect_on_scores((features, targets), (features, targets), split, texts) == (0.0, 0.0)


def test_the_effect_is_what_numpy_finds(split: HeadSplit, world: tuple[torch.Tensor, ...]) -> None:
    features, targets, texts = world
    coarse = features.to(torch.bfloat16).float(), targets.to(torch.bfloat16).float()
    null = split.null_basis.numpy()
    projector = null.T @ null

    def angles(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        cosine = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
        return np.degrees(np.arccos(cosine))

    def views(f: np.ndarray, z: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        before, after = np.empty_like(z), np.empty_like(z)
        for fold in range(FOLDS):
            held = np.arange(IMAGES) % FOLDS == fold
            x, y = f[~held], z[~held]
            centred = x - x.mean(0)
            weight = np.linalg.solve(centred.T @ centred + penalty * np.eye(DIM), centred.T @ (y - y.mean(0)))
            bias = y.mean(0) - x.mean(0) @ weight
            before[held], after[held] = f[held] @ weight + bias, (f[held] - f[held] @ projector) @ weight + bias
        return before, after

    pairs = [tuple(part.double().numpy() for part in pair) for pair in ((features, targets), coarse)]
    f, z = pairs[0]
    unit = ((f - f.mean(0)) ** 2).sum() / DIM

    def agreement(relative: float) -> float:
        before, _ = views(f, z, relative * unit)
        return float(np.cos(np.radians(angles(before, z))).mean())

    penalty = unit * max(GRID, key=agreement)
    scores = []
    for pair in pairs:
        before, after = views(*pair, penalty)
        t = texts.double().numpy()
        scores.append((angles(before, t) - angles(after, t), angles(before, after)))
    expected = [np.quantile(np.abs(a - b), 0.95) for a, b in zip(*scores, strict=True)]
    assert expected[0] > 1e-3
    assert effect_on_scores((features, targets), coarse, split, texts) == pytest.approx(expected, rel=1e-4)


def test_too_few_images_have_no_effect_to_state(split: HeadSplit, world: tuple[torch.Tensor, ...]) -> None:
    features, targets, texts = (part[:9] for part in world)
    assert all(np.isnan(effect_on_scores((features, targets), (features, targets), split, texts)))
