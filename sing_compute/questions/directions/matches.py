"""Match the directions of all models of a file by the images on which they fire."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray

from sing_compute.directions.matching import BestMatches, match_directions
from sing_compute.store import Store
from sing_compute.store.definitions.direction_fields import GROUP, MATCHES
from sing_compute.store.text import store_error
from sing_compute.store.write import Writer


@dataclass(frozen=True, slots=True)
class FiredImages:
    """The images on which the directions of one model fire."""

    rows: Int[np.ndarray, " image"]
    """Rows of the images that were looked at, ascending."""
    fires: Bool[np.ndarray, "image direction"]


def fired_images(store: Store, model: str) -> FiredImages | None:
    """Read the images on which the directions of a model fire; None for a model without directions.

    Args:
        store: The results file.
        model: Name of the model.

    Raises:
        StoreError: The file is damaged: the rows do not ascend, or are not as many as their logits.
    """
    base = f"{GROUP.format(model=model)}/images/"
    if f"{base}logit" not in store:
        return None
    rows, logits = store.array(f"{base}row"), store.array(f"{base}logit")
    if len(rows) != len(logits) or (np.diff(rows.astype(np.int64)) <= 0).any():
        raise store_error(f"{store.path.name}: {base}row: does not name the images of {base}logit in their order")
    return FiredImages(rows, logits > 0)


def put_matches(writer: Writer, fired: Mapping[str, FiredImages]) -> None:
    """Write for each model the best match of its directions in every other one; nothing if there is one model alone.

    Args:
        writer: The file.
        fired: Of each model with directions, the images on which they fire.
    """
    if len(fired) < 2:
        return
    for model, own in fired.items():
        others = [name for name in fired if name != model]
        best = [_best(own, fired[name]) for name in others]
        writer.put(MATCHES + "model", others, model=model)
        columns: dict[str, list[NDArray[np.generic]]] = {
            "direction": [each.match.numpy() for each in best],
            "iou": [each.iou.numpy() for each in best],
            "chance": [each.chance.numpy() for each in best],
            "p": [each.p.numpy() for each in best],
        }
        for name, values in columns.items():
            writer.put(MATCHES + name, np.stack(values, 1), model=model)


def _best(own: FiredImages, other: FiredImages) -> BestMatches:
    """Return the best matches of one model's directions on the images that were looked at for both."""
    _, here, there = np.intersect1d(own.rows, other.rows, assume_unique=True, return_indices=True)
    fires = (torch.from_numpy(own.fires[here]), torch.from_numpy(other.fires[there]))
    return match_directions(*fires).of_first
