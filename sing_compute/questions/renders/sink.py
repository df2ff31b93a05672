"""Write the pictures of a model into a results file, and print how far each pair can be believed."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from sing_compute.linalg.angles import paired_angle
from sing_compute.pipeline.closing_table import align
from sing_compute.questions.renders.drawing import DrawnImage
from sing_compute.scores.intervals import proportion_intervals
from sing_compute.store import Place, Store, open_table
from sing_compute.store.checks.renders import common_seeds
from sing_compute.store.definitions.render_fields import (
    CHANGED,
    EQUIVALENT,
    GROUP,
    KINDS,
    NEAREST,
    PAIRS,
    PICTURES,
    TRANSLATED,
    VECTORS,
)
from sing_compute.store.derived.picture_noise import BEYOND, UNKNOWN, PictureNoise, angles, picture_noise
from sing_compute.store.text import clean
from sing_compute.store.write import Writer

__all__ = ["GROUP", "put_pictures", "renders_text"]

_MEDIANS = ("vector_angle", "between", "noise", "back_before", "back_after")


def put_pictures(writer: Writer, model: str, images: Sequence[DrawnImage], *, decoded: bool) -> None:
    """Write the pictures of a model at the paths of their analysis.

    Args:
        writer: The file.
        model: Name of the model.
        images: The images with their pictures, in the order of the tables.
        decoded: False if nearest images take the places of pictures: their noise is not known.
    """
    flat = [(each, kind) for each in images for kind in range(len(each.image.kinds))]
    first = np.cumsum([0, *(len(each.image.kinds) for each in images)])[: len(images)]
    vectors = {
        VECTORS + "image": [each.image.key for each, _ in flat],
        VECTORS + "row": [each.image.row for each, _ in flat],
        VECTORS + "kind": [each.image.kinds[kind] for each, kind in flat],
        VECTORS + "vector": np.stack([each.image.vectors[kind].numpy() for each, kind in flat]),
        VECTORS + "norm": [each.norm for each, _ in flat],
    }
    pictures = _pictures(images, first)
    pairs = _pairs(images, first, pictures, decoded=decoded)
    for path, values in {**_kinds(pairs), **pairs, **vectors, **pictures}.items():
        writer.put(path, values, model=model)


def _pictures(images: Sequence[DrawnImage], first: NDArray[np.int64]) -> dict[str, ArrayLike]:
    flat = [(at, each, picture) for at, each in enumerate(images) for picture in each.pictures]
    sizes = [Image.open(io.BytesIO(picture.jpeg)).size for _, _, picture in flat]
    of = np.array([first[at] + picture.kind for at, _, picture in flat], dtype=np.int64)
    found: dict[str, ArrayLike] = {
        PICTURES + "image": [each.image.key for _, each, _ in flat],
        PICTURES + "rendering": of,
        PICTURES + "seed": [picture.seed for _, _, picture in flat],
        PICTURES + "width": [width for width, _ in sizes],
        PICTURES + "height": [height for _, height in sizes],
        PICTURES + "edge": np.cumsum([0, *(len(picture.jpeg) for _, _, picture in flat)]),
        PICTURES + "jpeg": np.frombuffer(b"".join(picture.jpeg for _, _, picture in flat), np.uint8),
    }
    if any(picture.nearest >= 0 for _, _, picture in flat):
        found[PICTURES + "nearest"] = [picture.nearest for _, _, picture in flat]
    shown = [each.shown for each in images]
    back = np.full(len(flat), np.nan)
    if all(part is not None for part in shown):
        seen = np.concatenate([part.numpy() for part in shown if part is not None])
        wanted = np.concatenate([each.image.vectors.numpy()[[p.kind for p in each.pictures]] for each in images])
        found[PICTURES + "vector"], back = seen, angles(seen.astype(np.float64), wanted)
    found[PICTURES + "back"] = back
    return found


def _pairs(
    images: Sequence[DrawnImage], first: NDArray[np.int64], pictures: Mapping[str, ArrayLike], *, decoded: bool
) -> dict[str, Any]:
    of, seeds, back = (np.asarray(pictures[PICTURES + name]) for name in ("rendering", "seed", "back"))
    shown = pictures.get(PICTURES + "vector")
    kinds = _used(images)
    columns: dict[str, list[Any]] = {
        name: [] for name in ("image", "row", "kind", "before", "after", *_MEDIANS[:3], "p", "state", *_MEDIANS[3:])
    }
    for each, start in zip(images, first.tolist(), strict=True):
        before = start + each.image.kinds.index(TRANSLATED)
        for kind in (kind for kind in CHANGED if kind in each.image.kinds):
            place = each.image.kinds.index(kind)
            after = start + place
            apart = paired_angle(each.image.vectors[each.image.kinds.index(TRANSLATED)], each.image.vectors[place])
            noise = PictureNoise(np.nan, np.nan, np.nan, UNKNOWN)
            if decoded and shown is not None:
                noise = picture_noise(*common_seeds(of, seeds, np.asarray(shown, np.float64), before, after))
            values = (
                each.image.key,
                each.image.row,
                kinds.index(kind),
                before,
                after,
                float(apart),
                *noise[:3],
                noise.state,
            )
            means = [float(back[of == rendering].mean()) for rendering in (before, after)]
            for name, value in zip(columns, (*values, *means), strict=True):
                columns[name].append(value)
    found: dict[str, Any] = {PAIRS + name: values for name, values in columns.items()}
    return found | {KINDS + "name": kinds}


def _used(images: Sequence[DrawnImage]) -> list[str]:
    """Return the kinds that are compared with T(f), the paper's first."""
    return [kind for kind in CHANGED if kind == EQUIVALENT or any(kind in each.image.kinds for each in images)]


