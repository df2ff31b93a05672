"""The columns of the concept table: one class, or one concept in all classes."""

from sing_compute.store.constants import SIGNIFICANT
from sing_compute.store.definition import Column, Explanation, Interval
from sing_compute.store.definitions.sing_paths import CONCEPTS
from sing_compute.store.derived.cells import difference, normal_tail, significance_mark

_ANGLE_BEFORE = Explanation(
    formula="mean over images of angle(T(f), t) (or angle(T(f~), t))",
    meaning="How far the images lie from the concept before (after) the null part is removed. Their difference is AS.",
    caution="Not a probability: in CLIP space an angle of 75 degrees can be near.",
    source="SING, eq. 5-8",
)
COLUMNS = (
    Column(
        "concept",
        "concept",
        "text",
        explanation=Explanation(
            meaning="The concept, by its name in the vocabulary.",
            source="concepts/name; its prompt is in the details (d).",
        ),
        role="label",
    ),
    Column(
        "attribute_score",
        "AS",
        "signed degrees",
        CONCEPTS + "attribute_score",
        Explanation(
            formula="mean over the images of the class of angle(T(f), t) - angle(T(f~), t), t the concept's text",
            meaning=(
                "Above 0: without their null part these images come nearer to the concept. So the null part "
                "pushed them away from it."
            ),
            caution="Not the concept's share of the image, and not by itself more than chance: see * and q.",
            source="SING, eq. 5-8, Fig. 5, 15 and 16",
        ),
        intervals=(Interval(half=CONCEPTS + "attribute_score_half"),),
    ),
    Column(
        "significant",
        "*",
        "text",
        explanation=Explanation(
            formula="* where q < .05",
            meaning="Marks shifts that one random null direction of the same length would hardly give.",
            caution="Not large: a marked shift can be far too small to see. No mark is no proof of no shift.",
            source="docs/method.md, significance",
        ),
        role="mark",
        derived=significance_mark,
        needs=(CONCEPTS + "q",),
        unit="text",
        description=f"* where q < {SIGNIFICANT}",
    ),
    Column(
        "attribute_score_abs",
        "|AS|",
        "degrees",
        CONCEPTS + "attribute_score_abs",
        Explanation(
            formula="mean over images of |angle(T(f), t) - angle(T(f~), t)|",
            meaning="How far single images move along this concept, whichever way.",
            caution="Not a shift of the class: images may move in opposite directions.",
            source="SING, eq. 5-8",
        ),
    ),
    Column(
        "attribute_score_common",
        "AS common",
        "signed degrees",
        explanation=Explanation(
            formula="AS - AS centred",
            meaning="The part that the mean null feature of all images explains: one constant offset.",
            caution="Not about this class alone.",
            source="docs/method.md, centred removal",
        ),
        derived=difference,
        needs=(CONCEPTS + "attribute_score", CONCEPTS + "attribute_score_centred"),
        unit="degree",
        description="the part of AS that the mean null feature explains: AS minus centred AS",
    ),
    Column(
        "attribute_score_centred",
        "AS centred",
        "signed degrees",
        CONCEPTS + "attribute_score_centred",
        Explanation(
            formula="mean AS with f - Pi_n (f - mean f) in the place of f~",
            meaning="The part that is special to these images.",
            caution="Not the whole shift.",
            source="docs/method.md, centred removal",
        ),
    ),
    Column(
        "z",
        "z",
        "signed",
        CONCEPTS + "z",
        Explanation(
            formula=(
                "(mean AS - mean of the control) / standard deviation of the control; the control removes |Pi_n"
                " f| along one random null direction that all images share, many times"
            ),
            meaning=(
                "How many standard deviations of chance the shift is away from it; its sign is the shift's, "
                "less the control's mean."
            ),
            caution="Not a t value against 0, and not growing with the number of images.",
            source="docs/method.md, significance",
        ),
    ),
    Column(
        "q",
        "q",
        "any size",
        CONCEPTS + "q",
        Explanation(
            formula="Benjamini-Hochberg over the concepts of the class: least of p m / rank over all larger p",
            meaning="Calling every concept with at most this q significant is expected to be wrong for that share of them.",
            caution=(
                "Not the probability that this one shift is chance. Where the model's details show a "
                "significance_note, q raises false alarms."
            ),
            source="Benjamini and Hochberg 1995; docs/method.md, significance",
        ),
    ),
    Column(
        "kind",
        "kind",
        "text",
        "concepts/kind",
        Explanation(meaning="The kind of concept: colour, texture, word, ...", source="concepts/kind"),
        role="text",
    ),
    Column(
        "control",
        "control",
        "degrees",
        CONCEPTS + "control",
        Explanation(
            formula="mean |AS| when a null vector of the same length along one random direction is removed",
            meaning="What |AS| the same amount of null energy gives in a meaningless direction.",
            caution="Not a floor: single directions give more or less.",
            source="docs/method.md, significance",
        ),
    ),
    Column(
        "p",
        "p",
        "any size",
        explanation=Explanation(
            formula="erfc(|z| / sqrt 2)",
            meaning="How often a random null direction would shift this concept as far, if its shifts were normal.",
            caution="Not corrected for many concepts: q is. Too large far out where the null space has few dimensions.",
            source="docs/method.md, significance",
        ),
        derived=normal_tail,
        needs=(CONCEPTS + "z",),
        unit="1",
        description="two-sided normal tail of z",
    ),
    Column(
        "p_empirical",
        "p empirical",
        "any size",
        CONCEPTS + "p_empirical",
        Explanation(
            formula="(1 + draws of the control at least as far from their mean) / (draws + 1)",
            meaning="The same as p without a normal distribution.",
            caution="Not smaller than 1 / (draws + 1), however far the shift lies.",
            source="docs/method.md, significance",
        ),
    ),
    Column(
        "attribute_score_std",
        "AS std",
        "degrees",
        CONCEPTS + "attribute_score_std",
        Explanation(
            formula="standard deviation over images of AS, n - 1",
            meaning="How different the images of the class are from each other.",
            caution="Not the uncertainty of the mean.",
            source="SING, Fig. 5",
        ),
    ),
    Column("angle_before", "before", "degrees", CONCEPTS + "angle_before", _ANGLE_BEFORE),
    Column("angle_after", "after", "degrees", CONCEPTS + "angle_after", _ANGLE_BEFORE),
    Column(
        "attribute_score_half",
        "AS half",
        "degrees",
        CONCEPTS + "attribute_score_half",
        Explanation(
            formula="t quantile x standard deviation / root of the count",
            meaning="Half of the width of the 95 % interval of mean AS over images.",
            caution="Not a spread of images.",
            source="Student 1908; docs/method.md, intervals",
        ),
    ),
)
