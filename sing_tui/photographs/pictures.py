"""Pictures of equivalent features from a results file: which pairs belong to a row, and the words beside them."""

from typing import TYPE_CHECKING

from sing_compute.store import catalogue
from sing_compute.store.definitions.render_fields import EQUIVALENT, GROUP
from sing_compute.store.pictures import PicturePair, has_pictures, pairs_of_image, read_jpeg
from sing_compute.store.read import located

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
    items = _items(store, place, row)
    image = items.get("image")
    if image is None:
        return []
    pairs = pairs_of_image(store, model, image)
    after = store.array(f"{GROUP.format(model=model)}/pairs/after")
    own, rendering = items.get("pair"), items.get("rendering")
    return sorted(pairs, key=lambda pair: (pair != own, int(after[pair]) != rendering, pair))


def picture_of_row(store: "Store", place: "Place", row: int) -> bytes | None:
    """Return the JPEG file that a row itself is; None if the rows of its table are no stored pictures.

    Raises:
        StoreError: The file is damaged.
    """
    rows = catalogue.table(place.table).rows
    model = place.key("model")
    is_picture = any(axis.edges_of == rows for axis in catalogue.analysis_of(place.table).axes)
    return (
        read_jpeg(store, model, row) if is_picture and isinstance(model, str) and has_pictures(store, model) else None
    )


def _items(store: "Store", place: "Place", row: int) -> dict[str, int]:
    """Follow the declared indices of a row: its own item, and those of other axes that it belongs to, by axis."""
    spec = catalogue.table(place.table)
    links = [field for field in catalogue.analysis_of(place.table).fields if field.of and len(field.axes) == 1]
    found, ahead = {spec.rows: row}, [spec.rows]
    for axis in ahead:
        for field in links:
            path = located(field.path, place) if field.axes == (axis,) and field.of not in found else ""
            if path and path in store:
                found[field.of] = int(store.dataset(path)[found[axis]])
                ahead.append(field.of)
    return found


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
