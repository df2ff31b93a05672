"""The warnings that a run wrote into its file, in plain words."""

from dataclasses import dataclass

from sing_compute.errors import visible
from sing_compute.formats import UNICODE
from sing_compute.report.facts import brief, count_of
from sing_compute.store import Store

_LONGEST = 800
"""Letters of a warning at most."""
_MEANINGS = {
    "warnings": "The run gave this warning: think of it when you read the numbers of this model.",
    "significance_note": (
        "Do not rely on z, q and the mark * here, because noise of the translator can look like a shift. AS, |AS|, IS and their "
        "controls can still be read, as estimates."
    ),
    "note": "This is a note of the person who ran it.",
}
"""Attributes of a model that a reader must see, and what they mean."""


@dataclass(frozen=True, slots=True)
class RunWarning:
    """One warning, what it is about, and what it means for a reader."""

    about: tuple[str, ...]
    text: str
    meaning: str


def warnings_of(store: Store) -> list[RunWarning]:
    """List the warnings of a file; models with the same warning share it.

    Args:
        store: The results file.

    Returns:
        Those of the stored embeddings, then those of the models, then what could not be read.
    """
    found: dict[tuple[str, str], list[str]] = {}
    text = store.attributes("clip").get("warnings")
    if text:
        found[_short(text), "All scores depend on these embeddings."] = ["stored embeddings"]
    for model in store.models:
        facts = store.attributes(f"models/{model}")
        for kind, meaning in _MEANINGS.items():
            if facts.get(kind):
                text = _short(facts[kind]).removesuffix(".")
                found.setdefault((text, store.noun.words(meaning)), []).append(brief(model))
    count = len(store.dataset("images/skipped_key")) if "images/skipped_key" in store else 0
    if count:
        text = f"{count_of(count, store.noun.singular, store.noun.plural)} could not be read"
        found[text, "No number of this report is about them."] = ["input"]
    return [RunWarning(tuple(about), text, meaning) for (text, meaning), about in found.items()]


def _short(text: object) -> str:
    return visible(UNICODE.text(text), longest=_LONGEST)
