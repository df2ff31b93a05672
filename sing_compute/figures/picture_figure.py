"""The figure of a model's pictures of equivalent features."""

from typing import Any

from sing_compute.errors import SingError
from sing_compute.figures.choosing import Choice
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.picture_rows import PictureRow, PictureRows, decoded
from sing_compute.formats import UNICODE, named_format
from sing_compute.store import Place, Store, open_table
from sing_compute.store.pictures import PicturePair, has_pictures, read_pair
from sing_compute.store.text import file_stem

MOST = 8
"""Pairs drawn at most."""


def pictures(store: Store, choice: Choice, model: Any) -> PaperFigure:
    """Show the first pairs of pictures of a model, those of T(f~) first (SING, Fig. 1, 6, 10, 13).

    Raises:
        SingError: The file holds no pictures of the model, or a damaged one.
    """
    if not has_pictures(store, model):
        raise SingError(f"the file holds no pictures of {model} (sing-compute render)")
    table = open_table(store, Place.of("pairs", model=model))
    kinds = [str(kind) for kind in table.column("kind").values.all()]
    order = sorted(range(len(kinds)), key=lambda pair: (kinds[pair] != "equivalent", pair))
    pairs = [read_pair(store, model, pair) for pair in order[:MOST]]
    rows = tuple(_row(pair) for pair in pairs)
    for row in rows:
        for jpeg in (*row.before, *row.after):
            decoded(jpeg)
    known = [pair.state for pair in pairs if pair.decoded]
    source = (
        f"Of {len(known)} pairs, {known.count('beyond noise')} differ by more than two seeds of T(f) do."
        if known
        else "Without a decoder, the nearest real images stand in for pictures."
    )
    other = "T(f~)" if {pair.kind for pair in pairs} == {"equivalent"} else "other embedding"
    shape = PictureRows(tuple(row.name for row in rows), rows, ("T(f)", other))
    reading = f"{source} Pictures side by side have the same noise; the angle back says how far the decoder strays."
    return PaperFigure(file_stem("pictures", model, plain=True), f"Pictures: {model}", reading, shape, table)


def _row(pair: PicturePair) -> PictureRow:
    write = named_format("degrees", UNICODE).write
    kind = "" if pair.kind == "equivalent" else f", {pair.kind}"
    angle = "IS" if pair.kind == "equivalent" else "angle"
    first = f"{angle} {write(pair.vector_angle)} degrees"
    second = "nearest real images"
    if pair.decoded:
        first += f"; pictures {write(pair.between)}, two seeds {write(pair.noise)}"
        second = f"{pair.state}; back to the embeddings {write(pair.back_before)} and {write(pair.back_after)}"
    before, after = (tuple(picture.jpeg for picture in side) for side in (pair.before, pair.after))
    return PictureRow(UNICODE.text(f"{pair.image}{kind}"), (UNICODE.text(first), second), before, after)
