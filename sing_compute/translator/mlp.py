"""Train the paper's non-linear translators, which serve only for comparison with the linear one (SING, Table 2)."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sing_compute.errors import TranslatorError
from sing_compute.translator.ridge import RidgeSums

Batches = Callable[[], Iterable[tuple[Tensor, Tensor, Tensor]]]
"""Start a pass over the images: batches of features (image, dim), unit embeddings (image, clip) and fold numbers
(image). Every call gives the same images in the same order."""
Kind = Literal["3layer", "residual", "4layer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The paper's three MLPs, named as in the authors' code, in the order of Table 2."""

POOL = 8192
"""Images that are shuffled together. Shards are sorted by class, and a minibatch must not hold one class alone."""
STOPPING_SHARE = 10
"""One training image in so many is not trained on: these images decide when training stops."""
STOPPING_IMAGES = 2000
"""Most images that decide when training stops."""
CONSTANT = 1e-6
"""A feature counts as constant if its standard deviation is at most this share of its root mean square: for a constant one,
sums in float64 leave about 1e-8."""


@dataclass(frozen=True, slots=True)
class MlpSettings:
    """Settings of an MLP and its training.

    learning_rate and weight_decay are the paper's (supplement 1.1), dropout is that of the authors' code, width that of
    their published translators. The other values are not published; these are our own.
    """

    learning_rate: float = 1e-4
    weight_decay: float = 0.1
    dropout: float = 0.1
    width: int = 1024
    batch_size: int = 128
    epochs: int = 200
    """Most passes over the images."""
    patience: int = 5
    """Training ends after so many passes without a smaller error on the stopping images; the best pass is used."""


DEFAULTS = MlpSettings()


@dataclass(frozen=True, slots=True)
class MlpTranslator:
    """A trained network that maps features of one model into one CLIP image space. It is not affine."""

    kind: Kind
    network: nn.Sequential
    """Network in evaluation mode, float32. Input: standardised features; output: centred embeddings over `target_scale`."""
    mean_feature: Float[Tensor, " dim"]
    feature_scale: Float[Tensor, " dim"]
    """Standard deviation of each feature; 1 for a constant one."""
    mean_target: Float[Tensor, " clip"]
    target_scale: float
    """Standard deviation of the embeddings' coordinates, one number for all."""
    epochs: int
    """Number of passes over the images that this network was trained for."""

    def __call__(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image clip"]:
        """Return T(f) of each row, float32."""
        standard = (features.double() - self.mean_feature) / self.feature_scale
        translated: Tensor = self.network(standard.float()) * self.target_scale + self.mean_target.float()
        return translated

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.network.parameters())


class Residual(nn.Module):
    """x + block(x)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Float[Tensor, "image width"]) -> Float[Tensor, "image width"]:
        """Return x + block(x)."""
        total: Tensor = x + self.block(x)
        return total


def build_mlp(kind: Kind, dim: int, clip: int, *, width: int, dropout: float) -> nn.Sequential:
    """Build one linear layer and then blocks of LayerNorm, GELU, Dropout and Linear (SING, supplement 1.1).

    Args:
        kind: Architecture. The number in its name counts the linear layers; `residual` has three.
        dim: Length of a feature.
        clip: Length of an embedding.
        width: Length of the hidden layers.
        dropout: Probability of dropping a hidden value in training.
    """

    def block(out: int) -> nn.Sequential:
        return nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, out))

    blocks: dict[Kind, list[nn.Module]] = {
        "3layer": [block(width)],
        "residual": [Residual(block(width))],
        "4layer": [block(width), block(width)],
    }
    return nn.Sequential(nn.Linear(dim, width), *blocks[kind], block(clip))


def fit_mlp(
    kind: Kind, batches: Batches, *, held_fold: int, seed: int, settings: MlpSettings = DEFAULTS
) -> MlpTranslator:
    """Train one MLP on the images outside a fold by AdamW on the squared error of the embedding (SING, eq. 14).

    Features are standardised. Embeddings are centred and divided by one number: this is eq. 14 up to a factor, and the
    network starts with outputs of the size of its targets. Without it the learning rate is too small: for 400 CIFAR
    images under ResNet-20 the cosine was .78 after 150 passes, below the .87 of the mean embedding; with it .907 after
    33 passes. The result is the same for the same seed, images and number of threads. Memory does not grow with the
    number of images.

    Args:
        kind: One of the three architectures.
        batches: Called once for mean and standard deviation, then once an epoch.
        held_fold: Number of the fold whose images are not used.
        seed: Seed of the first weights, the order of the images and the dropout.
        settings: Settings of the network and its training.

    Raises:
        TranslatorError: Too few images, features or embeddings that do not vary or are not finite, or the training
            diverged.
    """
    return _train(kind, batches, _first_pass(batches, held_fold), held_fold, seed, settings)


@dataclass(frozen=True, slots=True)
class _FirstPass:
    """Sums over the training images, and the stopping images: those that decide when training stops."""

    sums: RidgeSums
    features: Float[Tensor, "stopping dim"]
    targets: Float[Tensor, "stopping clip"]
    stride: int
    """Every so many training images, one is a stopping image."""


def _first_pass(batches: Batches, held_fold: int) -> _FirstPass:
    """Sum the images outside a fold, and choose the stopping images among them."""
    sums: RidgeSums | None = None
    stopping: list[tuple[Tensor, Tensor]] = []
    stride = STOPPING_SHARE
    for features, targets, folds in batches():
        f, z = _outside(features, targets, folds, held_fold)
        sums = RidgeSums.zero(f.shape[1], z.shape[1], device=f.device) if sums is None else sums
        chosen = torch.arange(sums.count, sums.count + len(f), device=f.device) % stride == 0
        stopping.append((f[chosen], z[chosen]))
        sums = sums + RidgeSums.of(f, z)
        if sum(len(rows) for rows, _ in stopping) > STOPPING_IMAGES:
            f, z = (torch.cat(parts) for parts in zip(*stopping, strict=True))
            stopping, stride = [(f[::2], z[::2])], 2 * stride
    if sums is None or sums.count < 3:
        raise TranslatorError(
            f"an MLP needs at least three images outside fold {held_fold}, got {sums.count if sums else 0}; give more"
        )
    if not math.isfinite(sums.target_energy) or not sums.feature_products.isfinite().all():
        raise TranslatorError(
            "features or embeddings hold values that are not finite, and no MLP can learn from them; leave those images out"
        )
    f, z = (torch.cat(parts) for parts in zip(*stopping, strict=True))
    return _FirstPass(sums, f, z, stride)


def _outside(
    features: Float[Tensor, "image dim"],
    targets: Float[Tensor, "image clip"],
    folds: Int[Tensor, " image"],
    held_fold: int,
) -> tuple[Float[Tensor, "training dim"], Float[Tensor, "training clip"]]:
    """Return the rows of a batch outside a fold."""
    return features[folds != held_fold], targets[folds != held_fold]


def _feature_scale(sums: RidgeSums) -> Float[Tensor, " dim"]:
    """Return the standard deviation of each feature; 1 where it is constant."""
    square = sums.feature_products.diagonal() / sums.count
    deviation = (square - sums.mean_feature.square()).clamp_min(0).sqrt()
    varies = deviation > CONSTANT * square.sqrt()
    if not varies.any():
        raise TranslatorError(
            "the features of all images are equal: nothing can be translated; are these the right weights?"
        )
    return torch.where(varies, deviation, 1.0)


def _target_scale(sums: RidgeSums) -> float:
    """Return the root mean square of the standard deviations of the embeddings' coordinates."""
    square = sums.target_energy / sums.count
    variance = square - float(sums.mean_target.square().sum())
    if variance <= CONSTANT**2 * square:
        raise TranslatorError(
            "the embeddings of all images are equal: nothing can be learnt; are they of these images?"
        )
    return math.sqrt(variance / len(sums.mean_target))


