"""Find directions by other methods, to compare EDDP with: PCA, NMF, ICA, k-means, sparse autoencoders, Pattern-CAV.

Each finds directions that features are made of. `rival_pairs` adds filters and thresholds.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.errors import SingError

MOST_POSITIONS = 20_000
"""Positions that a method sees; of more, as many are taken at even steps."""
LENGTH = 3.0
"""Root mean square distance from the mean to which features are scaled: autoencoders' rates and penalties are meant for it."""
SPARSITY = 0.1
"""Penalty of the wide autoencoder on the lengths of its parts."""
_SMALLEST_SPREAD = 1e-3
"""Smallest deviation along a principal axis, over the largest one, that counts as a source of ICA."""
_LARGE = 256
"""Dimensions from which whitening by eigenvectors is faster."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A method that needs no labels."""

    find: Callable[[Float[Tensor, "position dim"], int, int], Float64[Tensor, "dim direction"]]
    """Is given features, the number of directions and a seed, and gives at most so many directions."""
    signed: bool = True
    """False if a direction and its opposite are the same to the method."""


def pca(features: Float[Tensor, "position dim"], count: int, seed: int) -> Float64[Tensor, "dim direction"]:
    """Return principal directions, the largest variance first.

    Args:
        features: Feature vectors.
        count: Number of directions.
        seed: Seed of the randomised decomposition of large problems.
    """
    return _columns(_sklearn("decomposition").PCA(count, random_state=seed).fit(_numpy(features)).components_)


def nmf(features: Float[Tensor, "position dim"], count: int, seed: int) -> Float64[Tensor, "dim direction"]:
    """Return the parts of a non-negative factorisation of features, shifted to at least 0.

    Args:
        features: Feature vectors.
        count: Number of parts.
        seed: Seed of the start.
    """
    positions = _numpy(features)
    steps = int(np.clip(6e10 / (positions.size * count), 20, 1000))
    method = _sklearn("decomposition").NMF(count, init="nndsvda", max_iter=steps, random_state=seed)
    return _columns(_quiet(method, positions - positions.min(0)).components_)


def ica(
    features: Float[Tensor, "position dim"], count: int, seed: int, *, spare: int = 64
) -> Float64[Tensor, "dim direction"]:
    """Return mixing directions of FastICA, the largest variance first: as many sources as features have dimensions with variance.

    Args:
        features: Feature vectors.
        count: Number of directions that are wanted.
        seed: Seed of the start.
        spare: There are at most so many sources, or `count` if that is more.
    """
    positions = _numpy(features)
    variances = np.linalg.eigvalsh(np.cov(positions.T))
    sources = min(int((variances > _SMALLEST_SPREAD**2 * variances[-1]).sum()), max(count, spare))
    if not sources:
        raise SingError("the features do not vary: there are no directions to find by ICA")
    steps = int(np.clip(1e11 / (len(positions) * sources**2), 20, 1000))
    solver = "eigh" if positions.shape[1] > _LARGE else "svd"
    method = _sklearn("decomposition").FastICA(sources, random_state=seed, max_iter=steps, whiten_solver=solver)
    mixing = _columns(_quiet(method, positions).mixing_.T)
    return mixing[:, mixing.norm(dim=0).argsort(descending=True, stable=True)]


def k_means(features: Float[Tensor, "position dim"], count: int, seed: int) -> Float64[Tensor, "dim direction"]:
    """Return the centres of clusters, seen from the mean.

    Args:
        features: Feature vectors.
        count: Number of clusters.
        seed: Seed of the starts.
    """
    positions = _numpy(features)
    starts = int(np.clip(1e10 / (positions.size * count), 1, 10))
    method = _sklearn("cluster").KMeans(count, n_init=starts, random_state=seed)
    with importlib.import_module("threadpoolctl").threadpool_limits(1, "openmp"):  # threads add up in any order
        fitted = _quiet(method, positions)
    return _columns(fitted.cluster_centers_ - positions.mean(0))


