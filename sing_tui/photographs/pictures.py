"""Pictures of equivalent features from a results file: which pairs belong to a row, and the words beside them."""

from typing import TYPE_CHECKING

from sing_compute.store.definitions.render_fields import EQUIVALENT, GROUP
from sing_compute.store.pictures import PicturePair, has_pictures, pairs_of_image

if TYPE_CHECKING:
    from sing_compute.store import Store
    from sing_compute.store.place import Place


def pairs_of_row(store: "Store", place: "Place", row: int) -> list[int]:
    """Return the pairs of the image of a row, the row's own pair first; none where the file holds no pictures of it.

    Args:
        store: The results file.
        place: The table of the row, of one model.
        row: Position of the row on its axis.

    Raises:
        StoreError: The file is damaged.
    """
    model = place.key("model")
    if not isinstance(model, str) or not has_pictures(store, model):
        return []
    group = GROUP.format(model=model)
    if place.table == "images":
        return pairs_of_image(store, model, row)
    if place.table == "pairs":
        pairs = pairs_of_image(store, model, int(store.dataset(f"{group}/pairs/row")[row]))
        return sorted(pairs, key=lambda pair: (pair != row, pair))
    if place.table == "pictures":
        rendering = int(store.dataset(f"{group}/pictures/rendering")[row])
        pairs = pairs_of_image(store, model, int(store.dataset(f"{group}/embeddings/row")[rendering]))
        after = store.array(f"{group}/pairs/after")
        return sorted(pairs, key=lambda pair: (int(after[pair]) != rendering, pair))
    return []


def titles(pair: PicturePair, degree: str) -> tuple[str, str]:
    """Return the line over the pictures of T(f), and that over those of the other embedding, the most important words first.

    Args:
        pair: The pair.
        degree: The sign for degrees.
    """
    if not pair.decoded:
        other = "real images nearest to T(f~)" if pair.kind == EQUIVALENT else f"{pair.kind}: no real images"
        return "real images nearest to T(f): no decoder", other
    back, noise, other, apart, between = (
        angle_text(angle, degree)
        for angle in (pair.back_before, pair.noise, pair.back_after, pair.vector_angle, pair.between)
    )
    pictures = "" if pair.state == "not known" else f"; pictures {between}"
    return (
        f"T(f): back {back}; seeds {noise} apart",
        f"{pair.kind}: {pair.state}; {apart} apart{pictures}; back {other}",
    )


def angle_text(angle: float, degree: str, *, digits: int = 1) -> str:
    """Write an angle; a dash where it is not known.

    Args:
        angle: Degrees.
        degree: The sign for degrees.
        digits: Digits behind the point.
    """
    return f"{angle:.{digits}f}{degree}" if angle == angle else "-"
