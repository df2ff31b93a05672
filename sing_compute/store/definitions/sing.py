"""SING: what the null space of a classifier's head means, in words and degrees (arXiv:2603.14610)."""

from sing_compute.store.checks import (
    features,
    probes,
    resamples,
    sing_comparison,
    sing_concepts,
    sing_features,
    sing_images,
    sing_intervals,
)
from sing_compute.store.constants import CURVE, NEIGHBOURS, PENALTIES, TOP_CONCEPTS
from sing_compute.store.definition import Analysis, Axis, Distribution, TableSpec, check
from sing_compute.store.definitions import class_columns, concept_columns, image_columns
from sing_compute.store.definitions.images_and_classifiers import MODEL, NO_FEATURES
from sing_compute.store.definitions.model_checks import CHECKS
from sing_compute.store.definitions.model_scores import SCORES
from sing_compute.store.definitions.sing_fields import FIELDS
from sing_compute.store.definitions.sing_paths import CLASSES, CONCEPTS, IMAGES

CHARTS = ("scatter", "ratios", "distributions", "strings", "validation", "spectrum", "parts")
_AXES = (
    Axis(
        "concept",
        "the vocabulary; names are unique",
        field="concepts/name",
        labels="concepts/name",
        kinds="concepts/kind",
    ),
    Axis("clip", "coordinates of the CLIP space", field="clip/class_embeddings", position=1),
    Axis("compared", "figures that models are compared by", field="comparison/figure", labels="comparison/figure"),
    Axis("lambda", "penalties tried for the translator, ascending", field="models/{model}/translator/path_lambda"),
    Axis(
        "fold", "translators fitted without one fifth of the images each", field="models/{model}/translator/fold_bias"
    ),
    Axis(
        "figure",
        "figures of a model that have intervals",
        field="models/{model}/bootstrap/figure",
        labels="models/{model}/bootstrap/figure",
    ),
    Axis("replicate", "resamples", field="models/{model}/bootstrap/classes", position=1),
    Axis(
        "class_figure",
        "figures of a class that have intervals",
        field="models/{model}/classes/interval_figure",
        labels="models/{model}/classes/interval_figure",
    ),
    Axis("control", "the removal and its controls", field="models/{model}/controls/name"),
    Axis("perturbation", "kinds of perturbations", field="models/{model}/controls/perturbation"),
    Axis("length", "lengths of perturbations", field="models/{model}/controls/length"),
    Axis("mode", "null directions by how far they move CLIP space", field="models/{model}/spectrum/singular_value"),
    Axis("translator", "kinds of translators compared", field="models/{model}/translators/kind"),
    Axis("shift", "the concepts with the largest shift of an image", length=TOP_CONCEPTS),
    Axis("pole", "the concepts at an end of a null direction", length=TOP_CONCEPTS),
    Axis("neighbour", "the nearest images", length=NEIGHBOURS),
    Axis("score", "AS, IS", length=2),
    Axis("bound", "lower and upper end of an interval", length=2),
    Axis("penalty", "0.1, 1 and 10 times the chosen lambda", length=len(PENALTIES)),
    Axis("percent", "percentiles 0, 5, ... 100", length=len(CURVE)),
)
_IMAGE_SCORES = ("image_score_distribution", "IS", IMAGES + "image_score")
_SHIFTS_OF_CLASS = ("attribute_score_distribution", "AS", CONCEPTS + "attribute_score")
_CURVES = CLASSES + "image_score_curve"
_TABLES = (
    TableSpec(
        "models",
        "model",
        (),
        "model",
        (*SCORES, *CHECKS),
        opens=("classes", "images"),
        naming=("model",),
        distributions=(
            Distribution(*_IMAGE_SCORES, "IS of all images of the model", percentiles=_CURVES, before="place"),
        ),
        charts=CHARTS,
    ),
    TableSpec(
        "classes",
        "class",
        ("model",),
        "class",
        class_columns.COLUMNS,
        options=("subset",),
        opens=("concepts", "images"),
        measure="image_score_q50",
        naming=("class", "index"),
        distributions=(
            Distribution(*_IMAGE_SCORES, "IS of the images of the class", percentiles=_CURVES, before="ratio"),
            Distribution(*_SHIFTS_OF_CLASS, "AS of the class, one for each concept", before="ratio"),
        ),
        charts=CHARTS,
        nonzero=CLASSES + "count",
    ),
    TableSpec(
        "concepts",
        "concept",
        ("model", "class"),
        "concept",
        concept_columns.COLUMNS,
        opens=("images",),
        sort="attribute_score_abs",
        measure="attribute_score",
        naming=("concept", "kind"),
        charts=CHARTS,
        absent="concept shifts: {unscored}",
    ),
    TableSpec(
        "images",
        "image",
        ("model",),
        "image",
        image_columns.COLUMNS,
        options=("class",),
        opens=("concepts",),
        sort="image_score",
        measure="image_score",
        naming=("image", "class"),
        confused=("class", "prediction"),
        charts=CHARTS,
    ),
)
_CLASSES = "classes/*_mean classes/*_std classes/*_q?? classes/ratio"
_SUMMARY = """summary/attribute_score summary/attribute_score_abs summary/attribute_score_centred_abs summary/image_score
summary/image_score_centred summary/ratio_images summary/ratio_classes summary/null_energy
summary/null_energy_centred summary/score_mean summary/probe_chance summary/score_covariance summary/undefined summary/cosine"""
_CHECKED_SCORES = """images/attribute_score images/image_score images/attribute_score_centred images/image_score_centred
images/class_angle images/null_energy images/null_energy_centred translator/fold_weight translator/fold_bias
/clip/class_embeddings"""
_SHIFTS = """concepts/angle_before concepts/angle_after concepts/attribute_score concepts/attribute_score_abs
concepts/attribute_score_std concepts/attribute_score_centred"""
_TRANSLATOR = """translator/weight translator/bias translator/mean_feature summary/zero_shot_translated
summary/zero_shot_equivalent summary/null_share_data summary/lambda summary/mse summary/r_squared
summary/cosine_baseline"""
_EQUIVALENCE = "summary/flips summary/logit_change_max summary/logit_change_mean"
_PATH = """translator/path_lambda translator/path_relative translator/path_ratio translator/path_cosine
translator/path_attribute_score translator/path_attribute_score_abs translator/path_image_score
summary/lambda_relative"""
_CONTROLS = """controls/perturbation controls/length controls/logit_change controls/perturbation_flips
summary/attribute_score_abs_over_control summary/image_score_over_control"""
_BOOTSTRAP = "bootstrap/figure bootstrap/value bootstrap/images_interval bootstrap/classes_interval"
_SPECTRUM = "spectrum/* summary/null_share"
_PROBES = """summary/probe_null summary/probe_principal summary/probe_null_group summary/probe_principal_group"""
_KEPT = "features/value"
SING_CHECKS = (
    check(sing_concepts.check_embeddings, "clip/class_embeddings clip/concept_embeddings"),
    check(sing_comparison.check_comparison, "comparison/*", needs="comparison/model comparison/above comparison/value"),
    check(sing_comparison.check_correlation, "comparison/accuracy_correlation"),
    check(sing_images.check_complete, "", group=MODEL, needs="images/attribute_score"),
    check(sing_images.check_limits, "", group=MODEL, needs="images/attribute_score"),
    check(sing_images.check_rankings, "rankings/*", group=MODEL),
    check(sing_images.check_summary, _SUMMARY, group=MODEL, needs="images/attribute_score"),
    check(sing_images.check_classes, _CLASSES, group=MODEL, needs="images/attribute_score"),
    check(sing_images.check_curves, "classes/attribute_score_curve classes/image_score_curve", group=MODEL),
    check(sing_intervals.check_class_intervals, "classes/interval_figure classes/interval", group=MODEL),
    check(sing_intervals.check_bootstrap, _BOOTSTRAP, group=MODEL),
    check(resamples.check_replicates, "bootstrap/images bootstrap/classes", group=MODEL),
    check(sing_intervals.check_path, _PATH, group=MODEL, needs="summary/lambda"),
    check(sing_intervals.check_controls, _CONTROLS, group=MODEL),
    check(sing_concepts.check_shifts, "concepts/attribute_score_half", group=MODEL),
    check(sing_concepts.check_significance, "concepts/q summary/significant", group=MODEL),
    check(sing_concepts.check_spectrum, _SPECTRUM, group=MODEL, needs="summary/rank"),
    check(features.check_equivalence, _EQUIVALENCE, group=MODEL),
    check(sing_features.check_scores, _CHECKED_SCORES, group=MODEL, needs=_KEPT, without=NO_FEATURES),
    check(
        sing_features.check_top_concepts,
        "images/top_concept images/top_concept_score /clip/concept_embeddings",
        group=MODEL,
        needs=_KEPT,
        without=NO_FEATURES,
    ),
    check(sing_features.check_concepts, _SHIFTS, group=MODEL, needs=_KEPT, without=NO_FEATURES),
    check(sing_features.check_translator, _TRANSLATOR, group=MODEL, needs=_KEPT, without=NO_FEATURES),
    check(probes.check_probes, _PROBES, group=MODEL, needs=_KEPT, without=NO_FEATURES),
)
SING = Analysis(
    "sing",
    1,
    "SING: null space in words and degrees",
    "model",
    FIELDS,
    _AXES,
    _TABLES,
    needs=("images", "classes", "concepts", "clip"),
    checks=SING_CHECKS,
)
