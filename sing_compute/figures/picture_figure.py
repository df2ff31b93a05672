"""The figure of a model's pictures of equivalent features."""

from typing import Any

from sing_compute.errors import SingError
from sing_compute.figures.choosing import Choice
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.picture_rows import PictureRow, PictureRows, decoded
from sing_compute.formats import UNICODE, named_format
from sing_compute.store import Place, Store, Table, open_table
from sing_compute.store.definitions.render_fields import EQUIVALENT
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
    order = sorted(range(len(kinds)), key=lambda pair: (kinds[pair] != EQUIVALENT, pair))
    read = (read_pair(store, model, pair) for pair in order[:MOST])
    pairs = [pair for pair in read if pair.before and pair.after]  # without a decoder only T(f~) has any
    if not pairs:
        raise SingError(f"the file holds no pictures of {model} (sing-compute render)")
    rows = tuple(_row(pair) for pair in pairs)
    for row in rows:
        for jpeg in (*row.before, *row.after):
            decoded(jpeg)
    shape = PictureRows(tuple(row.name for row in rows), rows)
    reading = _reading(table, kinds, store.noun.singular, drawn=any(pair.decoded for pair in pairs))
    return PaperFigure(file_stem("pictures", model, plain=True), f"Pictures: {model}", reading, shape, table)


def _reading(table: Table, kinds: list[str], noun: str, *, drawn: bool) -> str:
    """Say of all pairs of T(f) and T(f~) of the model, drawn or not, how many differ by more than noise."""
    if not drawn:
        return (
            "Without a decoder, the nearest real images of the two embeddings take the places of pictures, the nearest first. "
            f"They show no change of one {noun}."
        )
    states = [str(state) for state in table.column("difference").values.all()]
    of_null = [state for state, kind in zip(states, kinds, strict=True) if kind == EQUIVALENT]
    known, beyond = sum(state != "not known" for state in of_null), of_null.count("beyond noise")
    source = (
        f"Of {known} {'pair' if known == 1 else 'pairs'} of T(f) and T(f~), {beyond} {'is' if beyond == 1 else 'are'} beyond "
        "noise: farther apart than two seeds of T(f)."
        if known
        else "If T(f) and T(f~) differ by more than noise is not known: that takes four seeds."
    )
    return f"{source} Pictures side by side have the same noise; the angle back says how far the decoder strays."


def _row(pair: PicturePair) -> PictureRow:
    write = named_format("degrees", UNICODE).write
    kind = "" if pair.kind == EQUIVALENT else f", {pair.kind}"
    angle = "IS" if pair.kind == EQUIVALENT else "angle"
    first = f"{angle} {write(pair.vector_angle)} degrees"
    second = "nearest real images"
    if pair.decoded:
        first += f"; pictures {write(pair.between)}, two seeds {write(pair.noise)}"
        second = f"{pair.state}; back to the embeddings {write(pair.back_before)} and {write(pair.back_after)}"
    before, after = (tuple(picture.jpeg for picture in side) for side in (pair.before, pair.after))
    other = "T(f~)" if pair.kind == EQUIVALENT else UNICODE.text(pair.kind)
    return PictureRow(UNICODE.text(f"{pair.image}{kind}"), (UNICODE.text(first), second), before, after, other)
