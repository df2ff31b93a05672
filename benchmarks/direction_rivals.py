"""The rivals of EDDP in the worlds of `direction_world`: those of the package, and Pattern-CAV with the true labels."""

from collections.abc import Callable

from direction_world import World
from torch import Tensor

from sing_compute.directions import rivals


def _unlabelled(find: Callable[[Tensor, int, int], Tensor]) -> Callable[[World, int, int], Tensor]:
    return lambda drawn, count, seed: find(drawn.features.flatten(0, 1), count, seed)


def autoencoder(width: int, sparsity: float) -> Callable[[World, int, int], Tensor]:
    """Decoder directions of all units of a sparse autoencoder."""
    return _unlabelled(lambda features, _, seed: rivals.autoencoder(features, width, seed, sparsity=sparsity))


def pattern_cav(drawn: World, count: int, seed: int) -> Tensor:
    """Difference of the means with and without a concept, by its true labels: the only rival that sees them."""
    return rivals.pattern_cav(drawn.features.flatten(0, 1), drawn.present.flatten(0, 1))


RIVALS: dict[str, Callable[[World, int, int], Tensor]] = {
    "PCA": _unlabelled(rivals.pca),
    "NMF": _unlabelled(rivals.nmf),
    "ICA": _unlabelled(rivals.ica),
    "k-means": _unlabelled(rivals.k_means),
    "autoencoder, 3 units": autoencoder(3, 0.0),
    "autoencoder, 32 units, sparse": autoencoder(32, 0.1),
    "Pattern-CAV (true labels)": pattern_cav,
}
