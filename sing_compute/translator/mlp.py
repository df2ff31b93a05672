"""The paper's non-linear translators, for comparison only: trained where the linear one is solved (SING, Table 2)."""

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
"""Gives features (image, dim), unit embeddings (image, clip) and folds (image,), batch by batch: anew at each call, and
the same images in the same order."""
Kind = Literal["3layer", "residual", "4layer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The paper's three, by the names of the authors' code, in the order of Table 2."""

POOL = 8192
"""Images that are mixed at a time: shards are sorted by class, and a minibatch of one class teaches only that class."""
STOPPING_SHARE = 10
"""One in so many training images is not trained on but tells when to stop."""
STOPPING_IMAGES = 2000
"""At most so many are kept for that."""
CONSTANT = 1e-6
"""A feature whose deviation is this share of its size is constant: sums in float64 leave about 1e-8 of one that is."""


@dataclass(frozen=True, slots=True)
class MlpSettings:
    """How an MLP is built and trained.

    The paper gives learning_rate and weight_decay (supplement 1.1); dropout is in the authors' code, and width in the files
    beside their translators. They do not publish the rest: it is ours.
    """

    learning_rate: float = 1e-4
    weight_decay: float = 0.1
    dropout: float = 0.1
    width: int = 1024
    batch_size: int = 128
    epochs: int = 200
    """At most so many passes over the images."""
    patience: int = 5
    """Passes without a smaller error on the stopping images after which training ends; the best pass is kept."""


DEFAULTS = MlpSettings()


@dataclass(frozen=True, slots=True)
class MlpTranslator:
    """A trained network that moves features of one model into one CLIP image space. It is not affine: d has no A d."""

    kind: Kind
    network: nn.Sequential
    """In evaluation mode, float32; it sees standardised features and answers in deviations of the embeddings."""
    mean_feature: Float[Tensor, " dim"]
    feature_scale: Float[Tensor, " dim"]
    mean_target: Float[Tensor, " clip"]
    target_scale: float
    epochs: int
    """Passes over the images that the kept network was trained for."""

    def __call__(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image clip"]:
        """T(f) of each row, float32."""
        standard = (features.double() - self.mean_feature) / self.feature_scale
        translated: Tensor = self.network(standard.float()) * self.target_scale + self.mean_target.float()
        return translated

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return sum(parameter.numel() for parameter in self.network.parameters())


class Residual(nn.Module):
    """x + block(x)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Float[Tensor, "image width"]) -> Float[Tensor, "image width"]:
        """Add what the block makes of x to x."""
        added: Tensor = x + self.block(x)
        return added


def build_mlp(kind: Kind, dim: int, clip: int, *, width: int, dropout: float) -> nn.Sequential:
    """One linear layer, then LayerNorm-GELU-Dropout-Linear blocks: one fewer than the layers (SING, supplement 1.1)."""

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
    """Train one MLP on the images outside a fold: AdamW on the squared error of the embedding (SING, eq. 14).

    Features are standardised by their mean and deviation. Embeddings are centred and divided by one number: eq. 14 up to a
    factor, but a network that starts out with outputs of the size of its targets. Without it the learning rate is too small:
    400 CIFAR images under ResNet-20 stood at cosine .78 after 150 passes, below the mean embedding's .87; with it at .907
    after 33. The answer is the same for the same seed, images and number of threads. Memory does not grow with the images.

    Args:
        kind: Which of the three architectures.
        batches: Called once for mean and deviation, then once an epoch.
        held_fold: The images of this fold are not looked at.
        seed: Of the first weights, the order of the images and the dropout.
        settings: Of the network and its training.

    Raises:
        TranslatorError: Too few images, features or embeddings that do not vary or are not finite, or a training that
            diverged.
    """
    return _train(kind, batches, _first_pass(batches, held_fold), held_fold, seed, settings)


@dataclass(frozen=True, slots=True)
class _FirstPass:
    """Sums of the training images, and those of them that tell when to stop."""

    sums: RidgeSums
    features: Float[Tensor, "stopping dim"]
    targets: Float[Tensor, "stopping clip"]
    stride: int
    """Training images at multiples of it are the stopping ones."""


def _first_pass(batches: Batches, held_fold: int) -> _FirstPass:
    sums: RidgeSums | None = None
    kept: list[tuple[Tensor, Tensor]] = []
    stride = STOPPING_SHARE
    for features, targets, folds in batches():
        f, z = _outside(features, targets, folds, held_fold)
        sums = RidgeSums.zero(f.shape[1], z.shape[1], device=f.device) if sums is None else sums
        chosen = torch.arange(sums.count, sums.count + len(f), device=f.device) % stride == 0
        kept.append((f[chosen], z[chosen]))
        sums = sums + RidgeSums.of(f, z)
        if sum(len(rows) for rows, _ in kept) > STOPPING_IMAGES:
            f, z = (torch.cat(parts) for parts in zip(*kept, strict=True))
            kept, stride = [(f[::2], z[::2])], 2 * stride
    if sums is None or sums.count < 3:
        raise TranslatorError(
            f"an MLP needs at least three images outside fold {held_fold}, got {sums.count if sums else 0}; give more"
        )
    if not math.isfinite(sums.target_energy) or not sums.feature_products.isfinite().all():
        raise TranslatorError(
            "features or embeddings hold values that are not finite, and no MLP can learn from them; leave those images out"
        )
    f, z = (torch.cat(parts) for parts in zip(*kept, strict=True))
    return _FirstPass(sums, f, z, stride)


def _outside(
    features: Float[Tensor, "image dim"],
    targets: Float[Tensor, "image clip"],
    folds: Int[Tensor, " image"],
    held_fold: int,
) -> tuple[Float[Tensor, "training dim"], Float[Tensor, "training clip"]]:
    """The rows of a batch that are not held out."""
    return features[folds != held_fold], targets[folds != held_fold]


def _feature_scale(sums: RidgeSums) -> Float[Tensor, " dim"]:
    """Standard deviation of each feature; 1 where it is constant."""
    square = sums.feature_products.diagonal() / sums.count
    deviation = (square - sums.mean_feature.square()).clamp_min(0).sqrt()
    varies = deviation > CONSTANT * square.sqrt()
    if not varies.any():
        raise TranslatorError(
            "the features of all images are equal: nothing can be translated; are these the right weights?"
        )
    return torch.where(varies, deviation, 1.0)


def _target_scale(sums: RidgeSums) -> float:
    """Standard deviation of an embedding's coordinate about its own mean, one number for all coordinates."""
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
    """Mean over images of ||T(f) - z||^2 (eq. 14)."""
    error: Tensor = (network(inputs) - wanted).square().sum(dim=1).mean()
    return error


def _minibatches(rows: Iterable[tuple[Tensor, Tensor]], size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of rows in random order: a pool is filled, mixed, half of it given away, and filled again."""
    pool: list[tuple[Tensor, Tensor]] = []
    for pair in rows:
        pool.append(pair)
        if sum(len(part) for part, _ in pool) >= POOL:
            features, targets = _mixed(pool)
            given = max(1, len(features) // 2 // size) * size
            yield from zip(torch.split(features[:given], size), torch.split(targets[:given], size), strict=True)
            pool = [(features[given:], targets[given:])]
    features, targets = _mixed(pool)
    if len(features):
        yield from zip(torch.split(features, size), torch.split(targets, size), strict=True)


def _mixed(pool: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    features, targets = (torch.cat(parts) for parts in zip(*pool, strict=True))
    order = torch.randperm(len(features)).to(features.device)
    return features[order], targets[order]
