"""Read the named singular vectors of a tower from a results file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sing_compute.errors import SingError
from sing_compute.questions.heads.naming import chosen_layers
from sing_compute.questions.heads.stored_tower import chosen_tower, need_folded
from sing_compute.store import Store
from sing_compute.store.text import clean


@dataclass(frozen=True, slots=True)
class NamedVectors:
    """The named layers of a tower that an edit may change, with the codes of one K."""

    tower: str
    layers: Sequence[int]
    """Numbers of the layers in the network."""
    words: Sequence[str]
    """All words that name a vector of the tower."""
    pick: Int[np.ndarray, "layer head vector sign pick"]
    """Index of a word; -1 for a vector that is noise."""
    coefficient: Float[np.ndarray, "layer head vector sign pick"]
    """0 for a vector that is noise."""
    rank: Int[np.ndarray, "layer head"]
    """Number of vectors of each head above rounding."""

    @property
    def real(self) -> Bool[np.ndarray, "layer head vector"]:
        """True for vectors above rounding."""
        return np.asarray(np.arange(self.pick.shape[2]) < self.rank[..., None])

    def shares(self, group: Sequence[int]) -> Float[np.ndarray, "layer head vector sign"]:
        """Return the share of each pole's coefficients that belong to some words.

        Args:
            group: Indices of the words.
        """
        belongs = np.isin(self.pick, list(group)) & (self.pick >= 0)
        total = self.coefficient.sum(-1)
        part = np.where(belongs, self.coefficient, 0.0).sum(-1)
        share: Float[np.ndarray, "layer head vector sign"] = np.zeros_like(total)
        np.divide(part, total, out=share, where=total > 0)
        return share


def read_vectors(store: Store, tower: str | None, layers: str | None, size: int | None) -> NamedVectors:
    """Read a tower of a results file.

    Args:
        store: The file.
        tower: Its name; None if the file has one tower.
        layers: Layers as in `sing-compute heads --layers`; None for all named ones.
        size: Number of concepts K; None for the smallest.

    Raises:
        SingError: There is no such tower, layer or K.
    """
    name = chosen_tower(store, tower)
    need_folded(store, name)
    base = f"towers/{name}/"
    sizes = store.array(f"{base}sizes/concepts").tolist()
    if size is not None and size not in sizes:
        raise SingError(f"--size {size}: the tower {name!r} is named with {listed(sizes)} concepts")
    position = 0 if size is None else sizes.index(size)
    numbers = store.array(f"{base}layers/number").tolist()
    wanted = list(numbers)
    if layers is not None:
        wanted = chosen_layers(layers, int(store.scalars(f"{base}summary")["blocks"]))
        missing = [number for number in wanted if number not in numbers]
        if missing:
            raise SingError(f"--layers {clean(layers)}: of the tower {name!r} layers {listed(numbers)} are named")
    rows = [numbers.index(number) for number in wanted]
    count = sizes[position]
    picks = store.array(f"{base}vectors/pick")[rows][..., :count]
    codes = store.array(f"{base}vectors/coefficient")[rows][..., position, :count].astype(np.float64)
    return NamedVectors(
        name,
        wanted,
        [str(word) for word in store.array(f"{base}words/name")],
        picks,
        np.where(picks >= 0, np.nan_to_num(codes), 0.0),
        store.array(f"{base}vectors/rank")[rows],
    )


def listed(items: Sequence[object], most: int = 8) -> str:
    """Return the first items, made safe to show, and the number of the others.

    Args:
        items: Anything that can be written as text.
        most: Number of items that are named.
    """
    shown = ", ".join(clean(str(item)) for item in items[:most])
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")
