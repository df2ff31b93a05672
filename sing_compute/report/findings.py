"""The first page of a report: what was measured, which model and classes leak most, and how far that can be relied on."""

from collections.abc import Sequence

import numpy as np

from sing_compute.figures.choosing import RULE, largest_first
from sing_compute.formats import in_words, number_format
from sing_compute.report.class_findings import class_findings
from sing_compute.report.facts import Finding, brief, count_of, has, listed, say, texts_of, values_of
from sing_compute.report.tables import TableMaker
from sing_compute.store import Place, Store, Table, open_table

_RATIO = RULE[0]


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
    answers: list[Finding] = []
    for model in models:
        answers += class_findings(store, model, maker, explained=bool(answers))
    found += answers
    found += _translator(table)
    return found


def measured(store: Store) -> str:
    """Say in one sentence what the file is about."""
    noun = store.noun
    parts = []
    if store.models:
        names = [brief(name) for name in store.models]
        those = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        parts.append(f"{count_of(len(names), 'classifier')} ({those})")
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
    return f"The file holds {listed(parts)}.{space}" if parts else "The file holds no results."


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
    names, flipped = texts_of(table, "model"), table.column("flips")
    those = listed([f"{brief(names[row])} ({in_words(flipped, float(flips[row]))})" for row in changed[:6]])
    text = (
        f"Predictions changed in {those}. Quote this with every score of these models, because the head uses a part of what was "
        "removed."
    )
    return [Finding(title, "Yes.", text)]


def _models(store: Store, table: Table) -> list[Finding]:
    """Say which model leaks most, by which number, and if the other numbers agree."""
    if not has(table, _RATIO, "attribute_score_abs"):
        return []
    names, ratios = texts_of(table, "model"), values_of(table, _RATIO)
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
    those = " and ".join(
        f"by {title} {brief(names[row])} ({say(table, row, name)})" for title, (row, name) in rows.items()
    )
    return [f"Other numbers put the models in another order: first {those}."]


def _translator(table: Table) -> list[Finding]:
    """Say how well CLIP's embeddings are predicted: every score depends on it."""
    if not has(table, "cosine", "cosine_baseline", "r_squared"):
        return []
    names = texts_of(table, "model")
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
