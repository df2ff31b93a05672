"""Check the pictures of a model: where each belongs, the angles between them, and what is called beyond noise."""

import math

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.features import features
from sing_compute.store.checks.look import Look
from sing_compute.store.checks.sing_features import views
from sing_compute.store.derived.picture_noise import BEYOND, UNKNOWN, angles, picture_noise

_ANGLES = 1e-3
"""Largest accepted difference of angles that are computed again, in degrees: vectors are stored in float32."""
_NORMAL = 1.959963984540054
"""97.5 % quantile of the normal distribution."""
_MANY = 2_000
_ANY_P = 0.02
"""Largest accepted difference of p: ways whose differences are nearly equal may change places by rounding."""
_VECTORS, _UNIT = 0.02, 1e-5
"""Degrees by which an embedding may be away from that of the stored features, and by which its length may differ from 1."""
_HEADER = 2**12
"""Bytes in which the header of a JPEG file ends."""
_JPEG = b"\xff\xd8\xff"


def check_places(look: Look) -> None:
    """Check that pairs, embeddings and pictures name each other, and that each picture is a JPEG file of its own."""
    keys = look.array("/images/key")
    for group in ("pairs", "embeddings"):
        rows = look.array(f"renders/{group}/row")
        good = (rows >= 0) & (rows < len(keys))
        look.check(
            good.all() and (look.array(f"renders/{group}/image") == keys[rows]).all(),
            f"renders/{group}/image: not the image of its row",
        )
    kinds, names = look.array("renders/embeddings/kind"), look.array("renders/kinds/name")
    row, before, after = (look.array(f"renders/pairs/{name}").astype(np.int64) for name in ("row", "before", "after"))
    where = look.array("renders/embeddings/row")
    look.check(
        (kinds[before] == "translated").all() and (where[before] == row).all(),
        "renders/pairs/before: not T(f) of the image",
    )
    same = (kinds[after] == names[look.array("renders/pairs/kind")]) & (where[after] == row)
    look.check(same.all(), "renders/pairs/after: not the embedding of its kind and image")
    of = look.array("renders/pictures/rendering").astype(np.int64)
    look.check(
        (look.array("renders/pictures/image") == keys[where[of]]).all(),
        "renders/pictures/image: not the image of its embedding",
    )
    order = of * (look.array("renders/pictures/seed").max(initial=0) + 1) + look.array("renders/pictures/seed")
    look.check((np.diff(order) > 0).all(), "renders/pictures/seed: not ascending for each embedding")
    edges, size = look.array("renders/pictures/edge"), look.store.dataset(look.path("renders/pictures/jpeg")).size
    cut = len(edges) > 0 and edges[0] == 0 and edges[-1] == size and (np.diff(edges) > 0).all()
    look.check(cut, "renders/pictures/edge: do not cut the bytes into one file per picture")
    if cut:
        starts = edges[:-1, None] + np.arange(len(_JPEG))
        data = look.rows("renders/pictures/jpeg", np.minimum(starts, size - 1).reshape(-1)).reshape(-1, len(_JPEG))
        look.check((data == np.frombuffer(_JPEG, np.uint8)).all(), "renders/pictures/jpeg: not JPEG files")


