"""Read what directions are looked for in: features or spatial maps of a classifier, and its head."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sing_compute.directions.alignment import LinearHead
from sing_compute.errors import SingError
from sing_compute.pipeline.map_files import checked_map_file, named_map_file
from sing_compute.store import Store
from sing_compute.store.text import clean, one_line, store_error

_READABLE = ("mean", "mean patch token")
"""Ways of pooling that are the mean over the stored positions; after any other the head does not read the map itself."""
_PART = 1024
"""Images that are read at once."""


@dataclass(frozen=True, slots=True)
class DirectionInputs:
    """Features of some images of one classifier, and its head."""

    model: str
    features: Float[Tensor, "image position dim"]
    """Float32, as stored; one position for pooled features."""
    pooled: Float64[Tensor, "image dim"]
    """The feature that the head reads."""
    rows: Int[np.ndarray, " image"]
    """Row of each image in the file."""
    labels: Int[np.ndarray, " image"]
    """True class of each image."""
    head: LinearHead
    invariance: str
    """`logits` or `softmax`: which changes of the logits SING's null space of this model allows."""
    grid: tuple[int, int] | None
    """Rows and columns of the positions; None for pooled features, and for tokens whose grid is not known."""
    rank: int | None
    """Rank of the head as SING counted it; None for a model that SING did not split."""

    @property
    def positions(self) -> int:
        """Positions of each image."""
        return self.features.shape[1]


def read_inputs(store: Store, model: str, *, maps: bool, label: int | None, sigmoid: bool) -> DirectionInputs:
    """Read the features of a model, or its spatial maps.

    Args:
        store: The results file.
        model: Name of the model.
        maps: Spatial maps instead of pooled features.
        label: Only images of this class; None for all.
        sigmoid: The classes of the head do not exclude each other.

    Raises:
        SingError: The file lacks them, or directions cannot be found in them; the message says why and what to do.
    """
    base = f"models/{model}/"
    weight, bias = (_finite(store, f"{base}head/{part}") for part in ("weight", "bias"))
    if len(weight) == 1 and not sigmoid:
        raise SingError(
            f"{clean(model)} has one output, whose softmax is always 1: add --sigmoid if it is the logit of a probability"
        )
    if f"{base}features/row" not in store:
        raise SingError(
            f"{clean(model)} was measured without keeping its features; measure it again, or give --features FILE to a run"
        )
    kept = _rows(store, f"{base}features/row")
    rows = kept
    if maps:
        _check_pooling(store, model)
        rows = _rows(store, f"{base}maps/image")
        if not np.isin(rows, kept).all():
            raise SingError(
                f"{clean(model)}: maps are kept of images whose features are not; measure it with a smaller --maps-limit"
            )
    classes = store.array("images/class")[rows]
    chosen = np.arange(len(rows)) if label is None else np.flatnonzero(classes == label)
    if len(chosen) < 2:
        where = "" if label is None else f" of {clean(str(store.class_names[label]))}"
        raise SingError(
            f"{clean(model)}: features of {len(chosen)} {store.noun.plural}{where} are stored, which is too few"
        )
    rows = rows[chosen]
    pooled = _read(store.dataset(f"{base}features/value"), np.searchsorted(kept, rows)).squeeze(1)
    features = pooled[:, None] if not maps else _maps(store, model, chosen)
    if features.shape[2] != weight.shape[1]:
        raise store_error(f"{store.path.name}: {base}maps/value: not {weight.shape[1]} channels, which its head reads")
    for what, values in (("features", pooled), ("maps", features)):
        if not values.isfinite().all():
            raise SingError(f"{clean(model)}: its {what} are not all finite, so no direction can be found in them")
    if (features == features[0, 0]).all():
        raise SingError(f"{clean(model)}: all its features are equal, so no direction can be found in them")
    rank = store.summary(model).get("rank")
    return DirectionInputs(
        model,
        features,
        pooled.double(),
        rows,
        classes[chosen],
        LinearHead(weight, bias, sigmoid),
        str(store.attributes(f"models/{model}").get("invariance", "logits")),
        _grid(store, model) if maps else None,
        None if rank is None else int(rank),
    )


def _check_pooling(store: Store, model: str) -> None:
    """Refuse maps whose mean is not what the head reads.

    Raises:
        SingError: The file has no maps of the model, or its head reads something else.
    """
    base = f"models/{model}/maps"
    if f"{base}/image" not in store:
        raise SingError(f"{clean(model)} was measured without its spatial maps; measure it again, with --maps")
    pooling = str(store.attributes(base).get("pooling", ""))
    if pooling not in _READABLE:
        raise SingError(
            f"{clean(model)}: its head does not read the mean of its map (pooling: {clean(pooling) or 'unknown'}), so "
            "detectors at positions cannot be aligned with its prediction; leave out --maps to use its pooled features"
        )


def _grid(store: Store, model: str) -> tuple[int, int] | None:
    """Return rows and columns of the stored positions of a map, which are evenly spread over its grid."""
    rows, _, columns = str(store.attributes(f"models/{model}/maps").get("grid", "")).partition("x")
    if not (rows.isdecimal() and columns.isdecimal()) or not int(columns):
        return None
    positions = store.array(f"models/{model}/maps/position")
    down, across = (len(np.unique(part)) for part in np.divmod(positions, int(columns)))
    return (down, across) if down * across == len(positions) else None


def _maps(store: Store, model: str, chosen: Int[np.ndarray, " image"]) -> Float[Tensor, "image position dim"]:
    """Read the maps of some images, from the results file or from the file next to it."""
    if named_map_file(store, model) is None:
        return _read(store.dataset(f"models/{model}/maps/value"), chosen)
    try:
        path = checked_map_file(store, model)
        with safe_open(path, framework="pt") as file:
            return _read(file.get_slice("value"), chosen)
    except (OSError, SafetensorError, RuntimeError) as error:  # RuntimeError: torch opens the file once more
        raise SingError(f"the maps of {clean(model)} next to {store.path} cannot be read: {one_line(error)}") from error


def _read(source: object, chosen: Int[np.ndarray, " image"]) -> Float[Tensor, "image position dim"]:
    """Read rows of a dataset in parts, and keep the chosen ones; two axes become three."""
    found = []
    for start, stop in _parts(chosen):
        part = torch.as_tensor(source[int(chosen[start]) : int(chosen[stop - 1]) + 1])  # type: ignore[index]
        found.append(part[torch.from_numpy(chosen[start:stop] - chosen[start])].float())
    values = torch.cat(found)
    return values if values.ndim == 3 else values[:, None]


def _parts(chosen: Int[np.ndarray, " image"]) -> Iterator[tuple[int, int]]:
    """Split ascending rows into runs that lie within `_PART` rows of the source."""
    start = 0
    while start < len(chosen):
        stop = int(np.searchsorted(chosen, chosen[start] + _PART))
        yield start, stop
        start = stop


def _rows(store: Store, path: str) -> Int[np.ndarray, " image"]:
    rows = store.array(path).astype(np.int64)
    if (np.diff(rows) <= 0).any() or (len(rows) and (rows[0] < 0 or rows[-1] >= store.count("image"))):
        raise store_error(f"{store.path.name}: {path}: not ascending rows of the images")
    return rows


def _finite(store: Store, path: str) -> Float64[Tensor, "..."]:
    values = torch.from_numpy(store.array(path)).double()
    if not values.isfinite().all():
        raise store_error(f"{store.path.name}: {path}: not all finite")
    return values