@torch.enable_grad()
def _train(
    kind: Kind, batches: Batches, first: _FirstPass, held_fold: int, seed: int, settings: MlpSettings
) -> MlpTranslator:
    sums, device = first.sums, first.sums.features.device
    dim, clip = sums.cross_products.shape
    mean, scale, center, spread = sums.mean_feature, _feature_scale(sums), sums.mean_target, _target_scale(sums)

    def standard(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return ((features.double() - mean) / scale).float(), ((targets.double() - center) / spread).float()

    def training_rows() -> Iterator[tuple[Tensor, Tensor]]:
        start = 0
        for features, targets, folds in batches():
            f, z = _outside(features, targets, folds, held_fold)
            chosen = torch.arange(start, start + len(f), device=device) % first.stride != 0
            start += len(f)
            yield standard(f[chosen], z[chosen])
        if start != sums.count:
            raise TranslatorError(f"got {sums.count} images to train on, then {start}; give the same ones at each pass")

    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        network = build_mlp(kind, dim, clip, width=settings.width, dropout=settings.dropout).to(device)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        stopping = standard(first.features, first.targets)
        best, best_epoch, best_state = math.inf, 0, dict[str, Tensor]()
        for epoch in range(1, settings.epochs + 1):
            network.train()
            for inputs, wanted in _minibatches(training_rows(), settings.batch_size):
                optimizer.zero_grad()
                _squared_error(network, inputs, wanted).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            network.eval()
            with torch.no_grad():
                error = float(_squared_error(network, *stopping))
            if not math.isfinite(error):
                raise TranslatorError(
                    f"the training of the {kind} translator diverged in epoch {epoch} (loss {error}); "
                    f"give a learning rate below {settings.learning_rate:g}, or compare without it"
                )
            if error < best:
                best, best_epoch = error, epoch
                best_state = {name: value.clone() for name, value in network.state_dict().items()}
            elif epoch - best_epoch >= settings.patience:
                break
    network.load_state_dict(best_state)
    network.requires_grad_(False).zero_grad()
    return MlpTranslator(kind, network, mean, scale, center, spread, best_epoch)


def _squared_error(network: nn.Module, inputs: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean over images of ||T(f) - z||^2 (eq. 14)."""
    error: Tensor = (network(inputs) - wanted).square().sum(dim=1).mean()
    return error


def _minibatches(rows: Iterable[tuple[Tensor, Tensor]], size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Give pairs of rows in random order: fill a pool, shuffle it, give half of it, fill it again."""
    pool: list[tuple[Tensor, Tensor]] = []
    for pair in rows:
        pool.append(pair)
        if sum(len(part) for part, _ in pool) >= POOL:
            features, targets = _shuffle(pool)
            count = max(1, len(features) // 2 // size) * size
            yield from zip(torch.split(features[:count], size), torch.split(targets[:count], size), strict=True)
            pool = [(features[count:], targets[count:])]
    features, targets = _shuffle(pool)
    if len(features):
        yield from zip(torch.split(features, size), torch.split(targets, size), strict=True)


def _shuffle(pool: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    features, targets = (torch.cat(parts) for parts in zip(*pool, strict=True))
    order = torch.randperm(len(features)).to(features.device)
    return features[order], targets[order]