def check_sizes(look: Look) -> None:
    """Check the stated sizes of pictures against the headers of their files."""
    edges, data = look.array("renders/pictures/edge"), look.store.dataset(look.path("renders/pictures/jpeg"))
    if len(edges) < 2 or (np.diff(edges) <= 0).any() or edges[0] < 0 or edges[-1] > len(data):
        return  # `check_places` says so
    chosen = look.sample(len(edges) - 1, _MANY, "sizes of pictures")
    found = [
        jpeg_size(data[int(edges[at]) : min(int(edges[at]) + _HEADER, int(edges[at + 1]))].tobytes()) for at in chosen
    ]
    for name, part in (("width", 0), ("height", 1)):
        wanted = np.array([size[part] for size in found])
        look.equal(
            f"renders/pictures/{name}", wanted, "pictures/jpeg", stored=look.array(f"renders/pictures/{name}")[chosen]
        )


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return width and height by the header of a JPEG file; zeros if it has none.

    Args:
        data: The beginning of the file.
    """
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0, 0


def check_vectors(look: Look) -> None:
    """Check T(f), T(f~) and the centred embedding of images whose features are stored."""
    found, seen = features(look), views(look)
    kinds, rows = look.array("renders/embeddings/kind"), look.array("renders/embeddings/row").astype(np.int64)
    place = np.searchsorted(found.rows, rows).clip(0, max(len(found.rows) - 1, 0))
    there = found.rows[place] == rows if len(found.rows) else np.zeros(len(rows), bool)
    for kind, part in (("translated", seen.before), ("equivalent", seen.after), ("centred", seen.centred)):
        chosen = np.flatnonzero(there & (kinds == kind))
        if not len(chosen) or not seen.known:
            continue
        stored = look.wide("renders/embeddings/vector")[chosen]
        away = angles(stored, part[place[chosen]])
        look.check((away <= _VECTORS).all(), f"renders/embeddings/vector: not those of features/value for {kind}")
        long = np.abs(np.linalg.norm(stored, axis=1) - 1)
        look.check((long <= _UNIT).all(), "renders/embeddings/vector: not of length 1")


def check_pairs(look: Look) -> None:
    """Check the angle between the embeddings of each pair."""
    vectors = look.wide("renders/embeddings/vector")
    before, after = (vectors[look.array(f"renders/pairs/{name}").astype(np.int64)] for name in ("before", "after"))
    look.equal("renders/pairs/vector_angle", angles(before, after), "renders/embeddings/vector", absolute=_ANGLES)


def check_pictures(look: Look) -> None:
    """Check the angles of pictures and pairs, and what is called beyond noise, against the pictures in CLIP space."""
    of, shown = look.array("renders/pictures/rendering").astype(np.int64), look.wide("renders/pictures/vector")
    back = angles(shown, look.wide("renders/embeddings/vector")[of])
    look.equal("renders/pictures/back", back, "renders/pictures/vector", absolute=_ANGLES)
    mean = np.full(len(look.array("renders/embeddings/row")), np.nan)
    for rendering in np.unique(of).tolist():
        mean[rendering] = back[of == rendering].mean()
    before, after = (look.array(f"renders/pairs/{name}").astype(np.int64) for name in ("before", "after"))
    look.equal("renders/pairs/back_before", mean[before], "renders/pictures/back", absolute=_ANGLES)
    look.equal("renders/pairs/back_after", mean[after], "renders/pictures/back", absolute=_ANGLES)
    if look.has("renders/pictures/nearest"):
        look.check(
            (look.array("renders/pairs/state") == UNKNOWN).all(), "renders/pairs/state: nearest images have no noise"
        )
        return
    chosen = look.sample(len(before), _MANY, "pairs of pictures")
    seeds = look.array("renders/pictures/seed")
    found = [picture_noise(*common_seeds(of, seeds, shown, before[at], after[at])) for at in chosen]
    for name, room in (("between", _ANGLES), ("noise", _ANGLES), ("p", _ANY_P), ("state", 0.0)):
        wanted = np.array([getattr(each, name) for each in found])
        sure = np.array([not abs(each.p - 0.05) < _ANY_P for each in found], dtype=bool)
        where = sure if name == "state" else True
        look.equal(
            f"renders/pairs/{name}",
            wanted,
            "renders/pictures/vector",
            stored=look.array(f"renders/pairs/{name}")[chosen],
            absolute=room,
            where=where,
        )


def common_seeds(
    of: NDArray[np.int64], seeds: NDArray[np.int64], shown: NDArray[np.float64], before: int, after: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pictures of two embeddings in CLIP space, those of the seeds that both have, in the order of the seeds.

    Args:
        of: Embedding of each picture.
        seeds: Seed of each picture.
        shown: Each picture in CLIP space, (picture, clip).
        before: One embedding.
        after: The other.
    """
    left, right = np.flatnonzero(of == before), np.flatnonzero(of == after)
    _, one, other = np.intersect1d(seeds[left], seeds[right], return_indices=True)
    return shown[left[one]], shown[right[other]]


def check_kinds(look: Look) -> None:
    """Check the counts, shares and medians of each kind of pair."""
    kind, state = look.array("renders/pairs/kind"), look.array("renders/pairs/state")
    names = range(len(look.array("renders/kinds/name")))
    known, beyond = state != UNKNOWN, state == BEYOND
    counts = {
        name: np.array([(mask & (kind == k)).sum() for k in names])
        for name, mask in (("pairs", np.ones(len(kind), bool)), ("known", known), ("beyond", beyond))
    }
    for name, count in counts.items():
        look.equal(f"renders/kinds/{name}", count, "renders/pairs/state")
    ends = np.array([wilson(int(hits), int(n)) for hits, n in zip(counts["beyond"], counts["known"], strict=True)])
    share = np.array([hits / n if n else np.nan for hits, n in zip(counts["beyond"], counts["known"], strict=True)])
    look.equal("renders/kinds/share", share, "renders/kinds/beyond and kinds/known")
    look.equal("renders/kinds/share_interval", ends.reshape(-1, 2), "renders/kinds/beyond and kinds/known")
    for name in ("vector_angle", "between", "noise", "back_before", "back_after"):
        values = look.wide(f"renders/pairs/{name}")
        look.equal(
            f"renders/kinds/{name}", np.array([_median(values[kind == k]) for k in names]), f"renders/pairs/{name}"
        )


def check_scores(look: Look) -> None:
    """Check that the angle of a pair of T(f) and T(f~) is the IS of the image."""
    names = look.texts("renders/kinds/name")
    if "equivalent" not in names:
        return
    of = look.array("renders/pairs/kind") == names.index("equivalent")
    rows = look.array("renders/pairs/row")[of].astype(np.int64)
    stored = look.rows("images/image_score", rows)
    look.equal(
        "renders/pairs/vector_angle",
        stored,
        "images/image_score",
        stored=look.array("renders/pairs/vector_angle")[of],
        absolute=_ANGLES,
    )


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share by Wilson's formula; NaN without a count."""
    if not count:
        return math.nan, math.nan
    share, square = hits / count, _NORMAL**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = _NORMAL / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan
