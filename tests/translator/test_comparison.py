from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.metrics.pairwise import paired_cosine_distances
from torch import Tensor

from sing_compute.errors import TranslatorError
from sing_compute.translator.comparison import LINEAR, MEAN, TranslatorQuality, compare_translators
from sing_compute.translator.mlp import KINDS, Batches, MlpSettings, fit_mlp

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = MlpSettings(width=64, learning_rate=2e-3, batch_size=64, epochs=40)
Data = tuple[Tensor, Tensor, Tensor]


def make_data(*, bend: float, noise: float = 0.0, images: int = 1000, dim: int = 4, clip: int = 8) -> Data:
    """Unit targets along f A + bend |f| B and noise: without bend and noise a linear map finds them, with bend alone none."""
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(images, dim, generator=rng)
    straight, bent = torch.randn(2, dim, clip, generator=rng).mul(0.05)
    targets = features @ straight * (bend == 0) + bend * features.abs() @ bent
    targets = targets + noise * torch.randn(images, clip, generator=rng) + torch.ones(clip)
    return features, torch.nn.functional.normalize(targets, dim=1), torch.arange(images) % 5


def in_batches(data: Data) -> Batches:
    return lambda: zip(*(part.split(64) for part in data), strict=True)


def compared(data: Data, **options: object) -> dict[str, TranslatorQuality]:
    rows = compare_translators(
        in_batches(data), **{"ridge": 1e-3, "held_fold": 1, "seed": 0, "settings": SETTINGS} | options
    )
    return {row.name: row for row in rows}


def test_an_even_map_is_found_by_every_mlp_and_by_no_linear_translator() -> None:
    rows = compared(make_data(bend=3.0))
    assert list(rows) == [MEAN, LINEAR, *KINDS]
    assert abs(rows[LINEAR].r_squared) < 0.05
    for kind in KINDS:
        assert rows[kind].r_squared > 0.9
        assert rows[kind].cosine > rows[LINEAR].cosine
        assert rows[kind].mse < rows[LINEAR].mse / 10


def test_a_linear_map_with_noise_is_not_found_better_than_by_the_linear_translator() -> None:
    rows = compared(make_data(bend=0.0, noise=0.05))
    for kind in KINDS:
        assert rows[kind].r_squared > 0.5
        assert rows[kind].r_squared < rows[LINEAR].r_squared + 0.01
        assert rows[kind].cosine < rows[LINEAR].cosine + 1e-4


@pytest.mark.parametrize("held_fold", [0, 4])
def test_every_figure_is_that_of_scikit_learn_on_the_held_out_images(held_fold: int) -> None:
    features, targets, folds = data = make_data(bend=0.5, noise=0.05)
    rows = compared(data, ridge=7.0, held_fold=held_fold, kinds=["4layer"])
    held = folds.numpy() == held_fold
    f, z = features.double().numpy(), targets.double().numpy()
    linear = Ridge(alpha=7.0, solver="cholesky").fit(f[~held], z[~held])
    mlp = fit_mlp("4layer", in_batches(data), held_fold=held_fold, seed=0, settings=SETTINGS)
    baseline = np.broadcast_to(z[~held].mean(0), (held.sum(), 8))
    answers = {MEAN: baseline, LINEAR: linear.predict(f[held]), "4layer": mlp(features[held]).double().numpy()}
    assert list(rows) == list(answers)
    for name, answer in answers.items():
        row, error = rows[name], mean_squared_error(z[held], answer)
        assert row.cosine == pytest.approx(1 - paired_cosine_distances(answer, z[held]).mean(), abs=1e-7)
        assert row.mse == pytest.approx(error, rel=1e-5)
        assert row.r_squared == pytest.approx(1 - error / mean_squared_error(z[held], baseline), abs=1e-5)
        assert row.images == held.sum() == 200
    assert (rows[MEAN].parameters, rows[LINEAR].parameters, rows["4layer"].parameters) == (8, 8 * 5, mlp.parameters)


def test_the_images_are_read_once_more_than_the_fits_need() -> None:
    data, calls = make_data(bend=0.5), []

    def batches() -> Iterator[Data]:
        calls.append(None)
        yield from in_batches(data)()

    settings = MlpSettings(width=8, epochs=2)
    compare_translators(batches, ridge=1.0, held_fold=0, seed=0, kinds=["residual", "3layer"], settings=settings)
    assert len(calls) == 1 + 2 * (1 + 2) + 1


@pytest.mark.parametrize(("held_fold", "where"), [(3, "outside"), (1, "in")])
def test_a_fold_that_leaves_nothing_to_compare_is_named(held_fold: int, where: str) -> None:
    features, targets, folds = make_data(bend=0.5)
    with pytest.raises(TranslatorError) as caught:
        compared((features, targets, torch.full_like(folds, 3)), held_fold=held_fold)
    assert str(caught.value) == (
        f"no image is {where} fold {held_fold}: translators cannot be compared; hold out another"
    )


def test_values_that_are_not_finite_are_refused_before_anything_is_solved() -> None:
    features, targets, folds = make_data(bend=0.5)
    features[0, 0] = torch.nan
    with pytest.raises(TranslatorError, match="features or embeddings hold values that are not finite"):
        compared((features, targets, folds))
