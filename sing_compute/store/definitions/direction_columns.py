"""The columns of the direction pairs of a classifier: trust, name, null share and influence."""

from sing_compute.store.definition import Column, Explanation
from sing_compute.store.definitions.column_lists import columns
from sing_compute.store.definitions.direction_fields import CLASSES, GROUP, NAMES, NULL, STEPS, SUMMARY, TRUST, WORDS
from sing_compute.store.derived.cells import repeated
from sing_compute.store.derived.direction_cells import largest_margin, mean_over_searches, most_moved_class, pick_text

SOURCE = "docs/directions.md"


def label(name: str, meaning: str, format: str = "text") -> Column:
    """Return the column that names the rows."""
    words = Explanation(meaning=meaning, source=SOURCE)
    return Column(name, name, format, explanation=words, role="label", description=meaning)


def _words(name: str, title: str, part: str, meaning: str) -> Column:
    return Column(
        name,
        title,
        "text",
        explanation=Explanation(meaning=meaning, source=SOURCE),
        role="text",
        derived=pick_text,
        needs=(f"{NAMES}{part}pick", f"{NAMES}{part}coefficient", WORDS + "name"),
        description=f"{title} of the direction: concepts with their coefficients",
    )


_WORDS = _words(
    "words",
    "words",
    "",
    "Concepts toward which T(f) moves with a step along the signal vector, the largest first: how the strength of the concept is "
    "written into features. Not on which images the detector fires.",
)
_DIFFERENCE = _words(
    "difference_words",
    "words of difference",
    "pattern_",
    "The same for the difference of the means of the images on which the detector fires and of all others. It shows a concept "
    "that is there or not there, and has no strength.",
)


def _by_name(text: str) -> dict[str, Column]:
    return {column.name: column for column in columns(text, group=f"{GROUP}/", source=SOURCE)}


