"""SING in words: what the null space of a classifier's head can hold, and what it holds of the images of each class."""

from functools import partial

from sing_compute.store.checks import names, null_words
from sing_compute.store.definition import Analysis, Column, Explanation, TableSpec, check
from sing_compute.store.definitions.images_and_classifiers import NO_FEATURES
from sing_compute.store.definitions.null_word_fields import AXES, CLASSES, FIELDS, GROUP, MODES, WORDS
from sing_compute.store.definitions.word_columns import word_columns
from sing_compute.store.derived.cells import repeated
from sing_compute.store.derived.word_mixes import mix_text

_SOURCE = "docs/method.md, null space in words"
_POLES = ("positive", "negative")
_COSINE = Explanation(
    "cosine between the mix of K concepts and A d, in CLIP space, the concepts without their mean",
    "How well the words describe the pole. 1 would be a full description.",
    "Not a share of images, and not a proof: only concepts of the pool can be named.",
    _SOURCE,
)


def _text(name: str, title: str, meaning: str, role: str = "label") -> Column:
    words = Explanation(meaning=meaning, source=_SOURCE)
    return Column(name, title, "text", explanation=words, role=role, description=meaning)


def _poles(group: str, what: str) -> tuple[Column, ...]:
    """Return the columns with the words of both poles and how well they fit."""
    needs = (group + "pick", group + "coefficient", WORDS + "name")
    words = tuple(
        Column(
            pole,
            pole,
            "text",
            explanation=Explanation(
                meaning=f"Concepts {'toward' if sign == 0 else 'away from'} which a step along the {what} leads, with their "
                "coefficients, the largest first. Which of the two poles is called positive is a convention: that at which "
                "the concept lies that is nearest to the line.",
                source=_SOURCE,
            ),
            role="text",
            derived=partial(mix_text, sign=sign),
            needs=needs,
            description=f"concepts of the {pole} pole with their coefficients",
        )
        for sign, pole in enumerate(_POLES)
    )
    cosines = tuple(
        Column(
            f"{pole}_cosine", f"{pole} cosine", "three digits", group + "cosine", _COSINE, at=(("sign", sign),),
            description=f"cosine of the mix and the {pole} pole",
        )
        for sign, pole in enumerate(_POLES)
    )  # fmt: skip
    return (*words, *cosines)


_MODES = (
    _text("mode", "mode", "A null direction, the one that moves CLIP space farthest first."),
    Column(
        "value",
        "moves CLIP by",
        "any size",
        MODES + "value",
        Explanation(
            "|A d|, a singular value of A Pi_n",
            "How far a step of length 1 along this direction moves T(f): what CLIP could see change while no logit does.",
            "Not what images do: they may hardly differ along it. The null directions of a class say that.",
            _SOURCE,
        ),
    ),
    *_poles(MODES, "mode"),
)
_ANGLE = Explanation(
    "angle(T(m), T(m + s d)), m the mean feature of the class, s the standard deviation along d, with the sign of the pole",
    "How far the translated feature turns when a typical image of the class is one standard deviation away from the mean.",
    "Not comparable with IS, which removes the whole null part of an image.",
    _SOURCE,
)
_DIRECTIONS = (
    _text(
        "direction",
        "direction",
        "A null direction of the class, the one along which its images differ most first. Each class has its own.",
    ),
    Column(
        "share",
        "share",
        "percent",
        CLASSES + "share",
        Explanation(
            "variance of the images along d over tr cov(Pi_n f), both within the class",
            "How much of the differences between images of this class that no logit sees is along this one direction.",
            "Not a share of all differences between the images: their principal part is left out.",
            _SOURCE,
        ),
        role="share",
    ),
    *_poles(CLASSES, "direction")[:2],
    Column(
        "movement",
        "moves CLIP by",
        "three digits",
        CLASSES + "movement",
        Explanation(
            "|A d| times the standard deviation along d",
            "How far the images of this class are moved in CLIP space along this direction, as root mean square.",
            "CLIP embeddings have length 1, but T(f) is shorter: read it as an angle in the columns of degrees.",
            _SOURCE,
        ),
    ),
    *(
        Column(
            f"{pole}_angle", f"{pole} angle", "degrees", CLASSES + "angle", _ANGLE, at=(("sign", sign),),
            description=f"angle from T of the class's mean feature, one standard deviation toward the {pole} pole",
        )
        for sign, pole in enumerate(_POLES)
    ),
    *_poles(CLASSES, "direction")[2:],
    Column(
        "deviation",
        "deviation",
        "any size",
        CLASSES + "deviation",
        Explanation(
            "standard deviation along d, divided by n",
            "How much the images of the class differ along this direction, in the unit of the model's features.",
            "Not comparable between models: each has its own unit.",
            _SOURCE,
        ),
    ),
    Column(
        "images",
        "images",
        "count",
        explanation=Explanation(
            "count",
            "Images of the class whose features are stored: what the direction was found from.",
            "With few images even random features have directions with large shares.",
            _SOURCE,
        ),
        role="count",
        derived=repeated,
        needs=(CLASSES + "images", CLASSES + "share"),
        unit="count",
        description="images of the class whose features are stored",
    ),
)  # fmt: skip
_WORDS = (
    _text("word", "word", "A concept that was picked for at least one pole."),
    *word_columns(WORDS, _SOURCE, "mode or class and direction, and pole"),
)
_WORD_FIGURES = "words/position words/uses words/largest words/place summary/pool summary/distinct"
_ABSENT = "sing-compute words FILE adds them"
NULL_WORDS = Analysis(
    "null_words",
    1,
    "SING in words: null directions named by concepts",
    "model",
    FIELDS,
    AXES,
    (
        TableSpec(
            "null_directions",
            "null_direction",
            ("model", "class"),
            "direction",
            _DIRECTIONS,
            options=("null_size",),
            opens=("concepts", "images"),
            measure="share",
            naming=("direction",),
            absent=f"null directions in words; {_ABSENT}",
            opened_by=("classes", "concepts", "images"),
        ),
        TableSpec(
            "null_modes",
            "null_mode",
            ("model",),
            "mode",
            _MODES,
            options=("null_size",),
            opens=("null_words",),
            measure="value",
            naming=("mode",),
            absent=f"null modes in words; {_ABSENT}",
            opened_by=("models",),
        ),
        TableSpec(
            "null_words", "null_word", ("model",), "word", _WORDS, opens=("null_modes",), sort="uses", measure="uses",
            naming=("word",), absent=f"words of null directions; {_ABSENT}",
        ),
    ),
    needs=("images", "classes", "concepts", "clip"),
    checks=(
        check(null_words.check_modes, "modes/value modes/cosine modes/coefficient", group=f"{GROUP}/"),
        check(null_words.check_classes, "classes/images", group=f"{GROUP}/"),
        check(names.check_null_word_names, "sizes/name modes/name classes/name", group=f"{GROUP}/"),
        check(null_words.check_words, _WORD_FIGURES, group=f"{GROUP}/"),
        check(
            null_words.check_directions,
            "classes/share classes/deviation classes/movement classes/angle classes/cosine classes/coefficient",
            group=f"{GROUP}/",
            needs="/models/{model}/features/value",
            without=NO_FEATURES,
        ),
    ),
)  # fmt: skip
