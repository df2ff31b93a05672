"""A head fitted on labels, against scikit-learn's logistic regression."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sing_compute.linalg.null_space import split_head
from sing_compute.models.probe import fit_probe, out_of_fold_accuracy

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES, DIM = 4, 20


def data(count: int = 240, *, noise: float = 1.0, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % CLASSES
    means = torch.randn(CLASSES, DIM, generator=rng)
    return scale * (means[labels] + noise * torch.randn(count, DIM, generator=rng) + 3), labels


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_fit_is_that_of_scikit_learn_whatever_the_scale(scale: float) -> None:
    features, labels = data(scale=scale)
    weight, bias = fit_probe(features, labels, classes=CLASSES)
    spread = (features - features.mean(0)).square().mean().sqrt()
    inputs = ((features - features.mean(0)) / spread).double().numpy()
    reference = LogisticRegression(tol=1e-8, max_iter=2000).fit(inputs, labels.numpy())
    logits = (features @ weight.T + bias).softmax(1).numpy()
    assert np.abs(logits - reference.predict_proba(inputs)).max() < 2e-3
    assert np.abs(weight.numpy() * float(spread) - reference.coef_).max() < 5e-3


def test_the_rows_sum_to_zero_so_that_the_head_sees_one_direction_less_than_it_has_classes() -> None:
    features, labels = data()
    weight, _ = fit_probe(features, labels, classes=CLASSES)
    assert weight.sum(dim=0).abs().max() < 1e-4 * weight.abs().max()
    assert split_head(weight, stored_dtype=torch.float32).rank == CLASSES - 1


def test_the_same_data_give_the_same_head_bit_for_bit() -> None:
    features, labels = data()
    first, second = (fit_probe(features, labels, classes=CLASSES) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_out_of_fold_accuracy_of_labels_without_a_reason_is_chance_where_the_fit_is_perfect() -> None:
    features = torch.randn(120, 200, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(120) % CLASSES
    weight, bias = fit_probe(features, labels, classes=CLASSES)
    assert ((features @ weight.T + bias).argmax(1) == labels).all()
    folds = torch.arange(120) // 24
    assert out_of_fold_accuracy(features, labels, folds, classes=CLASSES) < 0.45
    assert np.isnan(out_of_fold_accuracy(features, labels, torch.zeros(120).long(), classes=CLASSES))


def test_a_class_that_a_fold_has_alone_counts_as_wrong() -> None:
    features, labels = data(noise=0.01)
    assert out_of_fold_accuracy(features, labels, torch.arange(240) % 5, classes=CLASSES) == 1.0
    assert out_of_fold_accuracy(features, labels, labels, classes=CLASSES) == 0.0