def autoencoder(
    features: Float[Tensor, "position dim"],
    width: int,
    seed: int,
    *,
    sparsity: float = 0.0,
    rate: float = 1e-2,
    steps: int = 1500,
    batch: int = 512,
) -> Float64[Tensor, "dim direction"]:
    """Return decoder directions of an autoencoder with one layer of rectified units, the largest parts of the features first.

    Args:
        features: Feature vectors; the autoencoder is trained in their precision.
        width: Number of units.
        seed: Seed of start and batches.
        sparsity: Penalty on the sum of the lengths of the parts, in the unit of the features.
        rate: Learning rate of Adam.
        steps: Steps of Adam.
        batch: Positions of a step.
    """
    draw = torch.Generator().manual_seed(seed)
    positions = features - features.mean(0)
    dim = positions.shape[1]
    decoder = normalize(torch.randn(width, dim, generator=draw, dtype=torch.float64), dim=1).to(positions)
    encoder, shift, offset = decoder.T.clone(), positions.new_zeros(width), positions.new_zeros(dim)
    parameters = [each.requires_grad_() for each in (encoder, shift, decoder, offset)]
    optimiser = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        part = positions[torch.randint(len(positions), (batch,), generator=draw).to(positions.device)]
        code = torch.relu(part @ encoder + shift)
        again = code @ decoder + offset
        loss = ((again - part) ** 2).sum(1).mean() + sparsity * (code * decoder.norm(dim=1)).sum(1).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        size = torch.relu(positions @ encoder + shift).square().mean(0) * decoder.square().sum(1)
    directions: Tensor = decoder.detach().T
    return directions[:, size.argsort(descending=True, stable=True)].double()


def pattern_cav(
    features: Float[Tensor, "position dim"], present: Bool[Tensor, "position concept"]
) -> Float64[Tensor, "dim concept"]:
    """Return the difference of the means with and without each concept (Pattern-CAV): the only rival that sees labels.

    Args:
        features: Feature vectors.
        present: Labels: classes, or concepts.

    Returns:
        One direction for each concept; zeros for one that is everywhere or nowhere.
    """
    on = present.to(features.dtype)
    count = on.sum(0).double()
    sums, total = (features.T @ on).double(), features.double().sum(0)[:, None]
    difference = sums / count - (total - sums) / (len(features) - count)
    return torch.where((count > 0) & (count < len(features)), difference, 0.0)


def _narrow(features: Tensor, count: int, seed: int) -> Tensor:
    return _large_autoencoder(features, count, count, seed, 0.0)


def _wide(features: Tensor, count: int, seed: int) -> Tensor:
    return _large_autoencoder(features, max(32, 4 * count), count, seed, SPARSITY)


def _large_autoencoder(features: Tensor, width: int, count: int, seed: int, sparsity: float) -> Tensor:
    """Train in single precision, with the rate of wide layers and as many steps as there is time for."""
    dim = features.shape[1]
    batch = 512 if dim * width < 1 << 17 else 256
    steps = int(np.clip(2e11 / (batch * dim * width), 400, 1500))
    rate = 0.04 / dim**0.5
    found = autoencoder(features.float(), width, seed, sparsity=sparsity, rate=rate, steps=steps, batch=batch)
    return found[:, :count]


RIVALS: Mapping[str, Rival] = {
    "PCA": Rival(pca, signed=False),
    "NMF": Rival(nmf),
    "ICA": Rival(lambda features, count, seed: ica(features, count, seed)[:, :count], signed=False),
    "k-means": Rival(k_means),
    "autoencoder, narrow": Rival(_narrow),
    "autoencoder, wide and sparse": Rival(_wide),
}
"""The methods without labels, by name."""


def rival_directions(
    name: str, features: Float[Tensor, "position dim"], count: int, *, seed: int = 0
) -> Float64[Tensor, "dim direction"]:
    """Find directions by one of `RIVALS`, from at most `MOST_POSITIONS` positions, scaled to `LENGTH`.

    Args:
        name: The method.
        features: Feature vectors.
        count: Number of directions.
        seed: Seed of the method.

    Returns:
        Directions of any length, as many as asked for; of ICA fewer, if the features vary in fewer dimensions.

    Raises:
        SingError: scikit-learn is not installed, there are more directions than dimensions or positions, or nothing varies.
    """
    if count > min(features.shape):
        raise SingError(f"{count} directions cannot be found by {name} in features of shape {tuple(features.shape)}")
    rows = torch.linspace(0, len(features) - 1, min(len(features), MOST_POSITIONS), dtype=torch.float64).round().long()
    some = features[rows.to(features.device)].double()
    spread = (some - some.mean(0)).square().sum(1).mean().sqrt()
    if not float(spread) > 0:
        raise SingError(f"the features do not vary: there are no directions to find by {name}")
    return RIVALS[name].find(some * (LENGTH / spread), count, seed).to(features.device)


def _sklearn(part: str) -> Any:
    try:
        return importlib.import_module(f"sklearn.{part}")
    except ModuleNotFoundError as error:
        raise SingError(
            "other ways to find directions need scikit-learn: pip install 'sing-explorer[rivals]'"
        ) from error


def _quiet(method: Any, positions: Float64[np.ndarray, "position dim"]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so where it has not converged
        return method.fit(positions)


def _numpy(features: Tensor) -> Float64[np.ndarray, "position dim"]:
    return features.double().cpu().numpy()


def _columns(rows: Float[np.ndarray, "direction dim"]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows.T)).double()
