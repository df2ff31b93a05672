"""The answers of a report about names: null directions, direction pairs and attention heads in words."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from sing_compute.errors import SingError
from sing_compute.formats import UNICODE, number_format
from sing_compute.report.facts import Finding, brief, count_of, has, say, values_of
from sing_compute.store import Place, Store, Table, catalogue, open_table
from sing_compute.store.place import Key

_LEVEL = 0.05


def word_findings(store: Store, models: Sequence[str]) -> list[Finding]:
    """Say what was named, and how well words describe it.

    Args:
        store: The results file.
        models: The models that the report describes in full.

    Returns:
        The answers for which the file holds names.
    """
    found = []
    for model in models:
        found += _null_space(model, _table(store, "null_modes", {"model": model}))
        found += _pairs(model, _table(store, "directions", {"model": model}))
    return found + _towers(_table(store, "towers", {}))


def _table(store: Store, name: str, keys: Mapping[str, Key]) -> Table | None:
    """Open a table; None if the file does not hold it."""
    if catalogue.table(name) not in catalogue.tables(store):
        return None
    try:
        table = open_table(store, Place(name).at(**keys))
    except SingError:
        return None
    return table if table.length else None


def _text(table: Table, row: int, name: str) -> str:
    return UNICODE.text(table.column(name).values.take(np.array([row]))[0])


def _null_space(model: str, table: Table | None) -> list[Finding]:
    if table is None or not has(table, "value", "positive_cosine", "negative_cosine"):
        return []
    text = (
        f"The null direction that moves CLIP space farthest leads one way toward {_text(table, 0, 'positive')} (cosine "
        f"{say(table, 0, 'positive_cosine')}), the other way toward {_text(table, 0, 'negative')} (cosine "
        f"{say(table, 0, 'negative_cosine')}). This could change while no logit does; images need not differ along it."
    )
    return [Finding(f"What can the null space of {brief(model)} hold, in words?", "", text)]


def _pairs(model: str, table: Table | None) -> list[Finding]:
    if table is None:
        return []
    trusts = Counter(_text(table, row, "trust") for row in range(table.length) if "trust" in _names(table))
    sentences = []
    if trusts:
        listed = ", ".join(f"{number} {brief(trust)}" for trust, number in trusts.items())
        sentences.append(f"Trust: {listed}. Read no meaning into pairs that are not found again.")
    if has(table, "null_q", "null_share"):
        above = int((values_of(table, "null_q") < _LEVEL).sum())
        chance = number_format(table.column("null_chance")).write(float(np.nanmedian(values_of(table, "null_chance"))))
        those = "None has" if not above else "1 has" if above == 1 else f"{above} have"
        sentences.append(
            f"{those} a larger share in the null space than chance, which is {chance} (q below {_LEVEL:g})."
        )
    answer = f"{count_of(table.length, 'direction pair')}."
    return [Finding(f"Which concepts were found in the features of {brief(model)}?", answer, " ".join(sentences))]


def _names(table: Table) -> set[str]:
    return {column.name for column in table.columns}


def _towers(table: Table | None) -> list[Finding]:
    if table is None or not has(table, "cosine"):
        return []
    found = []
    for row in range(table.length):
        beside = f" Fidelity is {say(table, row, 'fidelity')}; at most {say(table, row, 'ceiling')} could be reached."
        text = (
            f"The mean cosine of a singular vector and its words is {say(table, row, 'cosine')}; 1 would be a full description."
            f"{beside if has(table, 'fidelity', 'ceiling') else ''} Words are no proof that a head acts as they say."
        )
        title = f"How well do words describe the attention heads of {brief(_text(table, row, 'tower'))}?"
        found.append(Finding(title, "", text))
    return found