def _kinds(pairs: Mapping[str, Any]) -> dict[str, Any]:
    count = len(pairs[KINDS + "name"])
    kind, state = np.array(pairs[PAIRS + "kind"]), np.array(pairs[PAIRS + "state"])
    of = [kind == number for number in range(count)]
    known = np.array([int((mask & (state != UNKNOWN)).sum()) for mask in of])
    beyond = np.array([int((mask & (state == BEYOND)).sum()) for mask in of])
    ends = proportion_intervals(beyond, known)
    found: dict[str, Any] = {
        KINDS + "pairs": [int(mask.sum()) for mask in of],
        KINDS + "known": known,
        KINDS + "beyond": beyond,
        KINDS + "share": np.divide(beyond, known, out=np.full(count, np.nan), where=known > 0),
        KINDS + "share_interval": np.stack([ends.low, ends.high], 1),
    }
    for name in _MEDIANS:
        values = np.array(pairs[PAIRS + name], dtype=np.float64)
        found[KINDS + name] = [_median(values[mask]) for mask in of]
    return found


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def renders_text(store: Store, model: str) -> str:
    """Return the pairs of a model as a table, and the share of them beyond noise.

    Args:
        store: The file.
        model: The model.
    """
    table = open_table(store, Place.of("pairs", model=model))
    there = {column.name: column.values.all() for column in table.columns}
    rows = [["", "with", "angle", "pictures apart", "seeds apart", "T(f) back", "other back", "difference"]]
    for row in range(len(there["image"])):
        figures = [f"{float(there[name][row]):.1f}" for name in _MEDIANS]
        names = [clean(str(there[name][row])) for name in ("image", "kind")]
        rows.append(
            [value.replace("nan", "-") for value in (*names, *figures)] + [clean(str(there["difference"][row]))]
        )
    group = GROUP.format(model=model)
    known, beyond = (int(store.dataset(f"{group}/kinds/{name}")[0]) for name in ("known", "beyond"))
    facts = store.attributes(group)
    lines = [f"{clean(model)}: {clean(str(facts.get('source')))}", "", *align(rows), ""]
    if facts.get("source") == NEAREST:
        lines.append(
            "No decoder: the nearest real images take the places of pictures. They show no change of one image."
        )
    elif known:
        low, high = (100 * float(end) for end in store.dataset(f"{group}/kinds/share_interval")[0])
        lines.append(
            f"Beyond noise: {beyond} of {known} pairs of T(f) and T(f~), {100 * beyond / known:.0f} % "
            f"({low:.0f} to {high:.0f} %); 5 % are expected where only noise tells the pictures apart"
        )
    else:
        lines.append("Beyond noise: not known; it takes four seeds of each embedding")
    return "\n".join(lines)
