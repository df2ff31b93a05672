"""Sums and path against scikit-learn and numpy, image by image, in float64."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from sing_compute.linalg.null_space import split_head
from sing_compute.measuring import fitting
from sing_compute.measuring.fitting import FOLDS, fit_translator, fold_sums, measure_path
from sing_compute.measuring.reader import PairedBatch, join_batches, spread
from sing_compute.translator.ridge import RidgePath

IMAGES, DIM, CLIP, CLASSES = 230, 20, 9, 6


class World:
    """Correlated features with an offset, unit targets that depend on them, a head; read in batches of unequal size."""

    def __init__(self, classes: int = CLASSES) -> None:
        rng = np.random.default_rng(0)
        mixing = rng.normal(size=(DIM, DIM)) * np.logspace(0, -2, DIM)[:, None]
        self.features = (rng.normal(size=(IMAGES, DIM)) @ mixing + rng.normal(size=DIM)).astype(np.float32)
        targets = self.features @ rng.normal(size=(DIM, CLIP)) + 3 + rng.normal(size=(IMAGES, CLIP))
        self.targets = (targets / np.linalg.norm(targets, axis=1, keepdims=True)).astype(np.float32)
        self.labels, self.folds = np.sort(rng.integers(classes, size=IMAGES)), rng.integers(FOLDS, size=IMAGES)
        self.head = rng.normal(size=(classes, DIM))
        texts = rng.normal(size=(classes, CLIP))
        self.texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
        self.split = split_head(torch.from_numpy(self.head), stored_dtype=torch.float64)
        self.basis = np.linalg.svd(self.head)[2][classes:]

    def batches(self) -> Iterator[PairedBatch]:
        columns = [torch.from_numpy(part) for part in (self.features, self.labels, self.folds, self.targets)]
        ends = [0, 40, 47, 130, 229, IMAGES]
        for start, end in pairwise(ends):
            yield PairedBatch(slice(start, end), *(part[start:end] for part in columns))

    def reference(self, ridge: float) -> np.ndarray:
        """Cosine, AS and IS of each image by scikit-learn's translator of the other folds, (figure, image)."""
        found = np.empty((3, IMAGES))
        features, targets = self.features.astype(np.float64), self.targets.astype(np.float64)
        for fold in range(FOLDS):
            rows = self.folds == fold
            peer = Ridge(alpha=ridge, solver="svd").fit(features[~rows], targets[~rows])
            before = peer.predict(features[rows])
            after = peer.predict(features[rows] - features[rows] @ self.basis.T @ self.basis)
            texts = self.texts[self.labels[rows]]
            cosine = (
                (before * targets[rows]).sum(1) / np.linalg.norm(before, axis=1) / np.linalg.norm(targets[rows], axis=1)
            )
            found[:, rows] = cosine, angle(before, texts) - angle(after, texts), angle(before, after)
        return found


def angle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))
    return np.degrees(2 * np.arctan2(np.linalg.norm(x - y, axis=1), np.linalg.norm(x + y, axis=1)))


@pytest.mark.parametrize("block", [1, 50, 4096])
def test_fold_sums_are_the_products_of_each_fold(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    world = World()
    monkeypatch.setattr(fitting, "SUMMED_IMAGES", block)
    for fold, sums in enumerate(fold_sums(world.batches)):
        f, z = (part[world.folds == fold].astype(np.float64) for part in (world.features, world.targets))
        assert sums.count == len(f)
        for found, wanted in (
            (sums.features, f.sum(0)),
            (sums.targets, z.sum(0)),
            (sums.feature_products, f.T @ f),
            (sums.cross_products, f.T @ z),
            (sums.target_energy, (z**2).sum()),
        ):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("classes", [CLASSES, 14])
def test_the_path_is_scikit_learns_out_of_fold(classes: int) -> None:
    world = World(classes)  # the null space is the larger or the smaller half
    sums = fold_sums(world.batches)
    total = sums[0] + sums[1] + sums[2] + sums[3] + sums[4]
    ridges = [scale * total.lambda_unit for scale in (1e-9, 1e-4, 1e-1, 1e2)]
    paths = [RidgePath(total - fold) for fold in sums]
    found = measure_path(world.batches, paths, world.split, torch.from_numpy(world.texts), ridges, 1)
    for ridge in ridges:
        cosine, score, shift = np.abs(found[ridge] - world.reference(ridge)).max(axis=1)
        assert cosine < 1e-6
        assert score < 1e-4
        assert shift < 1e-4


def test_the_chosen_penalty_has_the_best_cosine_of_the_path() -> None:
    world = World()
    fitted = fit_translator(world.batches, world.split, torch.from_numpy(world.texts).float(), IMAGES)
    best = world.reference(fitted.ridge)[0].mean()
    assert all(best >= world.reference(ridge)[0].mean() - 1e-7 for ridge in fitted.path["lambda"])
    np.testing.assert_allclose(
        fitted.path["cosine"], [world.reference(ridge)[0].mean() for ridge in fitted.path["lambda"]], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("images", [1, 60, 130, 1000])
def test_joined_batches_hold_the_same_images_in_order(images: int) -> None:
    world = World()
    found = list(join_batches(world.batches(), images))
    assert all(len(batch.features) >= images for batch in found[:-1])
    assert [batch.rows.start for batch in found] == [0, *(batch.rows.stop for batch in found[:-1])]
    assert found[-1].rows.stop == IMAGES
    for name in ("features", "targets", "labels", "folds"):
        np.testing.assert_array_equal(torch.cat([getattr(batch, name) for batch in found]), getattr(world, name))
    chosen = torch.cat([batch.features for batch in join_batches(spread(world.batches(), 7), images)])
    np.testing.assert_array_equal(chosen, world.features[::7])
