"""The columns of SITH's tables."""

from dataclasses import replace
from functools import partial

from sing_compute.store.definition import Column, Explanation
from sing_compute.store.definitions.sith_fields import METHODS, SUMMARY, VECTORS, WORDS
from sing_compute.store.definitions.sith_words import CEILING, COHERENCE, COSINE, FIDELITY, SOURCE, STRENGTH, UNUSED
from sing_compute.store.definitions.word_columns import word_columns
from sing_compute.store.derived.word_mixes import (
    first_mix_text,
    first_share,
    mean_of_known,
    mix_text,
    total_strength,
    unused_picks,
    unused_share,
    word_used,
)

_CODES = (VECTORS + "pick", VECTORS + "coefficient")
_MIX = (*_CODES, WORDS + "name")
_POLES = ("positive", "negative")


def _name(title: str, meaning: str, name: str = "") -> Column:
    words = Explanation(meaning=meaning, source=SOURCE)
    return Column(name or title, title, "text", explanation=words, role="label", description=meaning)


def _mean(name: str, title: str, words: Explanation) -> Column:
    """Return a column with the mean over all poles of a row."""
    return Column(
        name,
        title,
        "three digits",
        explanation=words,
        derived=mean_of_known,
        needs=(VECTORS + name,),
        unit="1",
        description=f"mean {title} of all poles",
    )


_STRENGTHS = Column(
    "strength",
    "strength",
    "any size",
    explanation=STRENGTH,
    derived=total_strength,
    needs=(VECTORS + "value",),
    unit="1",
    description="root of the sum of the squared singular values",
)
_MEANS = (
    _mean("cosine", "cosine", COSINE),
    _mean("fidelity", "fidelity", FIDELITY),
    _mean("ceiling", "ceiling", CEILING),
    _mean("coherence", "coherence", COHERENCE),
    Column(
        "unused",
        "unused",
        "percent",
        explanation=UNUSED,
        role="share",
        derived=unused_share,
        needs=_CODES,
        unit="1",
        description="share of all picks that have coefficient 0",
    ),
)


def _count(name: str, title: str, meaning: str, caution: str) -> Column:
    words = Explanation("count", meaning, caution, SOURCE)
    return Column(name, title, "count", SUMMARY + name, words, role="count")


TOWERS = (
    _name("tower", "A CLIP image tower, by the name of its CLIP."),
    _count("blocks", "layers", "Attention layers of the tower.", "Not all of them need be named in this file."),
    _count("vectors", "vectors", "Singular vectors that have names here, with two poles each.", "Not their quality."),
    _count("pool", "pool", "Concepts that names were chosen from.", "Only those that were picked are stored."),
    Column(
        "mean_length",
        "image mean",
        "three digits",
        SUMMARY + "mean_length",
        Explanation(
            "length of the mean of unit image embeddings",
            "0: no image mean was subtracted, so many picks are lost on what all images share.",
            "Not a quality: it depends on the CLIP.",
            SOURCE,
        ),
    ),
    Column("cosine", "cosine", "three digits", SUMMARY + "cosine", COSINE),
    Column("fidelity", "fidelity", "three digits", SUMMARY + "fidelity", FIDELITY),
    Column("ceiling", "ceiling", "three digits", SUMMARY + "ceiling", CEILING),
    Column("coherence", "coherence", "three digits", SUMMARY + "coherence", COHERENCE),
    Column("unused", "unused", "percent", SUMMARY + "unused", UNUSED, role="share"),
)
LAYERS = (_name("layer", "An attention layer, by its number from 0."), _STRENGTHS, *_MEANS)
HEADS = (
    _name("head", "An attention head of the layer, from 0."),
    _STRENGTHS,
    Column(
        "first_share",
        "first share",
        "percent",
        explanation=Explanation(
            "first singular value squared over the sum of squares",
            "High: the head writes mainly one direction.",
            "Not the share of what it writes on real images.",
            SOURCE,
        ),
        role="share",
        derived=first_share,
        needs=(VECTORS + "value",),
        unit="1",
        description="share of the first singular value in the sum of squares",
    ),
    *(
        Column(
            f"first_{pole}",
            f"first vector, {pole}",
            "text",
            explanation=Explanation(meaning=f"Concepts of the {pole} pole of its strongest vector.", source=SOURCE),
            role="text",
            derived=partial(first_mix_text, sign=sign),
            needs=_MIX,
            description=f"concepts of the {pole} pole of the first vector, with their coefficients",
        )
        for sign, pole in enumerate(_POLES)
    ),
    *_MEANS,
)


