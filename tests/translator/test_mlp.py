import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from scipy.special import erf
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sing_compute.errors import TranslatorError
from sing_compute.translator import mlp
from sing_compute.translator.mlp import KINDS, Batches, Kind, MlpSettings, build_mlp, fit_mlp

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = MlpSettings(width=32, learning_rate=3e-3, batch_size=32, epochs=12)
"""Small and fast where the property does not depend on the paper's settings."""
FOLDS = 5


def make_data(images: int = 200, dim: int = 6, clip: int = 5, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Features with offsets and scales of their own, unit targets that bend with them, and folds."""
    rng = torch.Generator().manual_seed(seed)
    standard = torch.randn(images, dim, generator=rng)
    targets = torch.nn.functional.normalize(torch.tanh(standard @ torch.randn(dim, clip, generator=rng)) + 0.5, dim=1)
    return standard * torch.logspace(-2, 2, dim) + torch.arange(dim), targets, torch.arange(images) % FOLDS


def in_batches(data: tuple[Tensor, Tensor, Tensor], size: int = 64) -> Batches:
    return lambda: zip(*(part.split(size) for part in data), strict=True)


def state_of(kind: Kind, data: tuple[Tensor, Tensor, Tensor], *, seed: int = 0) -> dict[str, Tensor]:
    return fit_mlp(kind, in_batches(data), held_fold=0, seed=seed, settings=QUICK).network.state_dict()


def layers(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.modules() if not isinstance(layer, nn.Sequential)]


BLOCK = ["LayerNorm", "GELU", "Dropout", "Linear"]


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("3layer", ["Linear", *BLOCK, *BLOCK]),
        ("residual", ["Linear", "Residual", *BLOCK, *BLOCK]),
        ("4layer", ["Linear", *BLOCK, *BLOCK, *BLOCK]),
    ],
)
def test_layers_stand_in_the_papers_order(kind: Kind, order: list[str]) -> None:
    network = build_mlp(kind, 7, 5, width=9, dropout=0.25)
    assert layers(network) == order
    assert {layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)} == {0.25}


@pytest.mark.parametrize(("kind", "hidden"), [("3layer", 1), ("residual", 1), ("4layer", 2)])
def test_parameters_are_as_many_as_the_closed_form_says(kind: Kind, hidden: int) -> None:
    dim, width, clip = 6, 32, 5
    translator = fit_mlp(kind, in_batches(make_data()), held_fold=0, seed=0, settings=QUICK)
    block = 2 * width + (width + 1) * width
    assert translator.parameters == (dim + 1) * width + hidden * block + 2 * width + (width + 1) * clip


def numpy_block(block: nn.Module, x: np.ndarray) -> np.ndarray:
    """LayerNorm, exact GELU and a linear layer, in float64."""
    norm, _, _, linear = block
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + norm.eps)
    x = x * norm.weight.numpy() + norm.bias.numpy()
    return x * (1 + erf(x / np.sqrt(2))) / 2 @ linear.weight.numpy().T + linear.bias.numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_a_translation_is_what_numpy_computes_from_the_weights(kind: Kind) -> None:
    features, targets, folds = make_data()
    translator = fit_mlp(kind, in_batches((features, targets, folds)), held_fold=0, seed=0, settings=QUICK)
    seen = folds.numpy() != 0
    f, z = features.double().numpy(), targets.double().numpy()
    first, *blocks = translator.network
    x = (f - f[seen].mean(0)) / f[seen].std(0) @ first.weight.double().numpy().T + first.bias.numpy()
    for block in blocks:
        x = x + numpy_block(block.block, x) if kind == "residual" and block is blocks[0] else numpy_block(block, x)
    expected = x * (z[seen] - z[seen].mean(0)).std() + z[seen].mean(0)
    assert np.abs(translator(features).numpy() - expected).max() < 1e-5


def test_the_first_step_is_adamws_with_the_papers_rate_and_decay_on_the_squared_error() -> None:
    features, targets, folds = make_data()
    settings = MlpSettings(width=32, dropout=0.0, batch_size=1000, epochs=1)
    fitted = fit_mlp("3layer", in_batches((features, targets, folds)), held_fold=0, seed=3, settings=settings)
    torch.manual_seed(3)
    reference = build_mlp("3layer", 6, 5, width=32, dropout=0.0)
    f, z = features[folds != 0].double(), targets[folds != 0].double()
    inputs, wanted = (f - f.mean(0)) / f.std(0, correction=0), (z - z.mean(0)) / (z - z.mean(0)).square().mean().sqrt()
    trained = torch.arange(len(f)) % mlp.STOPPING_SHARE != 0
    torch.nn.functional.mse_loss(reference(inputs[trained].float()), wanted[trained].float()).backward()
    for before, after in zip(reference.parameters(), fitted.network.parameters(), strict=True):
        step = (after - before * (1 - 1e-4 * 0.1)).detach()  # in its first step Adam moves each weight by the rate
        strong = before.grad.abs() > 1e-3 * before.grad.abs().max()
        assert strong.float().mean() > 0.9
        assert torch.allclose(step[strong], -1e-4 * before.grad[strong].sign(), rtol=2e-3, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_network_bit_for_bit_and_another_seed_another(kind: Kind) -> None:
    data, random_state = make_data(), torch.get_rng_state()
    first, again, other = (state_of(kind, data, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), random_state), "the caller's random state is its own"


def test_the_cut_into_batches_does_not_matter() -> None:
    data = make_data()
    first, second = (
        fit_mlp("3layer", in_batches(data, size), held_fold=0, seed=0, settings=QUICK).network.state_dict()
        for size in (7, 200)
    )
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-6


def test_held_out_images_are_not_looked_at() -> None:
    features, targets, folds = make_data()
    first = state_of("residual", (features, targets, folds))
    features[folds == 0], targets[folds == 0] = torch.nan, torch.inf
    second = state_of("residual", (features, targets, folds))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0.0), (1e3, 0.0), (1.0, 1e3)])
def test_scale_and_offset_of_the_features_do_not_matter(scale: float, offset: float) -> None:
    features, targets, folds = make_data()
    features = (features / torch.logspace(-2, 2, 6)).double()
    moved = features * scale + offset
    plain, other = (
        fit_mlp("3layer", in_batches((f, targets, folds)), held_fold=0, seed=0, settings=QUICK)(f)
        for f in (features, moved)
    )
    assert float((plain - other).abs().max()) < 1e-2 * float((plain - plain.mean(0)).abs().max())


def test_a_feature_that_is_constant_in_training_does_no_harm() -> None:
    features, targets, folds = make_data()
    features = features.double()
    features[:, 2] = torch.where(folds == 0, 0.7, 0.1)
    translator = fit_mlp("4layer", in_batches((features, targets, folds)), held_fold=0, seed=0, settings=QUICK)
    assert translator.feature_scale[2] == 1, "not the rounding of its sums"
    assert float(translator(features).abs().max()) < 2


def test_the_network_is_in_evaluation_and_its_gradient_reaches_the_features_only() -> None:
    features, targets, folds = make_data()
    translator = fit_mlp("3layer", in_batches((features, targets, folds)), held_fold=0, seed=0, settings=QUICK)
    assert torch.equal(translator(features), translator(features))
    point = features[:1].double().requires_grad_()
    translator(point).sum().backward()
    assert all(parameter.grad is None for parameter in translator.network.parameters())
    step = torch.tensor([[1e-2, 1e-1, 1, 1e1, 1e2, 1e2]]).double() * 1e-2
    with torch.no_grad():
        difference = float((translator(point + step) - translator(point - step)).double().sum()) / 2
    assert float((point.grad * step).sum()) == pytest.approx(difference, rel=0.05)


def test_without_anything_to_learn_training_stops_early_and_keeps_its_best_pass() -> None:
    rng = torch.Generator().manual_seed(0)
    targets = torch.nn.functional.normalize(torch.randn(200, 5, generator=rng), dim=1)
    data = (torch.randn(200, 6, generator=rng), targets, torch.arange(200) % FOLDS)
    calls = []
    translator = fit_mlp("3layer", counted(in_batches(data), calls), held_fold=0, seed=0, settings=QUICK)
    epochs = len(calls) - 1
    assert epochs < QUICK.epochs
    assert translator.epochs == epochs - QUICK.patience
    shorter = MlpSettings(width=32, learning_rate=3e-3, batch_size=32, epochs=translator.epochs)
    best = fit_mlp("3layer", in_batches(data), held_fold=0, seed=0, settings=shorter).network.state_dict()
    assert all(torch.equal(value, best[name]) for name, value in translator.network.state_dict().items())


def counted(batches: Batches, calls: list[None]) -> Batches:
    def again() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        calls.append(None)
        yield from batches()

    return again


class LongestTensor(TorchFunctionMode):
    """Remembers the most rows that any torch function gave."""

    rows = 0

    def __torch_function__(
        self, function: Callable[..., object], types: object, args: tuple[object, ...] = (), kwargs: object = None
    ) -> object:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.ndim:
            self.rows = max(self.rows, len(result))
        return result


def test_images_are_read_once_an_epoch_and_never_kept_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp, "POOL", 500)
    monkeypatch.setattr(mlp, "STOPPING_IMAGES", 200)
    images, size, calls, alive, most = 6_000, 100, [], [], []

    def batches() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        calls.append(None)
        for start in range(0, images, size):
            rows = torch.arange(start, start + size).float()
            features = torch.stack([torch.sin(rows), torch.cos(rows)], dim=1)
            alive[:] = [reference for reference in alive if reference() is not None] + [weakref.ref(features)]
            most.append(len(alive))
            yield features, features + 1, rows.long() % FOLDS

    settings = MlpSettings(width=8, batch_size=100, epochs=2)
    with LongestTensor() as longest:
        translator = fit_mlp("3layer", batches, held_fold=0, seed=0, settings=settings)
    assert len(calls) == 1 + settings.epochs
    assert translator.epochs == 2
    assert max(most) <= 3
    assert 500 <= longest.rows <= 500 + size


def test_the_stopping_images_are_few_and_spread_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp, "STOPPING_IMAGES", 50)
    position = torch.arange(3000.0)
    data = (position[:, None], torch.stack([position, -position], dim=1), position.long() % FOLDS)
    first = mlp._first_pass(in_batches(data), 0)
    trained = position[data[2] != 0]
    assert torch.equal(first.features[:, 0], trained[:: first.stride])
    assert 25 <= len(first.features) <= 50


@pytest.mark.parametrize("pool", [1, 60, 64, 10_000])
def test_minibatches_hold_each_pair_once_and_mix_what_comes_sorted(pool: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlp, "POOL", pool)
    number = torch.arange(1000.0)[:, None]
    torch.manual_seed(0)
    batches = list(mlp._minibatches(zip(number.split(7), (-number).split(7), strict=True), 16))
    features, targets = (torch.cat(parts)[:, 0] for parts in zip(*batches, strict=True))
    assert torch.equal(features, -targets)
    assert torch.equal(features.sort().values, number[:, 0])
    assert not torch.equal(features, number[:, 0])
    assert max(len(f) for f, _ in batches) == (16 if pool > 16 else 7)
    if pool == 10_000:  # each minibatch is a sample of the whole
        assert max(abs(float(f.mean()) - 499.5) for f, _ in batches[:-1]) < 4 * 288.7 / 16**0.5


ALL = slice(None)
NOT_FINITE = (
    "features or embeddings hold values that are not finite, and no MLP can learn from them; leave those images out"
)


@pytest.mark.parametrize(
    ("part", "rows", "value", "message"),
    [
        (0, 3, torch.nan, NOT_FINITE),
        (1, 3, torch.inf, NOT_FINITE),
        (0, ALL, 1, "the features of all images are equal: nothing can be translated; are these the right weights?"),
        (1, ALL, 1, "the embeddings of all images are equal: nothing can be learnt; are they of these images?"),
        (2, slice(3, None), 0, "an MLP needs at least three images outside fold 0, got 2; give more"),
        (2, ALL, 0, "an MLP needs at least three images outside fold 0, got 0; give more"),
    ],
)
def test_data_that_determine_nothing_are_refused(part: int, rows: int | slice, value: float, message: str) -> None:
    data = make_data()
    data[part][rows] = value
    with pytest.raises(TranslatorError) as caught:
        fit_mlp("3layer", in_batches(data), held_fold=0, seed=0, settings=QUICK)
    assert str(caught.value) == message


def test_a_training_that_diverges_names_the_way_out() -> None:
    settings = MlpSettings(width=16, learning_rate=1e30, epochs=3)
    with pytest.raises(TranslatorError) as caught:
        fit_mlp("4layer", in_batches(make_data()), held_fold=0, seed=0, settings=settings)
    assert str(caught.value) == (
        "the training of the 4layer translator diverged in epoch 1 (loss nan); "
        "give a learning rate below 1e+30, or compare without it"
    )


def test_batches_that_run_dry_are_noticed() -> None:
    once = iter(list(in_batches(make_data())()))
    with pytest.raises(TranslatorError, match=r"^got 160 images to train on, then 0; give the same ones at each pass$"):
        fit_mlp("3layer", lambda: once, held_fold=0, seed=0, settings=QUICK)
