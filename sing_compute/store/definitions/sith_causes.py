"""The columns and the table of what the vectors of heads do to images, beside what their names say."""

from sing_compute.store.definition import Column, Explanation, TableSpec
from sing_compute.store.definitions.sith_cause_fields import CAUSES
from sing_compute.store.definitions.sith_fields import VECTORS
from sing_compute.store.derived.cause_cells import (
    effect_of_most,
    image_names,
    moved_attribute,
    name_state,
    named_attribute,
    named_share,
    random_effect_of_most,
    random_effects,
)

SOURCE = "docs/heads.md"

_NAMES = CAUSES + "attributes/name"
_EFFECT = CAUSES + "vectors/effect"
_AMOUNTS = (CAUSES + "vectors/amount", CAUSES + "random/effect", CAUSES + "random/amount")
_CODES = (VECTORS + "pick", VECTORS + "coefficient", CAUSES + "words/attribute")
_SAYS = Explanation(
    meaning="Attribute with the largest share in the coefficients of the name: the mean of the shares at both poles.",
    source=SOURCE,
)
_MOVES = Explanation(meaning="Attribute whose margin changes most if the singular value is set to zero.", source=SOURCE)
_EFFECT_WORDS = Explanation(
    "mean abs change of the zero-shot margin over its standard deviation, if the singular value is set to zero",
    "0: the images do not change in this attribute. 1: their margins move by as much as images differ.",
    "Not the direction of the change, and of these images and texts alone.",
    SOURCE,
)
_RANDOM = Explanation(
    "the vector's amount times the mean effect per amount of random directions of what its head can write",
    "Effect of a random direction that is as large as this vector.",
    "An average of 8 random directions: some are larger. Effects grow nearly in proportion to amounts, not exactly.",
    SOURCE,
)
_TRUE = Explanation(
    meaning="`agrees`: the name says what the vector moves most. `does not`: it says something else. `like random`: no attribute "
    "moves more than under an equally large random direction of the head, so read no meaning into the name. `not checked`: it "
    "was not tried, or there is only one attribute.",
    source=SOURCE,
)


def _of_images(name: str, side: str) -> Column:
    words = Explanation(
        meaning=f"Images on which the head writes most {side} the vector, the strongest first.", source=SOURCE
    )
    return Column(
        name,
        name,
        "text",
        explanation=words,
        role="text",
        derived=image_names,
        needs=(f"{CAUSES}vectors/{name}", CAUSES + "images/key"),
        description=f"images on which the head writes most {side} the vector",
    )


VECTOR_CAUSES = (
    Column(
        "true", "true", "text", explanation=_TRUE, role="text", derived=name_state, needs=(*_CODES, _EFFECT, *_AMOUNTS),
        description="if the name says what the vector moves most",
    ),
    Column(
        "says", "says", "text", explanation=_SAYS, role="text", derived=named_attribute, needs=(*_CODES, _EFFECT, _NAMES),
        description="attribute that the name says",
    ),
    Column(
        "moves", "moves", "text", explanation=_MOVES, role="text", derived=moved_attribute, needs=(_EFFECT, _NAMES),
        description="attribute that the vector moves most",
    ),
    Column(
        "effect", "effect", "three digits", explanation=_EFFECT_WORDS, derived=effect_of_most, needs=(_EFFECT,), unit="1",
        description="effect on the attribute that the vector moves most",
    ),
    Column(
        "random", "random", "three digits", explanation=_RANDOM, derived=random_effect_of_most, needs=(_EFFECT, *_AMOUNTS),
        unit="1", description="effect that an equally large random direction has on the attribute that it moves most",
    ),
)  # fmt: skip
VECTOR_IMAGES = (
    Column(
        "amount",
        "amount",
        "any size",
        CAUSES + "vectors/amount",
        Explanation(
            "root mean square of what the head writes along the vector, over images and tokens",
            "How much the vector is used on these images; the singular value says how much it could be.",
            "Not its effect: later layers may ignore it.",
            SOURCE,
        ),
    ),
    _of_images("nearest", "along"),
    _of_images("farthest", "against"),
)


