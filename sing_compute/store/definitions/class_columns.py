"""The columns of the class table."""

from sing_compute.store.constants import SIGNIFICANT
from sing_compute.store.definition import Column, Explanation
from sing_compute.store.definitions.sing_paths import CLASSES, CONCEPTS, over_images
from sing_compute.store.derived.cells import quotient
from sing_compute.store.derived.leaks import largest_shift, mark_of_largest, most_shifted

_FEW_IMAGES = "With few images the largest of many shifts is partly chance."
_LEAK = Explanation(
    formula="max over concepts of |mean over images of centred AS|",
    meaning=(
        "Which class leaks most: how far the null part that is special to its images moves the concept that it moves most. "
        "On planted leaks it orders classes as the truth does (rank correlation .99)."
    ),
    caution=(
        f"Of all images of the class, whatever subset is shown. {_FEW_IMAGES} |AS| and IS may put another class first: |AS| "
        "looks at the class's own prompt alone, IS also at what no concept names and at what all images share."
    ),
    source="docs/method.md, which class leaks most",
)
_ATTRIBUTE_SCORE_Q50 = Explanation(
    formula="median (or 5th, 25th, 75th, 95th percentile) over images of AS = angle(T(f), z) - angle(T(f~), z)",
    meaning="Above 0: these images come nearer to their class when the null part is removed.",
    caution="Not how far images move: IS says that.",
    source="SING, eq. 5-8 and Fig. 4",
)
_ATTRIBUTE_SCORE_ABS_Q50 = Explanation(
    formula="median (or mean) over images of |AS|",
    meaning="How far the null part moves images of this class toward or away from its prompt.",
    caution="Not how much the class leaks: it looks at the class's own prompt alone (see leak).",
    source="SING, eq. 5-8",
)
_IMAGE_SCORE_Q50 = Explanation(
    formula="median (or 5th, 25th, 75th, 95th percentile) over images of IS = angle(T(f), T(f~))",
    meaning="How far removing the null part moves images of this class in CLIP space.",
    caution="Not a direction, and not how much the class leaks: what all images share counts, too (see leak).",
    source="SING, eq. 5-8",
)
_ATTRIBUTE_SCORE_ABS_OVER_CONTROL = Explanation(
    formula="median |AS| (or IS) / its control",
    meaning=(
        "About 1: no more than chance of the same size. Far above: the null part holds what CLIP sees as this "
        "class (or as anything)."
    ),
    caution="Not a test: no interval is known for it here.",
    source="docs/method.md, controls",
)
_ATTRIBUTE_SCORE_ABS_CONTROL = Explanation(
    formula="median |AS| (or IS) over images when a random vector as long as each Pi_n f is removed",
    meaning="What chance of the same size does to this class.",
    caution="Not a null direction: this control changes logits.",
    source="docs/method.md, controls",
)
_ATTRIBUTE_SCORE_CENTRED_ABS_Q50 = Explanation(
    formula="median |AS| (or IS) with f - Pi_n (f - mean f) in the place of f~",
    meaning="The part that differs from image to image, without the offset that all images share.",
    caution="Not a share of |AS| or IS: medians do not add up.",
    source="docs/method.md, centred removal",
)
_ATTRIBUTE_SCORE_MEAN = Explanation(
    formula="mean over images of AS (or IS)",
    meaning="As the median, but each image counts with its size.",
    caution="Not robust: one image can move it.",
    source="SING, Fig. 4",
)
_ATTRIBUTE_SCORE_STD = Explanation(
    formula="standard deviation over images of AS (or IS), n - 1",
    meaning="How different images of the class are from each other.",
    caution="Not the uncertainty of the mean: that is smaller by the root of the count.",
    source="SING, Fig. 4",
)
COLUMNS = (
    Column(
        "class",
        "class",
        "text",
        explanation=Explanation(meaning="The class, by the name that the run was given.", source="classes/name"),
        role="label",
    ),
    Column(
        "leak",
        "leak",
        "degrees",
        explanation=_LEAK,
        derived=largest_shift,
        needs=(CONCEPTS + "attribute_score_centred",),
        unit="degree",
        description="largest |centred AS| of a concept",
    ),
    Column(
        "leak_concept",
        "by",
        "text",
        explanation=Explanation(
            formula="the concept that reaches the leak",
            meaning="The concept that the part of the null space special to this class moves most.",
            caution=f"Its sign and its interval are in the row of that concept. {_FEW_IMAGES}",
            source=_LEAK.source,
        ),
        role="text",
        derived=most_shifted,
        needs=(CONCEPTS + "attribute_score_centred", "concepts/name"),
        description="concept with the largest |centred AS|",
    ),
    Column(
        "leak_significant",
        "*",
        "text",
        explanation=Explanation(
            formula="* where q of that concept < .05",
            meaning="Marks a shift that one random null direction of the same length would hardly give.",
            caution=(
                "No mark is no proof of no leak: random null directions hit a strong leak, too. A leak of one class alone is "
                "seen by comparing it with another model."
            ),
            source="docs/method.md, significance",
        ),
        role="mark",
        derived=mark_of_largest,
        needs=(CONCEPTS + "attribute_score_centred", CONCEPTS + "q"),
        unit="text",
        description=f"* where q of that concept < {SIGNIFICANT}",
    ),
    Column(
        "attribute_score_q50",
        "AS",
        "signed degrees",
        CLASSES + "attribute_score_q50",
        _ATTRIBUTE_SCORE_Q50,
        intervals=over_images("attribute_score_q50"),
    ),
    Column(
        "image_score_q50",
        "IS",
        "degrees",
        CLASSES + "image_score_q50",
        _IMAGE_SCORE_Q50,
        intervals=over_images("image_score_q50"),
    ),
    Column(
        "attribute_score_abs_q50",
        "|AS|",
        "degrees",
        CLASSES + "attribute_score_abs_q50",
        _ATTRIBUTE_SCORE_ABS_Q50,
        intervals=over_images("attribute_score_abs_q50"),
    ),
    Column(
        "count",
        "images",
        "count",
        CLASSES + "count",
        Explanation(
            formula="images of the class in the subset that is shown",
            meaning="What the other numbers of the row rest on. Medians of fewer than 5 images have no interval.",
            caution="Not the images of the class in the model's training.",
            source="counted",
        ),
        role="count",
    ),
    Column(
        "ratio",
        "IS/|AS|",
        "any size",
        CLASSES + "ratio",
        Explanation(
            formula="median IS / median |AS| of the class",
            meaning="How much images move for each degree that the class moves.",
            caution="Not stable where |AS| is nearly 0: see its interval.",
            source="SING, Fig. 12",
        ),
        intervals=over_images("ratio"),
    ),
    Column(
        "accuracy",
        "accuracy",
        "percent",
        CLASSES + "accuracy",
        Explanation(
            formula="share of these images that are predicted as this class",
            meaning="How well the model knows the class.",
            caution="Not changed by null removal.",
            source="counted",
        ),
        role="share",
    ),
    Column(
        "index",
        "index",
        "index",
        explanation=Explanation(meaning="Its position in the model's output, from 0.", source="classes/name"),
        role="index",
        unit="index",
        description="position in the model's output",
    ),
    Column(
        "wnid",
        "wnid",
        "text",
        "classes/wnid",
        Explanation(meaning="Its WordNet id.", source="classes/wnid"),
        role="code",
    ),
    Column(
        "attribute_score_abs_over_control",
        "|AS| /control",
        "any size",
        explanation=_ATTRIBUTE_SCORE_ABS_OVER_CONTROL,
        derived=quotient,
        needs=(CLASSES + "attribute_score_abs_q50", CLASSES + "attribute_score_abs_control"),
        unit="1",
        description="median |AS| over that of removing a random vector of the same length",
    ),
    Column(
        "image_score_over_control",
        "IS /control",
        "any size",
        explanation=_ATTRIBUTE_SCORE_ABS_OVER_CONTROL,
        derived=quotient,
        needs=(CLASSES + "image_score_q50", CLASSES + "image_score_control"),
        unit="1",
        description="median IS over that of removing a random vector of the same length",
    ),
    Column(
        "attribute_score_abs_control",
        "|AS| control",
        "degrees",
        CLASSES + "attribute_score_abs_control",
        _ATTRIBUTE_SCORE_ABS_CONTROL,
    ),
    Column(
        "image_score_control", "IS control", "degrees", CLASSES + "image_score_control", _ATTRIBUTE_SCORE_ABS_CONTROL
    ),
    Column(
        "attribute_score_centred_abs_q50",
        "|AS| centred",
        "degrees",
        CLASSES + "attribute_score_centred_abs_q50",
        _ATTRIBUTE_SCORE_CENTRED_ABS_Q50,
    ),
    Column(
        "image_score_centred_q50",
        "IS centred",
        "degrees",
        CLASSES + "image_score_centred_q50",
        _ATTRIBUTE_SCORE_CENTRED_ABS_Q50,
    ),
    Column(
        "null_energy_mean",
        "null energy",
        "three digits",
        CLASSES + "null_energy_mean",
        Explanation(
            formula="mean over images of |Pi_n f| / |f|",
            meaning="How much of the feature's length lies where no logit looks.",
            caution="Not what it means.",
            source="SING, eq. 9",
        ),
    ),
    Column(
        "null_energy_centred_mean",
        "null energy centred",
        "three digits",
        CLASSES + "null_energy_centred_mean",
        Explanation(
            formula="mean over images of |Pi_n (f - mean f)| / |f|",
            meaning="The same without the part that all images of the file share.",
            caution="Not a share of null energy.",
            source="docs/method.md, centred removal",
        ),
    ),
    Column(
        "attribute_score_mean",
        "AS mean",
        "signed degrees",
        CLASSES + "attribute_score_mean",
        _ATTRIBUTE_SCORE_MEAN,
        intervals=over_images("attribute_score_mean"),
    ),
    Column("attribute_score_std", "AS std", "degrees", CLASSES + "attribute_score_std", _ATTRIBUTE_SCORE_STD),
    Column(
        "attribute_score_abs_mean",
        "|AS| mean",
        "degrees",
        CLASSES + "attribute_score_abs_mean",
        _ATTRIBUTE_SCORE_ABS_Q50,
    ),
    Column("attribute_score_q05", "AS 5%", "signed degrees", CLASSES + "attribute_score_q05", _ATTRIBUTE_SCORE_Q50),
    Column("attribute_score_q25", "AS 25%", "signed degrees", CLASSES + "attribute_score_q25", _ATTRIBUTE_SCORE_Q50),
    Column("attribute_score_q75", "AS 75%", "signed degrees", CLASSES + "attribute_score_q75", _ATTRIBUTE_SCORE_Q50),
    Column("attribute_score_q95", "AS 95%", "signed degrees", CLASSES + "attribute_score_q95", _ATTRIBUTE_SCORE_Q50),
    Column("image_score_mean", "IS mean", "degrees", CLASSES + "image_score_mean", _ATTRIBUTE_SCORE_MEAN),
    Column("image_score_std", "IS std", "degrees", CLASSES + "image_score_std", _ATTRIBUTE_SCORE_STD),
    Column("image_score_q05", "IS 5%", "degrees", CLASSES + "image_score_q05", _IMAGE_SCORE_Q50),
    Column("image_score_q25", "IS 25%", "degrees", CLASSES + "image_score_q25", _IMAGE_SCORE_Q50),
    Column("image_score_q75", "IS 75%", "degrees", CLASSES + "image_score_q75", _IMAGE_SCORE_Q50),
    Column("image_score_q95", "IS 95%", "degrees", CLASSES + "image_score_q95", _IMAGE_SCORE_Q50),
)
