"""The answer of a report about classes: in which classes a model leaks most, and by which concept."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sing_compute.errors import SingError
from sing_compute.figures.choosing import CLASS_RULE, RULE, largest_first
from sing_compute.formats import in_words, number_format
from sing_compute.report.facts import Finding, brief, has, say, texts_of, values_of
from sing_compute.report.tables import PageTable, TableMaker, explorer_command
from sing_compute.store import Place, Store, Table, open_table

_RATIO, _LEAK = RULE[0], CLASS_RULE[0]
CLASS_COLUMNS = (
    *("class", _LEAK, "leak_concept", "leak_significant", "attribute_score_abs_q50", "attribute_score_centred_abs_q50"),
    *("attribute_score_abs_over_control", "image_score_q50", "image_score_over_control", "ratio", "accuracy", "count"),
)
"""Columns of classes that a report shows, the most important first."""
_SHOWN = 3


def class_findings(store: Store, model: str, maker: TableMaker, *, explained: bool) -> list[Finding]:
    """Say in which classes a model leaks most, and by which concepts.

    Args:
        store: The results file.
        model: Name of the model.
        maker: Makes the tables of the page.
        explained: True if the page has said already what the order of classes means.

    Returns:
        One answer, or none where the file does not hold the numbers.
    """
    try:
        table = open_table(store, Place.of("classes", model=model))
    except SingError:
        return []
    name = _LEAK if has(table, _LEAK) else _RATIO
    if not has(table, name, "attribute_score_abs_q50"):
        return []
    values, names = values_of(table, name), texts_of(table, "class")
    order = [row for row in largest_first(table, (name,)) if not np.isnan(values[row])][:_SHOWN]
    doubtful = bool(store.attributes(f"models/{model}").get("significance_note"))
    sentences = [*([] if explained else [_meaning(name)]), *_class_orders(table, names)]
    if doubtful:
        sentences.append("q and its mark * are left out, because they can raise false alarms here: see the warnings.")
    wanted = [column for column in CLASS_COLUMNS[:8] if not (doubtful and column == "leak_significant")]
    made = maker.make(
        table, f"Classes of {brief(model)}, the first {len(order)}",
        explorer_command(maker.file, "classes", {"model": model}), order=order, names=wanted, sort=name,
    )  # fmt: skip
    first, number = order[0], float(values[order[0]])
    if name == _LEAK:
        concept = brief(texts_of(table, "leak_concept")[first])
        title, answer = (
            f"In which class does {brief(model)} leak most?",
            f"{in_words(table.column(name), number)}, by {concept}",
        )
    else:
        made = _with_concepts(store, model, table, order, made, maker, relied=not doubtful)
        title = f"In which class is |AS| of {brief(model)} furthest above its control?"
        answer = f"{number_format(table.column(name)).write(number)} times its control"
    return [Finding(title, f"{brief(names[first])}: {answer}.", " ".join(sentences), replace(made, note=""))]


def _meaning(name: str) -> str:
    if name == _LEAK:
        return (
            "Leak is how far the part of the null space that is special to a class moves the concept that it moves most. On "
            "planted leaks it orders classes as the truth does; |AS| and IS do not."
        )
    return "A class of high |AS| need not leak most: |AS| looks at the prompt of the class alone."


def _class_orders(table: Table, names: Sequence[str]) -> list[str]:
    """Say which classes are first by |AS| and by IS."""
    image, score = "image_score_q50", "attribute_score_abs_q50"
    if table.length < 2 or not has(table, image):
        return []
    by_image, by_score = (int(np.nanargmax(values_of(table, name))) for name in (image, score))
    if by_image == by_score:
        return [f"By median |AS| and by median IS, {brief(names[by_score])} is first."]
    return [
        f"By median |AS|, which counts movement toward or away from the class alone, {brief(names[by_score])} is first "
        f"({say(table, by_score, score)}); by median IS, which counts every movement, {brief(names[by_image])} "
        f"({say(table, by_image, image)})."
    ]


def _with_concepts(
    store: Store, model: str, table: Table, order: Sequence[int], made: PageTable, maker: TableMaker, *, relied: bool
) -> PageTable:  # fmt: skip
    """Add to each row the concept that moves most in its class, with its q where q can be relied on."""
    positions = [row if table.ids is None else int(table.ids[row]) for row in order]
    concepts = [_first_concept(store, model, position, maker, relied=relied) for position in positions]
    known = [each for each in concepts if each is not None]
    if len(known) < len(concepts):
        return made
    rows = [(*cells, *more.rows[0]) for cells, more in zip(made.rows, known, strict=True)]
    extra = [replace(head, sort="") for head in known[0].headings]
    return replace(made, headings=[*made.headings, *extra], rows=rows)


def _first_concept(store: Store, model: str, index: int, maker: TableMaker, *, relied: bool) -> PageTable | None:
    try:
        table = open_table(store, Place("concepts").at(model=model, **{"class": index}))
    except SingError:
        return None
    if not has(table, "attribute_score_abs", "attribute_score"):
        return None
    row = largest_first(table, ("attribute_score_abs",))[0]
    names = ("concept", "attribute_score_abs", "attribute_score", *(["q"] if relied and has(table, "q") else []))
    return maker.make(table, "", "", order=[row], names=names)
