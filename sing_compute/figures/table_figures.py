"""Figures of the file's tables: scores and translators of models, null directions, direction pairs and heads in words."""

from typing import Any

import numpy as np

from sing_compute.charts.shapes import Pairs, Panels
from sing_compute.errors import SingError
from sing_compute.figures.cards import Cards
from sing_compute.figures.choosing import Choice, numbers
from sing_compute.figures.figure import PaperFigure
from sing_compute.formats import UNICODE, fit, named_format
from sing_compute.store import Place, Store, Table, catalogue, open_table
from sing_compute.store.text import file_stem

_DIRECTIONS = 24
"""Direction pairs drawn at most."""
_MODELS = (
    *("model", "accuracy", "nullity", "null_energy", "attribute_score_abs", "image_score", "ratio_images"),
    *("attribute_score_abs_over_control", "flips"),
)
_TRANSLATORS = (
    *("model", "cosine", "cosine_baseline", "r_squared", "mse"),
    *("zero_shot_image", "zero_shot_translated", "zero_shot_equivalent", "lambda"),
)
_NULL_WORDS = ("mode", "value", "positive", "negative")
_DIRECTION_COLUMNS = ("direction", "trust", "words", "null_share", "null_chance", "null_q")
_HEAD = ("vector", "value", "positive", "negative")


def _table(store: Store, place: Place, lacking: str) -> Table:
    """Open a table.

    Raises:
        SingError: The file has no such table: `lacking` says what it does not hold.
    """
    if place.table not in {spec.name for spec in catalogue.tables(store)}:
        raise SingError(f"the file holds no {lacking}")
    table = open_table(store, place)
    if not table.length:
        raise SingError(f"the file holds no {lacking}")
    return table


def _texts(table: Table, name: str) -> list[str]:
    return [str(cell) for cell in table.column(name).values.all()]


def _columns(table: Table, wanted: tuple[str, ...]) -> tuple[str, ...]:
    known = {column.name for column in table.columns}
    return tuple(name for name in wanted if name in known)


def models(store: Store, choice: Choice, subject: Any) -> PaperFigure:
    """Return the scores of all models as a table."""
    table = _table(store, Place("models"), "classifiers")
    noun = store.noun.plural
    reading = (
        f"Medians over {noun} with 95 % intervals; |AS| and IS in degrees. Control: a random vector as long as the null part "
        "is removed."
    )
    return PaperFigure("models", "Scores of every model", reading, None, table, _columns(table, _MODELS))


def translator(store: Store, choice: Choice, subject: Any) -> PaperFigure:
    """Show for every model the cosine of T(f) beside that of the mean embedding, and zero-shot accuracy of T(f) and T(f~)."""
    table = _table(store, Place("models"), "classifiers")
    labels = tuple(_texts(table, "model"))
    parts = []
    for name, columns, ends in (
        ("cosine", ("cosine_baseline", "cosine"), ("mean embedding", "T(f)")),
        ("zero-shot accuracy", ("zero_shot_translated", "zero_shot_equivalent"), ("T(f)", "T(f~)")),
    ):
        first, second = (numbers(table, column) for column in columns)
        if first is not None and second is not None and (np.isfinite(first) & np.isfinite(second)).any():
            share = name != "cosine"
            values = tuple(first.tolist()), tuple(second.tolist())
            parts.append(Pairs(labels, *values, -1, ends, name, share, "percent" if share else "three digits"))
    if not parts:
        raise SingError("the file holds no translator: its models have no scores")
    reading = (
        f"Out of fold: mean cosine of T(f) and the CLIP embedding of the {store.noun.singular}, beside that of the mean "
        "embedding alone; share of correct classes by CLIP's text embeddings for T(f) and for T(f~)."
    )
    title = "Translators of every model"
    return PaperFigure("translator", title, reading, Panels(tuple(parts)), table, _columns(table, _TRANSLATORS))


