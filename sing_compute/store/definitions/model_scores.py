"""The columns of the model table, first part: accuracy, scores, their intervals and controls."""

from sing_compute.store.definition import Column, Explanation
from sing_compute.store.definitions.sing_paths import SUMMARY, over_both
from sing_compute.store.derived.model_order import above_next, above_next_tenfold, above_next_tenth, place

_COMPARED = ("comparison/model", "comparison/figure", "comparison/value")
_ABOVE_NEXT_TENTH = Explanation(
    formula="the same share with both translators fitted at lambda / 10 (or 10 lambda)",
    meaning="Above 50%: the two models keep their order at that penalty. Below: the order depends on lambda.",
    caution="Not a new order: the two models are those that are neighbours at the chosen lambda.",
    source="docs/method.md, comparison",
)
SCORES = (
    Column(
        "model",
        "model",
        "text",
        explanation=Explanation(
            meaning="The name of the model in this file.",
            source="`sing-compute --model`; its tag, weights and settings are in the details (d).",
        ),
        role="label",
        description="model of this file",
    ),
    Column(
        "attribute_score_abs",
        "|AS|",
        "degrees",
        SUMMARY + "attribute_score_abs",
        Explanation(
            formula="median over images of |angle(T(f), z) - angle(T(f~), z)|",
            meaning=(
                "How far the part of the feature that no logit sees moves an image toward or away from its "
                "class. By the authors' rule of thumb under 3 degrees is barely visible, over 4 substantial."
            ),
            caution=(
                "Not a leak by itself: a random vector of the same length moves images, too (|AS| /control), "
                "and so does a constant offset (|AS| centred)."
            ),
            source="SING, eq. 5-8; rule of thumb: Fig. 10",
        ),
        intervals=over_both("attribute_score_abs"),
    ),
    Column(
        "image_score",
        "IS",
        "degrees",
        SUMMARY + "image_score",
        Explanation(
            formula="median over images of angle(T(f), T(f~))",
            meaning=(
                "How far removing the null part moves an image in CLIP space, in any direction. By the authors'"
                " rule of thumb under 10 degrees is barely visible, over 12 substantial."
            ),
            caution="Not comparable without its lambda: IS falls steeply where the fit hardly changes.",
            source="SING, eq. 5-8",
        ),
        intervals=over_both("image_score"),
    ),
    Column(
        "ratio_images",
        "IS/|AS|",
        "any size",
        SUMMARY + "ratio_images",
        Explanation(
            formula="median IS / median |AS|",
            meaning=(
                "How much an image moves for each degree that its class moves: large where the null part holds "
                "what the class does not need."
            ),
            caution="Not a quality of the classifier, and large without meaning where |AS| is nearly 0.",
            source="SING, Fig. 3 and 12",
        ),
        intervals=over_both("ratio_images"),
    ),
    Column(
        "place",
        "place",
        "count",
        explanation=Explanation(
            formula="1 + number of models of this file with a larger IS/|AS|",
            meaning="The order of the models at the chosen lambda.",
            caution="Not certain: `above next` says how surely this model lies above the next one.",
            source="docs/method.md, comparison",
        ),
        role="count",
        derived=place,
        needs=("model", *_COMPARED),
        unit="count",
        description="place by IS/|AS|, 1 the highest",
    ),
    Column(
        "above_next",
        "above next",
        "percent",
        explanation=Explanation(
            formula="share of resamples of the same images in which IS/|AS| is larger than that of the next place; ties half",
            meaning="Near 100%: more images of this kind would hardly turn the order of these two. Near 50%: it is open.",
            caution="Not a probability that the order holds for other images, classes, lambdas or CLIP models.",
            source="docs/method.md, comparison; Efron 1979",
        ),
        role="share",
        derived=above_next,
        needs=("model", *_COMPARED, "comparison/above"),
        unit="1",
        description=(
            "share of resamples of the same images in which its IS/|AS| lies above that of the next place, at "
            "the chosen lambda"
        ),
    ),
    Column(
        "above_next_tenth",
        "above next /10",
        "percent",
        explanation=_ABOVE_NEXT_TENTH,
        role="share",
        derived=above_next_tenth,
        needs=("model", *_COMPARED, "comparison/above"),
        unit="1",
        description=(
            "share of resamples of the same images in which its IS/|AS| lies above that of the next place, at "
            "0.1 lambda; below one half the order is turned round"
        ),
    ),
    Column(
        "above_next_tenfold",
        "above next x10",
        "percent",
        explanation=_ABOVE_NEXT_TENTH,
        role="share",
        derived=above_next_tenfold,
        needs=("model", *_COMPARED, "comparison/above"),
        unit="1",
        description=(
            "share of resamples of the same images in which its IS/|AS| lies above that of the next place, at "
            "10 lambda; below one half the order is turned round"
        ),
    ),
    Column(
        "attribute_score",
        "AS",
        "signed degrees",
        SUMMARY + "attribute_score",
        Explanation(
            formula="median over images of AS = angle(T(f), z) - angle(T(f~), z)",
            meaning="Above 0: half of the images or more come nearer to their class when the null part is removed.",
            caution="Not how large shifts are: shifts of both signs cancel. |AS| says that.",
            source="SING, eq. 5-8",
        ),
        intervals=over_both("attribute_score"),
    ),
    Column(
        "accuracy",
        "accuracy",
        "percent",
        SUMMARY + "accuracy",
        Explanation(
            formula="images predicted right / images",
            meaning="How well the classifier does on these images; null removal does not change it.",
            caution="Not the accuracy on the model's own test set, unless these images are that set.",
            source="counted; summary/accuracy",
        ),
        role="share",
    ),
    Column(
        "nullity",
        "nullity",
        "count",
        SUMMARY + "nullity",
        Explanation(
            formula="dimension of the feature - rank",
            meaning="Dimensions of the feature that no logit depends on: what is removed here.",
            caution=(
                "Not how much lies there: null energy says that. Models with another nullity compare by the "
                "columns /control."
            ),
            source="SING, eq. 1-3",
        ),
        role="count",
    ),
    Column(
        "null_energy",
        "null energy",
        "three digits",
        SUMMARY + "null_energy",
        Explanation(
            formula="median over images of |Pi_n f| / |f|",
            meaning="How much of the feature's length lies where no logit looks.",
            caution="Not what it means: most of it may be one constant offset (null energy centred).",
            source="SING, eq. 9; docs/method.md, scores",
        ),
        intervals=over_both("null_energy"),
    ),
    Column(
        "attribute_score_abs_over_control",
        "|AS| /control",
        "any size",
        SUMMARY + "attribute_score_abs_over_control",
        Explanation(
            formula="median |AS| / median |AS| when a random vector as long as Pi_n f is removed",
            meaning=(
                "About 1: the null part moves images to or from their class no more than chance. This compares "
                "heads of different nullity."
            ),
            caution="Not a test: no interval is known for it here.",
            source="docs/method.md, controls",
        ),
    ),
    Column(
        "image_score_over_control",
        "IS /control",
        "any size",
        SUMMARY + "image_score_over_control",
        Explanation(
            formula="median IS / median IS when a random vector as long as Pi_n f is removed",
            meaning="About 1: removing the null part moves images in CLIP space no more than a random vector of its length.",
            caution="Not a test: no interval is known for it here.",
            source="docs/method.md, controls",
        ),
    ),
    Column(
        "attribute_score_centred_abs",
        "|AS| centred",
        "degrees",
        SUMMARY + "attribute_score_centred_abs",
        Explanation(
            formula="median over images of |AS| with f - Pi_n (f - mean f) in the place of f~",
            meaning="The part of |AS| that differs from image to image.",
            caution="Not |AS| minus something: medians do not add up.",
            source="docs/method.md, centred removal",
        ),
        intervals=over_both("attribute_score_centred_abs"),
    ),
    Column(
        "image_score_centred",
        "IS centred",
        "degrees",
        SUMMARY + "image_score_centred",
        Explanation(
            formula="median over images of IS with f - Pi_n (f - mean f) in the place of f~",
            meaning="The part of IS that differs from image to image: what is left without the constant offset.",
            caution="Not a share of IS.",
            source="docs/method.md, centred removal",
        ),
        intervals=over_both("image_score_centred"),
    ),
    Column(
        "null_energy_centred",
        "null energy centred",
        "three digits",
        SUMMARY + "null_energy_centred",
        Explanation(
            formula="median over images of |Pi_n (f - mean f)| / |f|",
            meaning="The same without the part that all images share.",
            caution="Not a share of null energy: lengths do not add up.",
            source="docs/method.md, centred removal",
        ),
        intervals=over_both("null_energy_centred"),
    ),
)
