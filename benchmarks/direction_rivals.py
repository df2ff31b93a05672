"""Other ways to find directions in features, to compare EDDP with: PCA, NMF, ICA, k-means, sparse autoencoders, Pattern-CAV."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from direction_world import World
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, PCA, FastICA
from torch import Tensor


def pca(drawn: World, count: int, seed: int) -> Tensor:
    """Principal directions."""
    return _columns(PCA(count, random_state=seed).fit(_positions(drawn)).components_)


def nmf(drawn: World, count: int, seed: int) -> Tensor:
    """Parts of a non-negative factorisation, of features shifted to at least 0."""
    positions = _positions(drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so where it has not converged
        fitted = NMF(count, init="nndsvda", max_iter=1000, random_state=seed).fit(positions - positions.min(0))
    return _columns(fitted.components_)


def ica(drawn: World, count: int, seed: int) -> Tensor:
    """Mixing directions of FastICA, with as many sources as features have dimensions with variance."""
    positions = _positions(drawn)
    spread = np.linalg.svd(positions - positions.mean(0), compute_uv=False)
    sources = int((spread > 1e-3 * spread[0]).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = FastICA(sources, random_state=seed, max_iter=1000).fit(positions)
    return _columns(fitted.mixing_.T)


def k_means(drawn: World, count: int, seed: int) -> Tensor:
    """Centres of clusters around the mean."""
    positions = _positions(drawn)
    return _columns(KMeans(count, n_init=10, random_state=seed).fit(positions).cluster_centers_ - positions.mean(0))


def autoencoder(width: int, sparsity: float) -> Callable[[World, int, int], Tensor]:
    """Decoder directions of a sparse autoencoder with one layer of rectified units."""

    def fitted(drawn: World, count: int, seed: int) -> Tensor:
        draw = torch.Generator().manual_seed(seed)
        positions = drawn.features.flatten(0, 1)
        positions = positions - positions.mean(0)
        dim = positions.shape[1]
        decoder = torch.nn.functional.normalize(torch.randn(width, dim, generator=draw, dtype=torch.float64), dim=1)
        encoder, shift, offset = decoder.T.clone(), torch.zeros(width).double(), torch.zeros(dim).double()
        parameters = [each.requires_grad_() for each in (encoder, shift, decoder, offset)]
        optimiser = torch.optim.Adam(parameters, lr=1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 1500)
        for _ in range(1500):
            part = positions[torch.randint(len(positions), (512,), generator=draw)]
            code = torch.relu(part @ encoder + shift)
            again = code @ decoder + offset
            loss = ((again - part) ** 2).sum(1).mean() + sparsity * (code * decoder.norm(dim=1)).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        return decoder.detach().T

    return fitted


def pattern_cav(drawn: World, count: int, seed: int) -> Tensor:
    """Difference of the means with and without a concept, by its true labels: the only rival that sees them."""
    positions, present = drawn.features.flatten(0, 1), drawn.present.flatten(0, 1)
    pairs = ((positions[on].mean(0), positions[~on].mean(0)) for on in present.T)
    return torch.stack([with_it - without for with_it, without in pairs], 1)


RIVALS: dict[str, Callable[[World, int, int], Tensor]] = {
    "PCA": pca,
    "NMF": nmf,
    "ICA": ica,
    "k-means": k_means,
    "autoencoder, 3 units": autoencoder(3, 0.0),
    "autoencoder, 32 units, sparse": autoencoder(32, 0.1),
    "Pattern-CAV (true labels)": pattern_cav,
}


def _positions(drawn: World) -> np.ndarray:
    return drawn.features.flatten(0, 1).numpy()


def _columns(rows: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows.T)).double()
