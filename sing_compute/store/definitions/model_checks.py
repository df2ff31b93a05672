"""The columns of the model table, second part: what the scores rest on."""

from sing_compute.store.definition import Column, Explanation
from sing_compute.store.definitions.sing_paths import SUMMARY, over_classes

_PROBE_NULL = Explanation(
    formula="accuracy, out of fold, of a ridge classifier of the labels on Pi_n f (or on Pi_p f = f - Pi_n f)",
    meaning="Without CLIP: how well the classes can be read from each half of the feature. Compare both with chance.",
    caution="Not what the model uses: it never sees the null half.",
    source="docs/method.md, probe",
)
_ZERO_SHOT_TRANSLATED = Explanation(
    formula="the same for T(f) (or for T(f~))",
    meaning="How much of the class survives translation, with and without the null part.",
    caution="Not the classifier's accuracy: CLIP's text decides here.",
    source="SING, validation; docs/method.md, translator",
)
_LOGIT_CHANGE_MAX = Explanation(
    formula="largest (or mean) |logit(f) - logit(f~)| over the mean spread of the logits",
    meaning="Rounding alone leaves about 1e-7 for a float32 head.",
    caution="Not a score.",
    source="docs/method.md, equivalence",
)
CHECKS = (
    Column(
        "significant",
        "significant pairs",
        "count",
        SUMMARY + "significant",
        Explanation(
            formula="number of class x concept pairs with q < .05",
            meaning="Pairs whose mean shift is more than one random null direction of the same length would give.",
            caution=(
                "Not an effect size: with many images tiny shifts are significant. In each class about 5% of "
                "them are expected to be false."
            ),
            source="docs/method.md, significance; Benjamini and Hochberg 1995",
        ),
        role="count",
    ),
    Column("probe_null", "probe null", "percent", SUMMARY + "probe_null", _PROBE_NULL, role="share"),
    Column("probe_principal", "probe principal", "percent", SUMMARY + "probe_principal", _PROBE_NULL, role="share"),
    Column(
        "probe_chance",
        "probe chance",
        "percent",
        SUMMARY + "probe_chance",
        Explanation(
            formula="share of the most frequent class among these images",
            meaning="What a reader that always says the same class gets: the floor for both probes.",
            caution="Not 1 / classes where classes differ in size.",
            source="docs/method.md, probe",
        ),
        role="share",
    ),
    Column(
        "null_share",
        "null share",
        "three digits",
        SUMMARY + "null_share",
        Explanation(
            formula="|A Pi_n|^2 / |A|^2, A the translator's matrix",
            meaning="How much of what the translator could move lies in the null space, without any image.",
            caution="Not what it does move: large where features never go there (null share data).",
            source="docs/method.md, spectrum",
        ),
    ),
    Column(
        "null_share_data",
        "null share data",
        "three digits",
        SUMMARY + "null_share_data",
        Explanation(
            formula="tr(A Pi_n S Pi_n A^T) / tr(A S A^T), S the covariance of the features",
            meaning="Of the variance that the translator gives these images, the share that comes from the null space.",
            caution="Not a share of IS: the mean null feature is left out.",
            source="docs/method.md, spectrum",
        ),
    ),
    Column(
        "flips",
        "flips",
        "count",
        SUMMARY + "flips",
        Explanation(
            formula="number of images whose prediction changes from f to f~",
            meaning="0 wanted: nothing that the classifier sees was removed.",
            caution="Not an error of the model: more than 0 means that the null space is an approximate one.",
            source="docs/method.md, equivalence",
        ),
        role="count",
    ),
    Column(
        "cosine",
        "cosine",
        "three digits",
        SUMMARY + "cosine",
        Explanation(
            formula="mean over images of cos(T(f), image embedding), by the translator that never saw the image",
            meaning="How well features translate into CLIP space.",
            caution="Not good or bad alone: the mean embedding reaches the baseline without any feature.",
            source="SING, eq. 4 and Table 2",
        ),
    ),
    Column(
        "cosine_baseline",
        "baseline",
        "three digits",
        SUMMARY + "cosine_baseline",
        Explanation(
            formula="the same with the mean embedding in the place of T(f)",
            meaning="What a translator reaches that ignores the image.",
            caution="Not 0: CLIP embeddings of images all point to one side.",
            source="docs/method.md, translator",
        ),
    ),
    Column(
        "ratio_classes",
        "IS/|AS| classes",
        "any size",
        SUMMARY + "ratio_classes",
        Explanation(
            formula="median over classes of (median IS / median |AS| of the class)",
            meaning="IS/|AS| with every class counted once, however many images it has.",
            caution="Not the ratio over images: classes with few images weigh as much as large ones.",
            source="SING, Fig. 12; docs/method.md, scores",
        ),
        intervals=over_classes("ratio_classes"),
    ),
    Column(
        "rank",
        "rank",
        "count",
        SUMMARY + "rank",
        Explanation(
            formula="number of singular values of the head's weight above the cutoff",
            meaning="Dimensions of the feature that logits depend on.",
            caution="Not the number of classes: a head may use fewer.",
            source="SING, eq. 1-3; docs/method.md, the head and its null space",
        ),
        role="count",
    ),
    Column(
        "nullity_softmax",
        "nullity softmax",
        "count",
        SUMMARY + "nullity_softmax",
        Explanation(
            formula="nullity of W - mean over classes of W",
            meaning=(
                "The same for a classifier that is read through its softmax, which a shift common to all logits"
                " leaves alone."
            ),
            caution="Not what was removed here, unless the run says --invariance softmax.",
            source="docs/method.md, the head and its null space",
        ),
        role="count",
    ),
    Column(
        "gap",
        "gap",
        "any size",
        SUMMARY + "gap",
        Explanation(
            formula="sigma_r / sigma_(r+1)",
            meaning="How sharply the head's spectrum ends: large means that rank and null space are beyond doubt.",
            caution="Not a score. Infinite where the head has no smaller singular value at all.",
            source="docs/method.md, the head and its null space",
        ),
    ),
    Column(
        "tail_ratio",
        "tail ratio",
        "any size",
        SUMMARY + "tail_ratio",
        Explanation(
            formula="sigma_(r-1) / sigma_r",
            meaning="Large: the last direction that counts as seen is nearly null, as for heads trained with cross-entropy.",
            caution="Not an error of the rank.",
            source="docs/method.md, the head and its null space",
        ),
    ),
    Column(
        "lambda",
        "lambda",
        "any size",
        SUMMARY + "lambda",
        Explanation(
            formula="penalty on |A|^2 in the fit of T, chosen by out-of-fold cosine or given",
            meaning="How strongly the translator is kept small.",
            caution="Not comparable between models: lambda relative is.",
            source="SING, eq. 4; docs/method.md, translator",
        ),
    ),
    Column(
        "lambda_relative",
        "lambda relative",
        "any size",
        SUMMARY + "lambda_relative",
        Explanation(
            formula="lambda / (trace(S_ff) / m), S_ff the centred sum of squares of the features, m their dimension",
            meaning="The penalty in units of the features' own size.",
            caution="Not a score.",
            source="docs/method.md, translator",
        ),
    ),
    Column(
        "r_squared",
        "R2",
        "three digits",
        SUMMARY + "r_squared",
        Explanation(
            formula="1 - squared error of T(f) / squared error of the mean embedding, out of fold",
            meaning="The share of the embeddings' variance that features explain.",
            caution="Not the cosine squared.",
            source="docs/method.md, translator",
        ),
    ),
    Column(
        "mse",
        "MSE",
        "any size",
        SUMMARY + "mse",
        Explanation(
            formula="mean squared error of T(f) for each coordinate of the image embedding, out of fold",
            meaning="The loss that the translator minimises.",
            caution="Not comparable between CLIP models of different dimension.",
            source="SING, eq. 4",
        ),
    ),
    Column(
        "zero_shot_image",
        "zero-shot z",
        "percent",
        SUMMARY + "zero_shot_image",
        Explanation(
            formula="share of images whose CLIP embedding is nearest to the prompt of their class",
            meaning="How well this CLIP model itself tells these classes apart: a ceiling for the two next ones.",
            caution="Not about the classifier.",
            source="docs/method.md, translator",
        ),
        role="share",
    ),
    Column(
        "zero_shot_translated",
        "zero-shot T(f)",
        "percent",
        SUMMARY + "zero_shot_translated",
        _ZERO_SHOT_TRANSLATED,
        role="share",
    ),
    Column(
        "zero_shot_equivalent",
        "zero-shot T(f~)",
        "percent",
        SUMMARY + "zero_shot_equivalent",
        _ZERO_SHOT_TRANSLATED,
        role="share",
    ),
    Column("logit_change_max", "logit change max", "any size", SUMMARY + "logit_change_max", _LOGIT_CHANGE_MAX),
    Column("logit_change_mean", "logit change mean", "any size", SUMMARY + "logit_change_mean", _LOGIT_CHANGE_MAX),
    Column(
        "images",
        "images",
        "count",
        SUMMARY + "images",
        Explanation(
            formula="images that could be read and were measured",
            meaning="What all medians of this row rest on.",
            caution="Not the images that the model was trained on.",
            source="counted",
        ),
        role="count",
    ),
    Column(
        "correct",
        "right",
        "count",
        SUMMARY + "correct",
        Explanation(
            formula="images whose prediction is their class",
            meaning="Accuracy as a count.",
            caution="Not changed by null removal.",
            source="counted",
        ),
        role="count",
    ),
    Column(
        "undefined",
        "undefined",
        "count",
        SUMMARY + "undefined",
        Explanation(
            formula="images without AS or IS because a vector is zero",
            meaning="They are left out of every median. 0 wanted.",
            caution="Not images that could not be read: those are listed in the file as skipped.",
            source="docs/method.md, scores",
        ),
        role="count",
    ),
)
