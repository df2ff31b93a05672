"""Compute the embeddings of an image that get pictures: T(f), T(f~), and the same for other changes of the feature."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.counterfactuals import linear_counterfactuals
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.errors import SingError
from sing_compute.linalg.angles import unit
from sing_compute.questions.steering import Target
from sing_compute.questions.stored_model import StoredModel
from sing_compute.scores.shifts import fold_views
from sing_compute.scores.steering import Steering
from sing_compute.store.definitions.direction_fields import GROUP as DIRECTIONS
from sing_compute.store.definitions.render_fields import CHANGED, EQUIVALENT, TRANSLATED
from sing_compute.store.text import clean

_DRAWN = ("random", "null", "principal")
"""Kinds whose direction is drawn: in feature space, in the null space, in the principal space."""


@dataclass(frozen=True, slots=True)
class ImageVectors:
    """The embeddings of one image that get pictures."""

    row: int
    key: str
    kinds: tuple[str, ...]
    """`translated` first, then in the order of `CHANGED`."""
    vectors: Float64[Tensor, "kind clip"]
    """Unit embeddings."""
    norm: float
    """|T(f)|, before it was scaled."""


def image_vectors(
    model: StoredModel, rows: Int64[np.ndarray, " image"], also: Sequence[str], target: Target | None, *, angle: float
) -> list[ImageVectors]:
    """Return the embeddings of images, each by the translator that was fitted without its fold: those of the stored scores.

    Args:
        model: The model.
        rows: Rows of the images.
        also: Further kinds: `centred`, `random`, `null`, `principal`, `counterfactual`.
        target: Where images are steered to; None for no steering.
        angle: Image Score of steering, in degrees.

    Returns:
        One entry for each image; a kind that an image cannot have (an angle out of reach, no counterfactual) is left out.

    Raises:
        SingError: A T(f) has no direction, or there are no direction pairs for counterfactuals.
    """
    features, folds = model.features_of(rows)
    keys = [str(key) for key in model.store.dataset("images/key")[rows]]
    views = fold_views(model.folds, features, folds)
    found: dict[str, Tensor] = {TRANSLATED: views.before, EQUIVALENT: views.after}
    if "centred" in also:
        found["centred"] = views.centred
    if target is not None:
        found["steered"] = _steered(model, views.before, folds, target, angle)
    length = model.split.null_part(features).norm(dim=1, keepdim=True)
    for kind in (each for each in _DRAWN if each in also):
        step = length * torch.stack([_direction(model, key, kind) for key in keys])
        found[kind] = views.before - _translated(model, step, folds)
    if "counterfactual" in also:
        found["counterfactual"] = views.before + _translated(model, _counterfactual_steps(model, features), folds)
    units = {kind: unit(found[kind]) for kind in (TRANSLATED, *CHANGED) if kind in found}
    without = [key for key, vector in zip(keys, units[TRANSLATED], strict=True) if not vector.isfinite().all()]
    if without:
        raise SingError(f"{clean(without[0])}: its T(f) is zero or not finite, so there is nothing to draw")
    return [
        _of(int(row), key, {kind: vectors[at] for kind, vectors in units.items()}, float(views.before[at].norm()))
        for at, (row, key) in enumerate(zip(rows, keys, strict=True))
    ]


def with_vector(image: ImageVectors, kind: str, vector: Float[Tensor, " clip"]) -> ImageVectors:
    """Return the embeddings of an image with one more behind them.

    Args:
        image: The embeddings.
        kind: Kind of the further one.
        vector: The embedding, of any length.
    """
    vectors = torch.cat([image.vectors, unit(vector.double())[None]])
    return ImageVectors(image.row, image.key, (*image.kinds, kind), vectors, image.norm)


def _of(row: int, key: str, vectors: dict[str, Tensor], norm: float) -> ImageVectors:
    there = {kind: vector for kind, vector in vectors.items() if vector.isfinite().all()}
    return ImageVectors(row, key, tuple(there), torch.stack(list(there.values())), norm)


def _by_fold(folds: Int[Tensor, " image"]) -> Iterator[tuple[int, Tensor]]:
    for fold in sorted(set(folds.tolist())):
        yield fold, (folds == fold).nonzero()[:, 0]


def _translated(model: StoredModel, step: Tensor, folds: Tensor) -> Tensor:
    """Return A d of each step in feature space."""
    moved = step.new_empty(len(step), len(model.whole.whole.bias))
    for fold, rows in _by_fold(folds):
        moved[rows] = step[rows] @ model.folds[fold].whole.weight.T
    return moved


def _steered(model: StoredModel, before: Tensor, folds: Tensor, target: Target, angle: float) -> Tensor:
    after = torch.empty_like(before)
    null_weights = model.null_weights
    for fold, rows in _by_fold(folds):
        after[rows] = Steering.of(null_weights[fold]).steer(before[rows], target.vector, angle=angle).after
    return after


def _direction(model: StoredModel, key: str, kind: str) -> Float64[Tensor, " dim"]:
    """Draw the direction of a change: the same for an image whatever else is drawn with it."""
    seed = int.from_bytes(hashlib.blake2b(f"{kind}\n{key}".encode(), digest_size=8).digest()) >> 1
    drawn = torch.randn(1, model.weight.shape[1], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    null = model.split.null_part(drawn)
    return unit({"random": drawn, "null": null, "principal": drawn - null}[kind])[0]


def _counterfactual_steps(model: StoredModel, features: Tensor) -> Float64[Tensor, "image dim"]:
    """Return for each image the step along one signal vector that changes its prediction; NaN where none does.

    Of the directions that were found, it is the one whose step is the smallest share of what its positives have of it.
    """
    store, group = model.store, DIRECTIONS.format(model=model.name)
    if f"{group}/pairs/filter" not in store:
        raise SingError(f"{clean(model.name)} has no direction pairs: sing-compute directions {store.path} adds them")
    parts = [
        torch.from_numpy(store.array(f"{group}/pairs/{name}")).double() for name in ("filter", "threshold", "signal")
    ]
    pairs = DirectionPairs(parts[0].T, parts[1], parts[2].T)
    sigmoid = bool(store.attributes(group).get("sigmoid"))
    head = LinearHead(model.weight.double(), model.bias.double(), sigmoid)
    found = linear_counterfactuals(head, pairs, features[:, None])
    strength = torch.from_numpy(store.array(f"{group}/pairs/strength")).double()
    state = np.array([str(each) for each in store.array(f"{group}/trust/state")])
    share = (found.step / strength).abs().where(found.changed, torch.inf).nan_to_num(nan=torch.inf)
    if (state != "not found").any():
        share[:, torch.from_numpy(state == "not found")] = torch.inf
    least, best = share.min(1)
    step = found.step.gather(1, best[:, None]) * pairs.signals.T[best]
    return step.where(least.isfinite()[:, None], torch.nan)