def _of_pole(name: str, words: Explanation, sign: int) -> Column:
    pole = _POLES[sign]
    return Column(
        f"{pole}_{name}", f"{pole} {name}", "three digits", VECTORS + name, words, at=(("sign", sign),),
        description=f"{name} of the {pole} pole",
    )  # fmt: skip


def _pole(sign: int) -> tuple[Column, ...]:
    pole = _POLES[sign]
    return (
        _of_pole("cosine", COSINE, sign),
        _of_pole("fidelity", FIDELITY, sign),
        _of_pole("ceiling", CEILING, sign),
        _of_pole("coherence", COHERENCE, sign),
        Column(
            f"{pole}_unused",
            f"{pole} unused",
            "count",
            explanation=replace(UNUSED, formula="number of picks with coefficient 0"),
            role="count",
            derived=partial(unused_picks, sign=sign),
            needs=_CODES,
            unit="count",
            description=f"picks of the {pole} pole that have coefficient 0",
        ),
    )


VECTOR_COLUMNS = (
    _name("vector", "A singular vector of the head, the largest singular value first."),
    Column(
        "value",
        "singular value",
        "any size",
        VECTORS + "value",
        Explanation(
            "singular value of W_V W_O, with the norm before it folded in",
            "How strongly the head writes along this vector.",
            "Not how much it matters for an image.",
            SOURCE,
        ),
    ),
    *(
        Column(
            pole,
            pole,
            "text",
            explanation=Explanation(
                meaning=f"Concepts of the {pole} pole with their coefficients, the largest first.", source=SOURCE
            ),
            role="text",
            derived=partial(mix_text, sign=sign),
            needs=_MIX,
            description=f"concepts of the {pole} pole with their coefficients",
        )
        for sign, pole in enumerate(_POLES)
    ),
    *_pole(0),
    *_pole(1),
)
PICKS = (
    _name("pick", "A pick, in the order of picking."),
    *(
        column
        for sign, pole in enumerate(_POLES)
        for column in (
            Column(
                pole,
                pole,
                "text",
                explanation=Explanation(
                    meaning=f"Concept of the {pole} pole; empty if its coefficient is 0.", source=SOURCE
                ),
                role="text",
                derived=partial(word_used, sign=sign),
                needs=_MIX,
                description=f"concept of the {pole} pole",
            ),
            Column(
                f"{pole}_coefficient",
                f"{pole} coefficient",
                "three digits",
                VECTORS + "coefficient",
                Explanation(
                    "coefficient of the concept in the mix of K concepts, fitted to be at least 0",
                    "How much of the mix is this concept.",
                    "Not a share: coefficients do not add up to 1.",
                    SOURCE,
                ),
                at=(("sign", sign),),
                description=f"coefficient of the concept of the {pole} pole",
            ),
        )
    ),
)
METHOD_COLUMNS = (
    _name("method", "A way to choose concepts: COMP, NNOMP (without coherence), or the K most similar ones."),
    Column("cosine", "cosine", "three digits", METHODS + "cosine", COSINE),
    Column("fidelity", "fidelity", "three digits", METHODS + "fidelity", FIDELITY),
    Column("coherence", "coherence", "three digits", METHODS + "coherence", COHERENCE),
    Column("unused", "unused", "percent", METHODS + "unused", UNUSED, role="share"),
)
WORD_COLUMNS = (
    _name("word", "A concept that was picked for at least one pole."),
    *word_columns(WORDS, SOURCE, "layer, head, vector and pole"),
)
