"""The streamed ridge probe against scikit-learn on kept features."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from sing_compute.linalg.null_space import split_head
from sing_compute.scores.label_probe import HALVES, PENALTIES, LabelProbe, LabelSums
from sing_compute.translator.ridge import RidgeSums

CLASSES, DIM, FOLDS, IMAGES = 3, 12, 5, 240


def streamed(
    features: torch.Tensor, labels: torch.Tensor, folds: torch.Tensor, head: torch.Tensor
) -> tuple[LabelProbe, torch.Tensor]:
    split = split_head(head, stored_dtype=torch.float32)
    sums = LabelSums.zero(FOLDS, CLASSES, DIM, torch.device("cpu"))
    for start in range(0, IMAGES, 50):
        rows = slice(start, start + 50)
        sums.add(features[rows], labels[rows], folds[rows])
    nothing = torch.zeros(IMAGES, 1, dtype=torch.float64)
    products = [RidgeSums.of(features[folds == fold], nothing[folds == fold]) for fold in range(FOLDS)]
    probe = LabelProbe.fit(sums, products, split)
    batches = [slice(start, start + 70) for start in range(0, IMAGES, 70)]
    return probe, sum(probe.count_correct(features[rows], labels[rows], folds[rows]) for rows in batches)


@pytest.fixture(scope="module")
def world() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    labels = torch.arange(IMAGES) % CLASSES
    means = torch.randn(CLASSES, DIM, generator=generator, dtype=torch.float64)
    features = 3 + means[labels] + torch.randn(IMAGES, DIM, generator=generator, dtype=torch.float64)
    return features, labels, torch.arange(IMAGES) // 7 % FOLDS, torch.randn(CLASSES, DIM, generator=generator)


def test_accuracies_equal_those_of_ridge_regression_on_one_hot_labels(
    world: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    features, labels, folds, head = world
    _, right = streamed(*world)
    basis = np.linalg.svd(head.double().numpy())[2]
    for half, rows in zip(HALVES, (basis[CLASSES:], basis[:CLASSES]), strict=True):
        inside = features.numpy() @ rows.T
        for place, ridge in enumerate(PENALTIES):
            count = 0
            for fold in range(FOLDS):
                train, test = (folds != fold).numpy(), (folds == fold).numpy()
                centred = inside[train] - inside[train].mean(0)
                penalty = ridge * np.trace(centred.T @ centred) / inside.shape[1]
                fitted = Ridge(alpha=penalty).fit(inside[train], np.eye(CLASSES)[labels[train]])
                count += int((fitted.predict(inside[test]).argmax(1) == labels[test].numpy()).sum())
            assert int(right[HALVES.index(half), place]) == count


def test_what_lies_in_one_half_is_read_from_that_half_alone() -> None:
    generator = torch.Generator().manual_seed(4)
    head = torch.randn(CLASSES, DIM, generator=generator)
    null = split_head(head, stored_dtype=torch.float32).null_basis
    labels = torch.arange(IMAGES) % CLASSES
    features = torch.randn(IMAGES, DIM, generator=generator, dtype=torch.float64) + 8 * null[labels]
    _, right = streamed(features, labels, torch.arange(IMAGES) // 7 % FOLDS, head)
    from_null, from_principal = (right / IMAGES).amax(1).tolist()
    assert from_null > 0.97
    assert from_principal < 0.5


def test_images_without_a_label_are_left_out(
    world: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    features, labels, folds, _ = world
    sums = LabelSums.zero(FOLDS, CLASSES, DIM, torch.device("cpu"))
    hidden = torch.where(torch.arange(IMAGES) < 40, -1, labels)
    sums.add(features, hidden, folds)
    assert float(sums.counts.sum()) == IMAGES - 40
    torch.testing.assert_close(sums.features.sum((0, 1)), features[40:].sum(0))
