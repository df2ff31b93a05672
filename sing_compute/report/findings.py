"""The first page of a report: what was measured, which model and classes leak most, and how far that can be relied on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.figures.choosing import RULE, largest_first, numbers
from sing_compute.formats import UNICODE, fit, in_words, number_format, with_interval
from sing_compute.store import Place, Store, Table, open_table

_NAME = 48
"""Letters of a name in a sentence at most."""
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer: the question in a few words, and sentences with its numbers."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001
    """One warning of the run, and what it means for a reader."""

    about: str
    text: str
    meaning: str


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


def findings(store: Store, models: Sequence[str]) -> list[Finding]:
    """Answer the questions that a reader has first.

    Args:
        store: The results file.
        models: The models that the report describes in full, the one that leaks most first.

    Returns:
        The answers for which the file holds the numbers.
    """
    found = [Finding("What was measured", measured(store))]
    if not store.models:
        return found
    table = open_table(store, Place("models"))
    found += _output(store, table)
    found += _models(store, table)
    for model in models:
        found += _classes(store, model)
    found += _translator(table)
    return found


def measured(store: Store) -> str:
    """Say in one sentence what the file is about."""
    noun = store.noun
    parts = []
    if store.models:
        names = [brief(name) for name in store.models]
        listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        parts.append(f"{_count(len(names), 'classifier')} ({listed})")
    if "images/key" in store:
        parts.append(_count(store.count("image"), noun.singular, noun.plural))
    if "classes/name" in store:
        parts.append(_count(store.count("class"), "class", "classes"))
    if "concepts/name" in store:
        parts.append(_count(store.count("concept"), "concept"))
    towers = store.members("tower")
    if towers:
        parts.append(f"{_count(len(towers), 'image tower')} of CLIP ({', '.join(map(brief, towers[:6]))})")
    clip = store.attributes("clip").get("tag")
    space = f" The CLIP is {brief(clip)}." if clip else ""
    return f"The file holds {_listed(parts)}.{space}" if parts else "The file holds no results."


def _count(number: int, singular: str, plural: str = "") -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _output(store: Store, table: Table) -> list[Finding]:
    """Say if the removal left the output alone: without that, no score can be read as what the head ignores."""
    if not has(table, "flips", "logit_change_max"):
        return []
    flips, change = values_of(table, "flips"), values_of(table, "logit_change_max")
    known = np.isfinite(flips)
    changed = [row for row in np.flatnonzero(known).tolist() if flips[row] > 0]
    write = number_format(table.column("logit_change_max")).write
    most = write(float(np.nanmax(change)))
    if not changed:
        text = (
            f"No. For all {int(known.sum())} models no prediction changed, and the logits changed by at most {most} of their "
            "spread. So the scores below show something that the head does not use."
            if known.sum() > 1
            else f"No. No prediction changed, and the logits changed by at most {most} of their spread. So the scores below show "
            "something that the head does not use."
        )
    else:
        names = _texts(table, "model")
        listed = _listed(
            [f"{brief(names[row])} ({in_words(table.column('flips'), float(flips[row]))})" for row in changed[:6]]
        )
        text = (
            f"Yes: predictions changed in {listed}. Quote this with every score of these models, because part of what was removed "
            "is used by the head."
        )
    return [Finding("Did the removal change the output?", text)]


def _texts(table: Table, name: str) -> list[str]:
    return [str(cell) for cell in table.column(name).values.all()]


def _models(store: Store, table: Table) -> list[Finding]:
    """Say which model leaks most, by which number, and if the other numbers agree."""
    names = _texts(table, "model")
    ratio = "attribute_score_abs_over_control"
    if not has(table, ratio, "attribute_score_abs"):
        return []
    values = values_of(table, ratio)
    order = [row for row in largest_first(table, RULE) if np.isfinite(values[row])]
    first = order[0]
    write = number_format(table.column(ratio)).write
    sentences = [
        f"{brief(names[first])}, by |AS| over its control: {write(float(values[first]))}. Its median |AS| is "
        f"{say(table, first, 'attribute_score_abs')}; a random vector of the same length gives a ratio of 1."
    ]
    if len(order) > 1:
        others = [f"{brief(names[row])} {write(float(values[row]))}" for row in order[1:6]]
        sentences.append(f"The others: {', '.join(others)}{', ...' if len(order) > 6 else ''}.")
    if values[first] <= 1:
        sentences.append(
            "No model moves further than a random vector of the same length would. This is no proof that nothing leaks: "
            "one class or one concept can still stand out."
        )
    if has(table, "attribute_score_centred_abs"):
        sentences.append(
            f"Without the offset that all {store.noun.plural} share, |AS| of {brief(names[first])} is "
            f"{say(table, first, 'attribute_score_centred_abs')} (centred)."
        )
    sentences += _agreement(table, names, first)
    sentences.append("The ratio has no interval, and it depends on lambda.")
    title = "Which model leaks most?" if len(order) > 1 else "How much does the model leak?"
    return [Finding(title, " ".join(sentences))]


def _agreement(table: Table, names: Sequence[str], first: int) -> list[str]:
    """Say if IS and plain |AS| name the same model, and how sure the order of IS/|AS| is."""
    if table.length < 2:
        return []
    leaders = {}
    for name, title in (("attribute_score_abs", "|AS|"), ("image_score", "IS")):
        values = values_of(table, name)
        if np.isfinite(values).any():
            row = int(np.nanargmax(values))
            leaders[title] = (row, f"{brief(names[row])} ({say(table, row, name)})")
    if not leaders:
        return []
    if all(row == first for row, _ in leaders.values()):
        return ["It is first by |AS| and by IS, too."]
    listed = " and ".join(f"by {title} {text}" for title, (_, text) in leaders.items())
    return [f"Other numbers can give another order: largest is {listed}."]


def _classes(store: Store, model: str) -> list[Finding]:
    """Say in which classes a model leaks most, and toward which concepts."""
    try:
        table = open_table(store, Place.of("classes", model=model))
    except SingError:
        return []
    ratio, score, image = RULE[0], "attribute_score_abs_q50", "image_score_q50"
    if not has(table, ratio, score):
        return []
    names, values = _texts(table, "class"), values_of(table, ratio)
    order = [row for row in largest_first(table, RULE) if np.isfinite(values[row])][:3]
    write = number_format(table.column(ratio)).write
    parts = []
    for row in order:
        index = row if table.ids is None else int(table.ids[row])
        concept = _first_concept(store, model, index)
        parts.append(
            f"{brief(names[row])} ({write(float(values[row]))} times the control; median |AS| {say(table, row, score)}{concept})"
        )
    sentences = [f"{_listed(parts)}."]
    if has(table, image):
        images, scores = values_of(table, image), values_of(table, score)
        by_image, by_score = int(np.nanargmax(images)), int(np.nanargmax(scores))
        if table.length > 1 and by_image != by_score:
            sentences.append(
                f"IS and |AS| do not put the same class first: IS is largest for {brief(names[by_image])} "
                f"({say(table, by_image, image)}), |AS| for {brief(names[by_score])} ({say(table, by_score, score)}). IS counts "
                "every movement in CLIP space, |AS| only the movement toward or away from the text of the class."
            )
        elif table.length > 1:
            sentences.append(f"IS and |AS| put the same class first, {brief(names[by_image])}.")
    return [Finding(f"In which classes does {brief(model)} leak most?", " ".join(sentences))]


def _first_concept(store: Store, model: str, index: int) -> str:
    """Say the concept that moves most in a class, with its q where q can be relied on."""
    try:
        table = open_table(store, Place.of("concepts", model=model, **{"class": index}))
    except SingError:
        return ""
    if not has(table, "attribute_score_abs", "attribute_score"):
        return ""
    row = largest_first(table, ("attribute_score_abs",))[0]
    text = f"; moves most along {brief(_texts(table, 'concept')[row])}, AS {say(table, row, 'attribute_score')}"
    if has(table, "q") and not store.attributes(f"models/{model}").get("significance_note"):
        q = values_of(table, "q")
        text += f", q {number_format(table.column('q')).write(float(q[row]))}"
    return text


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
    return [Finding("Is the translator good enough?", text)]


def warnings_of(store: Store) -> list[Warning]:
    """List the warnings of the run in plain words.

    Args:
        store: The results file.

    Returns:
        Those of the stored embeddings, then those of each model.
    """
    found = []
    text = store.attributes("clip").get("warnings")
    if text:
        found.append(Warning("stored embeddings", UNICODE.text(text), "All scores depend on these embeddings."))
    for model in store.models:
        facts = store.attributes(f"models/{model}")
        for kind, meaning in _MEANINGS.items():
            if facts.get(kind):
                found.append(Warning(brief(model), UNICODE.text(facts[kind]), store.noun.words(meaning)))
    if "images/skipped_key" in store:
        count = len(store.dataset("images/skipped_key"))
        if count:
            several = _count(count, store.noun.singular, store.noun.plural)
            found.append(Warning("input", f"{several} could not be read", "They are in no number of this report."))
    return found


_MEANINGS = {
    "warnings": "The run gave this warning. Think of it when you read the numbers of this model.",
    "significance_note": (
        "Do not rely on z, q and the mark * of this model: the noise of the translator can look like a shift. AS, |AS|, IS and "
        "their controls can still be read, as estimates."
    ),
    "note": "A note of the person who ran it.",
}
"""Attributes of a model that a reader must see, and what they mean."""
