import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import Tensor

from sing_compute.errors import TranslatorError
from sing_compute.translator.ridge import RidgePath, RidgeSums


def make_data(images: int = 400, dim: int = 48, clip: int = 20, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Correlated features with an offset, and unit targets that depend on them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(images, dim)) @ rng.normal(size=(dim, dim)) / 7 + rng.normal(size=dim)
    targets = features @ rng.normal(size=(dim, clip)) / 5 + 3 + rng.normal(size=(images, clip))
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    return torch.from_numpy(features).float(), torch.from_numpy(targets).float()


def sums_of(features: Tensor, targets: Tensor, pieces: int = 1) -> RidgeSums:
    sums = RidgeSums.zero(features.shape[1], targets.shape[1])
    for f, z in zip(features.chunk(pieces), targets.chunk(pieces), strict=True):
        sums = sums + RidgeSums.of(f, z)
    return sums


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 100.0, 1e4])
def test_weights_and_cosine_are_scikit_learns(ridge: float) -> None:
    features, targets = make_data()
    reference = Ridge(alpha=ridge, solver="cholesky").fit(features.double().numpy(), targets.double().numpy())
    translator = RidgePath(sums_of(features, targets, pieces=7)).fit(ridge)
    assert np.abs(translator.weight.numpy() - reference.coef_).max() < 1e-5 * np.abs(reference.coef_).max()
    assert np.abs(translator.bias.numpy() - reference.intercept_).max() < 1e-5
    predicted = torch.from_numpy(reference.predict(features.double().numpy()))
    cosine = torch.nn.functional.cosine_similarity
    difference = cosine(translator(features), targets.double()) - cosine(predicted, targets.double())
    assert float(difference.abs().max()) < 1e-12


def test_an_exact_linear_map_is_found_again() -> None:
    features, _ = make_data()
    weight = torch.randn(20, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    translator = RidgePath(sums_of(features, features.double() @ weight.T + 2)).fit(1e-9)
    assert float((translator.weight - weight).abs().max()) < 1e-6
    assert float((translator.bias - 2).abs().max()) < 1e-5


def test_subtracting_a_fold_leaves_the_sums_of_the_rest() -> None:
    features, targets = make_data()
    left = sums_of(features, targets) - sums_of(features[:80], targets[:80])
    rest = sums_of(features[80:], targets[80:])
    assert left.count == rest.count
    assert left.target_energy == pytest.approx(rest.target_energy)
    torch.testing.assert_close(left.feature_products, rest.feature_products)
    torch.testing.assert_close(left.cross_products, rest.cross_products)


def test_the_path_translates_as_the_fitted_translator_does() -> None:
    features, targets = make_data()
    path = RidgePath(sums_of(features, targets))
    torch.testing.assert_close(path.translate(path.rotate(features), 3.0), path.fit(3.0)(features))


def test_lambda_unit_is_the_mean_variance_times_the_count() -> None:
    features, targets = make_data()
    expected = np.trace(np.cov(features.double().numpy().T, ddof=0)) * 400 / 48
    assert sums_of(features, targets).lambda_unit == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("features", "message"),
    [(torch.randn(1, 4), "at least two images"), (torch.ones(9, 4), "features of all images are equal")],
)
def test_features_that_determine_nothing_are_refused(features: Tensor, message: str) -> None:
    with pytest.raises(TranslatorError, match=message):
        RidgePath(sums_of(features, torch.randn(len(features), 3)))
