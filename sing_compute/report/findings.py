"""The first page of a report: what was measured, which model and classes leak most, and how far that can be relied on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.figures.choosing import RULE, largest_first, numbers
from sing_compute.formats import UNICODE, fit, in_words, number_format, with_interval
from sing_compute.report.tables import PageTable, TableMaker, explorer_command
from sing_compute.store import Place, Store, Table, open_table

_NAME = 48
"""Letters of a name in a sentence at most."""
_RATIO = RULE[0]
CLASS_COLUMNS = (
    *("class", "attribute_score_abs_over_control", "attribute_score_abs_q50", "attribute_score_centred_abs_q50"),
    *("image_score_q50", "image_score_over_control", "ratio", "accuracy", "count", "null_energy_mean"),
)
"""Columns of classes that a report shows, the most important first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer: the question, a few words that answer it, sentences with the numbers, and perhaps a small table."""

    title: str
    answer: str
    text: str
    table: PageTable | None = None


def brief(name: object) -> str:
    """Return a name as it is written in a sentence."""
    return fit(UNICODE.text(name), _NAME).rstrip()


def values_of(table: Table, name: str) -> NDArray[np.float64]:
    """Return the numbers of a column; NaN in every row where the table lacks it."""
    found = numbers(table, name)
    return np.full(table.length, np.nan) if found is None else found


def has(table: Table, *names: str) -> bool:
    """Return True if a table has these columns, each with a finite number."""
    return all(np.isfinite(values_of(table, name)).any() for name in names)


def say(table: Table, row: int, name: str) -> str:
    """Say one number of a row with its unit and interval; - where the table lacks it."""
    column = next((each for each in table.columns if each.name == name), None)
    if column is None:
        return "-"
    low, high = (float(values_of(table, end)[row]) for end in column.interval) if column.interval else (np.nan, np.nan)
    return with_interval(column, float(values_of(table, name)[row]), (low, high))


def findings(store: Store, models: Sequence[str], maker: TableMaker) -> list[Finding]:
    """Answer the questions that a reader has first.

    Args:
        store: The results file.
        models: The models that the report describes in full, the one that leaks most first.
        maker: Makes the tables of the page.

    Returns:
        The answers for which the file holds the numbers.
    """
    found = [Finding("What was measured", "", measured(store))]
    if not store.models:
        return found
    table = open_table(store, Place("models"))
    found += _output(table)
    found += _models(store, table)
    for model in models:
        found += _classes(store, model, maker)
    found += _translator(table)
    return found


def measured(store: Store) -> str:
    """Say in one sentence what the file is about."""
    noun = store.noun
    parts = []
    if store.models:
        names = [brief(name) for name in store.models]
        listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        parts.append(f"{count_of(len(names), 'classifier')} ({listed})")
    if "images/key" in store:
        parts.append(count_of(store.count("image"), noun.singular, noun.plural))
    if "classes/name" in store:
        parts.append(count_of(store.count("class"), "class", "classes"))
    if "concepts/name" in store:
        parts.append(count_of(store.count("concept"), "concept"))
    towers = store.members("tower")
    if towers:
        parts.append(f"{count_of(len(towers), 'image tower')} of CLIP ({', '.join(map(brief, towers[:6]))})")
    clip = store.attributes("clip").get("tag")
    space = f" The CLIP is {brief(clip)}." if clip else ""
    return f"The file holds {_listed(parts)}.{space}" if parts else "The file holds no results."


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Return a number of things in words: `1 image`, `1,200 images`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _output(table: Table) -> list[Finding]:
    """Say if the removal left the output alone: without that, no score can be read as what the head ignores."""
    if not has(table, "flips", "logit_change_max"):
        return []
    flips, change = values_of(table, "flips"), values_of(table, "logit_change_max")
    most = number_format(table.column("logit_change_max")).write(float(np.nanmax(change)))
    title = "Did the removal change the output?"
    changed = [row for row in range(table.length) if flips[row] > 0]
    if not changed:
        whose = "of any model " if table.length > 1 else ""
        text = (
            f"No prediction {whose}changed, and the logits changed by at most {most} of their spread. So the scores show "
            "something that the head does not use."
        )
        return [Finding(title, "No.", text)]
    names, flipped = _texts(table, "model"), table.column("flips")
    listed = _listed([f"{brief(names[row])} ({in_words(flipped, float(flips[row]))})" for row in changed[:6]])
    text = (
        f"Predictions changed in {listed}. Quote this with every score of these models, because the head uses a part of what was "
        "removed."
    )
    return [Finding(title, "Yes.", text)]


def _texts(table: Table, name: str) -> list[str]:
    return [str(cell) for cell in table.column(name).values.all()]


def _models(store: Store, table: Table) -> list[Finding]:
    """Say which model leaks most, by which number, and if the other numbers agree."""
    if not has(table, _RATIO, "attribute_score_abs"):
        return []
    names, ratios = _texts(table, "model"), values_of(table, _RATIO)
    order = [row for row in largest_first(table, (_RATIO,)) if not np.isnan(ratios[row])]
    first, write, noun = order[0], number_format(table.column(_RATIO)).write, store.noun
    sentences = [
        f"Removing the null part turns {noun.with_article} toward or away from its class {write(float(ratios[first]))} times as "
        f"far as removing a random vector of the same length (|AS| over its control). This number comes first because null parts "
        f"of different models have different lengths. Median |AS| is {say(table, first, 'attribute_score_abs')}."
    ]
    if has(table, "attribute_score_centred_abs"):
        whole, own = (
            float(values_of(table, name)[first]) for name in ("attribute_score_abs", "attribute_score_centred_abs")
        )
        share = (
            f" So most of it is an offset that says nothing about any single {noun.singular}."
            if own < whole / 2
            else ""
        )
        sentences.append(
            f"Without the offset that all {noun.plural} share it is {say(table, first, 'attribute_score_centred_abs')} "
            f"(centred).{share}"
        )
    if len(order) > 1:
        others = ", ".join(f"{brief(names[row])} {write(float(ratios[row]))}" for row in order[1:6])
        sentences.append(f"The others: {others}{' and less' if len(order) > 6 else ''}.")
    if ratios[first] <= 1:
        sentences.append(
            "That is no further than chance. It is no proof that nothing leaks: one class can still stand out."
        )
    sentences += _agreement(table, names, first)
    sentences.append("The ratio has no interval, and it depends on lambda.")
    title = "Which model leaks most?" if table.length > 1 else "How much does the model leak?"
    return [
        Finding(title, f"{brief(names[first])}, {write(float(ratios[first]))} times its control.", " ".join(sentences))
    ]


def _agreement(table: Table, names: Sequence[str], first: int) -> list[str]:
    """Say if IS and plain |AS| name the same model."""
    if table.length < 2:
        return []
    rows = {}
    for name, title in (("attribute_score_abs", "|AS|"), ("image_score", "IS")):
        if has(table, name):
            rows[title] = (int(np.nanargmax(values_of(table, name))), name)
    if all(row == first for row, _ in rows.values()):
        return ["It is first by |AS| and by IS, too."]
    listed = " and ".join(
        f"by {title} {brief(names[row])} ({say(table, row, name)})" for title, (row, name) in rows.items()
    )
    return [f"Other numbers put the models in another order: first {listed}."]


def _classes(store: Store, model: str, maker: TableMaker) -> list[Finding]:
    """Say in which classes a model leaks most, and along which concepts."""
    try:
        table = open_table(store, Place.of("classes", model=model))
    except SingError:
        return []
    if not has(table, _RATIO, "attribute_score_abs_q50"):
        return []
    names, ratios = _texts(table, "class"), values_of(table, _RATIO)
    order = [row for row in largest_first(table, (_RATIO,)) if not np.isnan(ratios[row])][:3]
    write = number_format(table.column(_RATIO)).write
    sentences = _class_orders(table, names)
    if store.attributes(f"models/{model}").get("significance_note"):
        sentences.append("q is left out, because it can raise false alarms here: see the warnings.")
    made = maker.make(
        table, f"Classes of {brief(model)} that leak most, and the concept along which each moves most",
        explorer_command(maker.file, "classes", {"model": model}), order=order, names=CLASS_COLUMNS[:5], sort=_RATIO,
    )  # fmt: skip
    positions = [row if table.ids is None else int(table.ids[row]) for row in order]
    concepts = [_first_concept(store, model, position, maker) for position in positions]
    if all(concepts):
        rows = [(*cells, *more.rows[0]) for cells, more in zip(made.rows, filter(None, concepts), strict=True)]
        extra = next(filter(None, concepts)).headings
        made = replace(made, headings=[*made.headings, *(replace(head, sort="") for head in extra)], rows=rows)
    answer = f"{brief(names[order[0]])}, {write(float(ratios[order[0]]))} times its control."
    return [
        Finding(f"In which classes does {brief(model)} leak most?", answer, " ".join(sentences), replace(made, note=""))
    ]


def _class_orders(table: Table, names: Sequence[str]) -> list[str]:
    """Say if IS and |AS| put the same class first."""
    image, score = "image_score_q50", "attribute_score_abs_q50"
    if table.length < 2 or not has(table, image):
        return []
    by_image, by_score = (int(np.nanargmax(values_of(table, name))) for name in (image, score))
    if by_image == by_score:
        return [f"By median |AS| and by median IS, {brief(names[by_score])} is first."]
    return [
        f"By median IS {brief(names[by_image])} is first ({say(table, by_image, image)}), by median |AS| "
        f"{brief(names[by_score])} ({say(table, by_score, score)}): IS counts "
        "every movement in CLIP space, |AS| only that toward or away from the class."
    ]


def _first_concept(store: Store, model: str, index: int, maker: TableMaker) -> PageTable | None:
    """Return the row of the concept that moves most in a class, with its q where q can be relied on."""
    try:
        table = open_table(store, Place("concepts").at(model=model, **{"class": index}))
    except SingError:
        return None
    if not has(table, "attribute_score_abs", "attribute_score"):
        return None
    row = largest_first(table, ("attribute_score_abs",))[0]
    relied = not store.attributes(f"models/{model}").get("significance_note")
    names = ("concept", "attribute_score_abs", "attribute_score", *(["q"] if relied and has(table, "q") else []))
    return maker.make(table, "", "", order=[row], names=names)


def _translator(table: Table) -> list[Finding]:
    """Say how well CLIP's embeddings are predicted: every score depends on it."""
    if not has(table, "cosine", "cosine_baseline", "r_squared"):
        return []
    names = _texts(table, "model")
    cosine = values_of(table, "cosine")
    known = [row for row in range(table.length) if np.isfinite(cosine[row])]
    parts = [
        f"{brief(names[row])} {say(table, row, 'cosine')} (mean embedding alone {say(table, row, 'cosine_baseline')}, R2 "
        f"{say(table, row, 'r_squared')})"
        for row in known[:4]
    ]
    more = f" and {len(known) - 4} more in the table" if len(known) > 4 else ""
    text = (
        f"Cosine of the translated feature with CLIP's embedding, out of fold: {'; '.join(parts)}{more}. If the first number is "
        "hardly above the second, AS and IS mean little."
    )
    return [Finding("Is the translator good enough?", "", text)]
