"""Read the pictures of equivalent features from a results file: JPEG files with their kinds, seeds and angles.

Neither torch nor Pillow is loaded. The file may come from a stranger: a picture is at most `MOST_BYTES` long, and who decodes it
must bound its pixels, too.
"""

from dataclasses import dataclass

import numpy as np

from sing_compute.store.definitions.render_fields import GROUP, NEAREST
from sing_compute.store.place import Place
from sing_compute.store.read import Store
from sing_compute.store.text import clean, store_error

MOST_BYTES = 2**22
"""Most bytes of one picture in a results file."""
MOST_SIDE = 512
"""Most pixels of a side of a picture that is stored."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a results file."""

    kind: str
    """Kind of the embedding that it shows: `translated` for T(f), `equivalent` for T(f~), `true`, ..."""
    seed: int
    """Seed of the decoder's noise; of nearest images the place."""
    back: float
    """Angle between the picture, in the file's CLIP, and its embedding, in degrees; NaN if no CLIP was there."""
    jpeg: bytes
    """The JPEG file."""
    nearest: str = ""
    """Key of the real image that takes the place of a decoded picture; empty for a decoded one."""


@dataclass(frozen=True, slots=True)
class PicturePair:
    """T(f) and another embedding of one image, with their pictures, in the order of the seeds."""

    image: str
    """Key of the image."""
    row: int
    """Its row in the file."""
    kind: str
    """Kind of the other embedding."""
    vector_angle: float
    """Angle between the two embeddings in degrees; IS for `equivalent`."""
    between: float
    """Mean angle between the two pictures of a seed, in degrees."""
    noise: float
    """Mean angle between the pictures of T(f) of two seeds, in degrees."""
    state: str
    """`beyond noise`, `within noise` or `not known`."""
    back_before: float
    back_after: float
    """Mean angles between the pictures and their embeddings, in degrees."""
    before: tuple[Picture, ...]
    """Pictures of T(f)."""
    after: tuple[Picture, ...]
    """Pictures of the other embedding."""
    decoded: bool
    """False if real images, the nearest ones, take the places of pictures: say so beside them."""


def has_pictures(store: Store, model: str) -> bool:
    """Return True if a file holds pictures of a model."""
    return f"{GROUP.format(model=model)}/pairs/row" in store


def pairs_of_image(store: Store, model: str, row: int) -> list[int]:
    """Return the positions of the pairs of one image, in the order of the table `pairs`; none if it has no pictures.

    Args:
        store: The results file.
        model: Name of the model.
        row: Row of the image.

    Raises:
        StoreError: The file is damaged.
    """
    if not has_pictures(store, model):
        return []
    found: list[int] = np.flatnonzero(store.array(f"{GROUP.format(model=model)}/pairs/row") == row).tolist()
    return found


def read_pair(store: Store, model: str, pair: int) -> PicturePair:
    """Read one pair of a model with all of its pictures.

    Args:
        store: The results file.
        model: Name of the model.
        pair: Position of the pair in the table `pairs`.

    Raises:
        StoreError: There is no such pair, or the file is damaged.
    """
    group = GROUP.format(model=model)
    numbers = ("vector_angle", "between", "noise", "back_before", "back_after")
    figures = {name: float(store.dataset(f"{group}/pairs/{name}")[pair]) for name in numbers}
    before, after = (int(store.dataset(f"{group}/pairs/{name}")[pair]) for name in ("before", "after"))
    kinds = store.items("render_kind", Place.of("pairs", model=model))
    kind = int(store.dataset(f"{group}/pairs/kind")[pair])
    if not 0 <= kind < len(kinds):
        raise store_error(f"{store.path.name}: {group}/pairs/kind: names a kind that is not there")
    return PicturePair(
        clean(str(store.dataset(f"{group}/pairs/image")[pair])),
        int(store.dataset(f"{group}/pairs/row")[pair]),
        clean(str(kinds[kind])),
        state=clean(str(store.dataset(f"{group}/pairs/state")[pair])),
        before=_pictures(store, model, before),
        after=_pictures(store, model, after),
        decoded=store.attributes(group).get("source") != NEAREST,
        **figures,
    )


def read_jpeg(store: Store, model: str, position: int) -> bytes:
    """Read the JPEG file of one picture.

    Args:
        store: The results file.
        model: Name of the model.
        position: Position of the picture in the table `pictures`.

    Raises:
        StoreError: There is no such picture, or the file is damaged.
    """
    group = GROUP.format(model=model)
    edges, jpeg = store.dataset(f"{group}/pictures/edge"), store.dataset(f"{group}/pictures/jpeg")
    start, stop = int(edges[position]), int(edges[position + 1])
    if not 0 <= start < stop <= len(jpeg) or stop - start > MOST_BYTES:
        raise store_error(
            f"{store.path.name}: {group}/pictures/edge: picture {position} is no file of at most {MOST_BYTES:,} bytes"
        )
    return bytes(jpeg[start:stop].tobytes())


def _pictures(store: Store, model: str, rendering: int) -> tuple[Picture, ...]:
    group = GROUP.format(model=model)
    of = store.array(f"{group}/pictures/rendering")
    kind = clean(str(store.dataset(f"{group}/embeddings/kind")[rendering]))
    nearest = f"{group}/pictures/nearest"
    found = []
    for at in np.flatnonzero(of == rendering).tolist():
        key = ""
        if nearest in store:
            key = clean(store.label("image", int(store.dataset(nearest)[at])))
        seed, back = (store.dataset(f"{group}/pictures/{name}")[at] for name in ("seed", "back"))
        found.append(Picture(kind, int(seed), float(back), read_jpeg(store, model, at), key))
    return tuple(found)
