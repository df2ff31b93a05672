"""The columns of a table of words that name poles: SITH's and that of the null space have the same."""

from sing_compute.store.definition import Column, Explanation


def word_columns(words: str, source: str, place: str) -> tuple[Column, ...]:
    """Return how often each word names a pole, its largest coefficient, and where that is.

    Args:
        words: Path of the group with the datasets `uses`, `largest` and `place`.
        source: Page that defines the columns.
        place: Parts by which a pole is found, in words.
    """
    return (
        Column(
            "uses",
            "uses",
            "count",
            words + "uses",
            Explanation(
                "count of poles", "Poles in whose mix it has a coefficient above 0.", "Not its weight.", source
            ),
            role="count",
        ),
        Column(
            "largest",
            "largest",
            "three digits",
            words + "largest",
            Explanation(
                "largest coefficient of all poles", "How purely some pole is this concept.", "Not a share.", source
            ),
        ),
        Column(
            "place",
            "where",
            "text",
            words + "place",
            Explanation(meaning=f"The pole of the largest coefficient: {place}.", source=source),
            role="text",
        ),
    )