_STORED = _by_name("""
trust | trust | text | text | trust/state | - | `found`: another restart and independent halves of the images lead to the same
    pair. `detector only`: they lead to the same detector with other signal vectors, so read its difference of means.
    `unstable`: some do. `not found`: hardly any does, so read no meaning into it. | -
null_share | null share | percent | share | null/share | |Pi_n s|^2 / |s|^2 | How much of what writes the concept into
    features lies where no logit looks. | Not telling by itself: nearly all of any direction is null where nullity / dim is
    large. Read it beside its chance.
null_q | q | three digits | value | null/q | share of directions with the covariance of the features whose null share is as
    large, as a false discovery rate | Below .05: the concept lies more in the null space than the features as a whole do. |
    Not a size: the null share is.
images | images | count | count | pairs/images | count | Images on which the detector fires at one position or more. | Not how
    strongly.
score | trust score | three digits | value | trust/score | docs/directions.md, trust | Tested where the truth is known: the
    higher, the likelier the pair is a planted one. | Not a probability.
steady | steady | three digits | value | trust/steady | cosine of s and the signal vector of the positions at which the
    detector does not fire | 1: weaker signs of the concept are written in the same way. | Low for a concept that is there or
    not there: see its difference.
detector | detector score | three digits | value | trust/detector | the middle one of three: the smaller of the correlation of
    logits and the IoU of positives beyond chance, with another restart and with either half | How far the images on which it
    fires can be trusted, whatever its signal vector. | Not a probability.
pinned | pinned | percent | share | trust/pinned | share of |w|^2 in the span of the differences between the rows of the head
    | How much of the filter uncertainty region alignment can determine: only what the head reads. | Not a fault where it is
    small: that part is determined by the features alone.
movement | moves features by | any size | value | null/movement | standard deviation of w . x, times |s| | How far the images
    differ along the direction, in the unit of the features. | Not comparable between models.
null_movement | of it null | any size | value | null/null_movement | standard deviation of w . x, times |Pi_n s| | How far of
    it no logit sees. | Not a share.
logit_movement | moves logits by | any size | value | null/logit_movement | standard deviation of w . x, times |W s| | How
    much these differences between images reach the logits. | Not an effect on single classes: open the row.
row_class | most like row | text | text | null/row_class | - | The class whose row of the head is most like the filter. | -
row_cosine | row cosine | three digits | value | null/row_cosine | cosine of the filter and that row | 1: the detector is that
    class itself. | Not comparable with the null share, which is of the signal vector.
difference_null_share | null share of difference | percent | share | null/pattern_share | |Pi_n d|^2 / |d|^2, d the difference
    of the means of positives and others | As the null share, for concepts that are there or not there. | Biased where
    concepts exclude each other: it then shows their absence, too.
difference_null_q | its q | three digits | value | null/pattern_q | as q | As q, for the difference of means. | Not a size.
difference_cosine | its cosine | three digits | value | names/pattern_cosine | cosine between its mix of concepts and A d |
    How well the words of the difference describe it. | Not telling by itself: see its p.
difference_name_p | its name p | three digits | value | names/pattern_p | share of directions with the covariance of the
    features whose names have a cosine as large | As the p of the words. | Not corrected for the number of directions.
label | label | text | text | labels/label | - | The known concept that the detector meets best, chosen on one half of the
    images. | -
label_iou | IoU | percent | share | labels/iou | images with that concept on which it fires, over images with one of both, on
    the other half | 1: it fires on just the images with the concept. | Not found by EDDP: the labels are given.
label_chance | IoU by chance | percent | share | labels/chance | p q / (p + q - p q) for shares p and q of the images | IoU of
    a detector that fires as often, at random. | Not the best of several.
name_p | name p | three digits | value | names/p | share of directions with the covariance of the features whose names have a
    cosine as large | Small: the words fit better than those of directions without meaning. | Not corrected for the number of
    directions.
""")
_CHANCE = Column(
    "null_chance",
    "chance",
    "percent",
    explanation=Explanation(
        "median of |Pi_n x|^2 / |x|^2 over directions x drawn with the covariance of the features",
        "Null share of directions along which the features vary in the same way, without being a concept.",
        "Not that of a direction drawn at random, which is nullity / dim.",
        SOURCE,
    ),
    role="share",
    derived=repeated,
    needs=(SUMMARY + "null_median", NULL + "share"),
    unit="1",
    description="median null share of directions with the covariance of the features",
)
_COSINE = Column(
    "cosine",
    "cosine",
    "three digits",
    NAMES + "cosine",
    Explanation(
        "cosine between the mix of concepts and A s, in CLIP space",
        "How well the words describe what the signal vector writes.",
        "Not telling by itself: directions drawn with the covariance of the features reach the column beside it.",
        SOURCE,
    ),
    description="cosine of the mix and A s",
)
_RANDOM_COSINE = Column(
    "random_cosine",
    "random",
    "three digits",
    explanation=Explanation(
        "97.5 % quantile of the same cosine over directions drawn with the covariance of the features",
        "Words of a direction without meaning seldom fit better than this.",
        "Not a bound for one name among many: see the p of each.",
        SOURCE,
    ),
    derived=repeated,
    needs=(SUMMARY + "name_random", NAMES + "p"),
    unit="1",
    description="cosine that 2.5 % of the names of random directions exceed",
)
_INFLUENCE = (
    Column(
        "class",
        "moves class",
        "text",
        explanation=Explanation(
            meaning="The class whose margin (its logit minus the largest other one) changes most with a step along s.",
            source=SOURCE,
        ),
        role="text",
        derived=most_moved_class,
        needs=(CLASSES + "margin", STEPS + "size", "classes/name"),
        description="class with the largest change of margin",
    ),
    Column(
        "margin",
        "margin",
        "signed",
        explanation=Explanation(
            "mean over the images of that class's margin after a step of 1 along s, minus before",
            "How strongly the concept speaks for this class (above 0) or against it, in logits.",
            "Not comparable between models: each has its own unit of logits.",
            SOURCE,
        ),
        derived=largest_margin,
        needs=(CLASSES + "margin", STEPS + "size"),
        unit="1",
        description="the largest mean change of a margin",
    ),
)
_AGAIN = (
    Column(
        "signal_likeness",
        "signal again",
        "three digits",
        explanation=Explanation(
            "mean over the other searches of the cosine of the signal vectors of matched pairs",
            "1: other restarts and halves of the images give the same signal vector.",
            "Not proof: searches can go wrong in the same way.",
            SOURCE,
        ),
        derived=mean_over_searches,
        needs=(TRUST + "signal",),
        unit="1",
        description="mean cosine with the signal vectors of other searches",
    ),
    Column(
        "agreement",
        "same images",
        "percent",
        explanation=Explanation(
            "mean over the other searches of the IoU of the positives of matched pairs, on images that these did not see",
            "1: a detector that was found in other images fires at the same positions.",
            "Not that it is a concept with a name.",
            SOURCE,
        ),
        role="share",
        derived=mean_over_searches,
        needs=(TRUST + "agreement",),
        unit="1",
        description="mean IoU with the positives of other searches",
    ),
)
_DIRECTION = label("direction", "A direction pair: a filter that reads a concept, a signal vector that writes it.")
_NULL = (_STORED["null_share"], _CHANCE, _STORED["null_q"])
_OF_DIFFERENCE = tuple(_STORED[f"difference_{name}"] for name in ("null_share", "null_q", "cosine", "name_p"))
_MOVES = tuple(_STORED[name] for name in ("movement", "null_movement", "logit_movement", "row_class", "row_cosine"))
_NAME = (_COSINE, _RANDOM_COSINE, _STORED["name_p"])
_LABELS = tuple(_STORED[name] for name in ("label", "label_iou", "label_chance"))
COLUMNS = (
    *(
        _DIRECTION,
        _STORED["trust"],
        _WORDS,
        _DIFFERENCE,
        *_NULL,
        _STORED["images"],
        *_LABELS,
        *_INFLUENCE,
        *_NAME,
        *_OF_DIFFERENCE,
    ),
    *(_STORED["score"], _STORED["detector"], *_AGAIN, _STORED["steady"], _STORED["pinned"], *_MOVES),
)
"""Of the table of all directions of a model."""
UNREAD_COLUMNS = (
    _DIRECTION,
    _WORDS,
    _DIFFERENCE,
    *_NULL,
    *_OF_DIFFERENCE,
    _STORED["trust"],
    _STORED["images"],
    *_LABELS,
    *_MOVES,
    *_NAME,
)
"""Of the table of what the network encodes and the head can hardly read."""