def null_words(store: Store, choice: Choice, model: Any) -> PaperFigure:
    """Show the null directions that move CLIP space most, in words."""
    lacking = f"words of null directions of {model} (sing-compute words)"
    if f"models/{model}/null_words" not in store:
        raise SingError(f"the file holds no {lacking}")
    table = _table(store, Place.of("null_modes", model=model), lacking)
    reading = (
        f"Null directions of {_brief(model)} along which a unit step moves CLIP space most, and the concepts toward which each "
        "of the two ways leads, with their coefficients."
    )
    shape = _cards(table, _NULL_WORDS, "moves CLIP space by")
    title = f"Null directions in words: {model}"
    return PaperFigure(
        file_stem("words", model, plain=True), title, reading, shape, table, _columns(table, _NULL_WORDS)
    )


def head(store: Store, choice: Choice, place: Any) -> PaperFigure:
    """Show the strongest singular vectors of a head in words."""
    table = _table(store, Place.of("vectors", **place), "heads analysis (sing-compute heads)")
    layer, number = (store.label(axis, place[axis], Place.of("vectors", **place)) for axis in ("layer", "head"))
    title = f"{place['tower']}, {layer}, {number}"
    reading = (
        f"Strongest singular vectors of {_brief(layer)}, {_brief(number)} of {_brief(place['tower'])}, and the concepts that "
        "each of their two poles writes, with their coefficients."
    )
    name = file_stem("heads", place["tower"], str(layer), str(number), plain=True)
    return PaperFigure(name, title, reading, _cards(table, _HEAD, "singular value"), table, _columns(table, _HEAD))


def _cards(table: Table, columns: tuple[str, ...], name: str) -> Cards:
    label, value, positive, negative = columns
    poles = tuple(zip(_texts(table, positive), _texts(table, negative), strict=True))
    values = tuple(np.asarray(table.column(value).values.all(), dtype=np.float64).tolist())
    return Cards(tuple(_texts(table, label)), values, poles, name)


def directions(store: Store, choice: Choice, model: Any) -> PaperFigure:
    """Show the null share of each direction pair beside that of chance."""
    lacking = f"direction pairs of {model} (sing-compute directions)"
    if f"models/{model}/directions" not in store:
        raise SingError(f"the file holds no {lacking}")
    table = _table(store, Place.of("directions", model=model), lacking)
    share, chance = numbers(table, "null_share"), numbers(table, "null_chance")
    if share is None or chance is None or not np.isfinite(share).any():
        raise SingError(f"the file holds no null shares of the directions of {model}: its head has no null space")
    rows = [row for row in np.argsort(-share, kind="stable").tolist() if np.isfinite(share[row])]
    words = _texts(table, "words") if "words" in _columns(table, ("words",)) else [""] * table.length
    labels = [
        f"{name.removeprefix('direction ')}  {text}"
        for name, text in zip(_texts(table, "direction"), words, strict=True)
    ]
    shown = rows[:_DIRECTIONS]
    write = named_format("percent").write
    above = sum(share[row] > chance[row] for row in rows)
    reading = (
        f"Share of each signal vector of {_brief(model)} in the null space, beside the median of directions with the covariance "
        f"of the features ({write(float(chance[rows[0]]))}): {above} of {len(rows)} are above it"
        f"{f'; the {len(shown)} of largest share are drawn' if len(shown) < len(rows) else ''}."
    )
    shape = Pairs(
        tuple(labels[row] for row in shown),
        tuple(chance[shown].tolist()),
        tuple(share[shown].tolist()),
        -1,
        ("chance", "signal vector"),
        "share in the null space",
        format="percent",
    )
    title = f"Null share of direction pairs: {model}"
    return PaperFigure(
        file_stem("directions", model, plain=True), title, reading, shape, table, _columns(table, _DIRECTION_COLUMNS)
    )


def _brief(name: object) -> str:
    return fit(UNICODE.text(name), 32).rstrip()
