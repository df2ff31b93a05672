"""Read a model back from a results file, to answer questions about it without images and without its network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.errors import SingError
from sing_compute.images.listing import folds_of
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.measuring.reader import FeatureBatch
from sing_compute.scores.shifts import NullRemoval
from sing_compute.store import Store
from sing_compute.store.text import clean, store_error
from sing_compute.translator.ridge import AffineTranslator

CHUNK = 1024
"""Images read at once."""


@dataclass(frozen=True)
class StoredModel:
    """One model with scores: its head, its translators, and its stored features, all in float64."""

    store: Store
    name: str
    split: HeadSplit
    weight: Float[Tensor, "classes dim"]
    bias: Float[Tensor, " classes"]
    whole: NullRemoval
    """The translator that was fitted on all images: for new images."""
    folds: list[NullRemoval]
    """The translators that were fitted without one fold each: for the images of that fold."""
    rows: Int[np.ndarray, " kept"]
    """Images whose features are stored, ascending; empty if the file stores no features of the model."""
    offsets: Int[np.ndarray, " class_edge"]
    """Stored images of class c are entries offsets[c] to offsets[c + 1] of `rows`."""

    @classmethod
    def read(cls, store: Store, name: str) -> "StoredModel":
        """Read a model, and split its head again at the rank that the file states.

        Args:
            store: The results file.
            name: The model.

        Raises:
            SingError: The model has no scores, or the file contradicts itself about it.
        """
        base, summary = f"models/{name}/", store.summary(name)
        if not summary.get("nullity"):
            raise SingError(f"{clean(name)} has no scores to ask about: {store.unscored(name)}")
        weight, bias = (_tensor(store, f"{base}head/{part}") for part in ("weight", "bias"))
        invariance = str(store.attributes(f"models/{name}").get("invariance", "logits"))
        exact = split_head(weight, stored_dtype=torch.float32, invariance=invariance)
        rank = int(store.array(f"{base}summary/rank"))
        if not 0 < rank < weight.shape[1] or rank + summary["nullity"] != weight.shape[1]:
            raise store_error(f"{store.path.name}: {base}summary: rank and nullity do not make {weight.shape[1]}")
        split = exact.at_rank(rank, cutoff=float(store.array(f"{base}summary/cutoff")))
        mean = _tensor(store, f"{base}translator/mean_feature")
        parts = (_tensor(store, f"{base}translator/{part}") for part in ("weight", "bias", "fold_weight", "fold_bias"))
        whole, offset, fold_weight, fold_bias = parts
        folds = [AffineTranslator(*pair) for pair in zip(fold_weight, fold_bias, strict=True)]
        removals = [NullRemoval.of(translator, split, mean) for translator in (AffineTranslator(whole, offset), *folds)]
        rows, images = np.empty(0, np.int64), int(store.offsets[-1])
        if f"{base}features/row" in store:
            rows = store.array(f"{base}features/row").astype(np.int64)
            if (np.diff(rows) <= 0).any() or (len(rows) and (rows[0] < 0 or rows[-1] >= images)):
                raise store_error(f"{store.path.name}: {base}features/row: not ascending rows of the images")
        offsets = np.searchsorted(rows, store.offsets).astype(np.int64)
        return cls(store, name, split, weight, bias, removals[0], removals[1:], rows, offsets)

    @property
    def null_weights(self) -> list[Float[Tensor, "clip dim"]]:
        """A Pi_n of the translator that was fitted without each fold."""
        return [removal.whole.weight - removal.principal.weight for removal in self.folds]

    @property
    def centred(self) -> bool:
        """True if logits that differ by a common shift count as equal (`--invariance softmax`)."""
        return bool(self.store.attributes(f"models/{self.name}").get("invariance") == "softmax")

    def need_features(self, verb: str) -> None:
        """Refuse a question that needs features if the file stores none of this model.

        Args:
            verb: Name of the question in the message.

        Raises:
            SingError: No features of this model are stored.
        """
        if not len(self.rows):
            raise SingError(
                f"{clean(self.name)} was measured without keeping its features, which {verb} needs; measure it again"
            )

    def batches(self, label: int | None = None) -> Iterator[FeatureBatch]:
        """Read the stored features, class by class.

        Args:
            label: One class; None for all.

        Returns:
            Batches whose `rows` are entries of `self.rows`.
        """
        if not len(self.rows):
            return
        value = self.store.dataset(f"models/{self.name}/features/value")
        first = self._original()
        for each in range(len(self.offsets) - 1) if label is None else (label,):
            end = int(self.offsets[each + 1])
            for start in range(int(self.offsets[each]), end, CHUNK):
                rows = slice(start, min(start + CHUNK, end))
                features = torch.from_numpy(value[rows]).double()
                folds = self._folds(self.rows[rows], first)
                labels = torch.full((len(features),), each)
                yield FeatureBatch(rows, features, labels, folds)

    def features_of(
        self, rows: Int[np.ndarray, " chosen"]
    ) -> tuple[Float[Tensor, "chosen dim"], Int[Tensor, " chosen"]]:
        """Read the stored features of some images, and the fold of each.

        Args:
            rows: Rows of images whose features are stored, in any order.
        """
        value = self.store.dataset(f"models/{self.name}/features/value")
        features = torch.from_numpy(value[np.searchsorted(self.rows, rows)].astype(np.float64))
        return features, self._folds(rows, self._original())

    def _folds(
        self, rows: Int[np.ndarray, " chosen"], first: Int[np.ndarray, " image"] | None
    ) -> Int[Tensor, " chosen"]:
        """Return the fold of each image: that of its original."""
        originals, place = np.unique(rows if first is None else first[rows], return_inverse=True)
        keys = self.store.dataset("images/key")[originals]
        return torch.from_numpy(folds_of([str(key) for key in keys], len(self.folds))[place])

    def _original(self) -> Int[np.ndarray, " image"] | None:
        """Return the row of each image's original, whose fold it has; None if no image is a copy.

        Raises:
            SingError: The file contradicts itself.
        """
        if "images/original" not in self.store:
            return None
        found = self.store.array("images/original")
        if (found < 0).any() or (found > np.arange(len(found))).any():
            raise store_error(f"{self.store.path.name}: images/original: not rows of earlier images")
        return found


def chosen_models(store: Store, wanted: str | None) -> list[str]:
    """Return the names of the models that a question is about.

    Args:
        store: The results file.
        wanted: One model; None for all.

    Raises:
        StoreError: No such model.
    """
    return store.models if wanted is None else [store.model(wanted)]


def need_scores(store: Store, models: Sequence[str]) -> None:
    """Refuse a question about scores if no model has any.

    Args:
        store: The results file.
        models: The models that it is about.

    Raises:
        SingError: None has; the message says why the first has none.
    """
    if models and not any(store.summary(name).get("nullity") for name in models):
        more = f" (and {len(models) - 1} more)" if len(models) > 1 else ""
        raise SingError(f"{clean(models[0])}{more} has no scores to ask about: {store.unscored(models[0])}")


def _tensor(store: Store, path: str) -> Tensor:
    values = torch.from_numpy(store.array(path)).double()
    if not values.isfinite().all():
        raise store_error(f"{store.path.name}: {path}: not all finite")
    return values