def _agreement(among: int, name: str, title: str, of: str) -> tuple[Column, ...]:
    """Return the columns of one set of vectors."""
    return (
        Column(
            f"agreement{name}",
            f"agrees{title}",
            "percent",
            CAUSES + "agreement/agreement",
            Explanation(
                f"share of {of} whose name says the attribute that they move most",
                "How many names are true here. Read it beside its chance.",
                "Not a property of the CLIP alone: vocabulary, attributes and images decide, too.",
                SOURCE,
            ),
            role="share",
            at=(("among", among),),
        ),
        Column(
            f"chance{name}",
            f"chance{title}",
            "percent",
            CAUSES + "agreement/chance",
            Explanation(
                "mean of the same share over all permutations of the names among the same vectors",
                "Agreement of names that know nothing of their vector: high if most vectors move one attribute.",
                "Not one over the number of attributes.",
                SOURCE,
            ),
            role="share",
            at=(("among", among),),
        ),
        Column(
            f"p{name}",
            f"p{title}",
            "any size",
            CAUSES + "agreement/p",
            Explanation(
                "share of permutations in which at least as many agree, the order as it is counted as one",
                "Below .05: the names know more than chance.",
                "Not the size of the difference. Vectors of one head are not independent.",
                SOURCE,
            ),
            at=(("among", among),),
        ),
    )


LAYER_CAUSES = (
    *_agreement(0, "", "", "the vectors that were tried"),
    *_agreement(2, "_strongest", ", 16 strongest", "the 16 vectors of largest effect"),
    Column(
        "above_random",
        "above random",
        "count",
        CAUSES + "agreement/count",
        Explanation(
            "count of vectors that move some attribute more than an equally large random direction of their head moves any",
            "Vectors whose names can be read as what they do.",
            "The others are not without effect: they do no more than a random direction.",
            SOURCE,
        ),
        role="count",
        at=(("among", 1),),
        description="vectors that move some attribute more than an equally large random direction does",
    ),
    *_agreement(1, "_above_random", ", above random", "the vectors above random"),
)
CAUSES_TABLE = TableSpec(
    "causes",
    "attribute",
    ("tower", "layer", "head", "vector"),
    "attribute",
    (
        Column(
            "attribute",
            "attribute",
            "text",
            explanation=Explanation(meaning="A group of texts, of which one is true of an image.", source=SOURCE),
            role="label",
            description="a group of texts, of which one is true of an image",
        ),
        Column(
            "share",
            "name says",
            "percent",
            explanation=Explanation(
                "share of the attribute's concepts in the coefficients of the name, mean of both poles",
                "How much of the name is about this attribute.",
                "Concepts of no attribute are counted for the one of their most similar text.",
                SOURCE,
            ),
            role="share",
            derived=named_share,
            needs=(*_CODES, _EFFECT),
            unit="1",
            description="share of the attribute in the coefficients of the name",
        ),
        Column("effect", "does", "three digits", _EFFECT, _EFFECT_WORDS),
        Column(
            "random",
            "random",
            "three digits",
            explanation=_RANDOM,
            derived=random_effects,
            needs=(_EFFECT, *_AMOUNTS),
            unit="1",
            description="effect of an equally large random direction of the head",
        ),
        Column(
            "spread",
            "spread",
            "any size",
            CAUSES + "attributes/spread",
            Explanation(
                "standard deviation of the margin over the images, before anything is removed",
                "The unit of the effects.",
                "Small: nearly all images have the same margin, and small changes look large.",
                SOURCE,
            ),
        ),
        Column(
            "truth",
            "true text",
            "text",
            CAUSES + "attributes/truth",
            Explanation(meaning="Where the true text of each image comes from.", source=SOURCE),
            role="text",
        ),
    ),
    options=("size",),
    measure="effect",
    naming=("attribute",),
    absent="causes: `sing-compute heads check` measures what its vectors do",
)
