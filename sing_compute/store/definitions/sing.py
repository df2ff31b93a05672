"""SING: what the null space of a classifier's head means, in words and degrees (arXiv:2603.14610)."""

from sing_compute.store.constants import CURVE, NEIGHBOURS, PENALTIES, TOP_CONCEPTS
from sing_compute.store.definition import Analysis, Axis, TableSpec
from sing_compute.store.definitions import class_columns, concept_columns, image_columns
from sing_compute.store.definitions.model_checks import CHECKS
from sing_compute.store.definitions.model_scores import SCORES
from sing_compute.store.definitions.sing_fields import FIELDS
from sing_compute.store.definitions.sing_paths import CLASSES

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
_TABLES = (
    TableSpec(
        "models",
        "model",
        (),
        "model",
        (*SCORES, *CHECKS),
        opens=("classes", "images"),
        naming=("model",),
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
        absent="concept shifts: its head has no null space",
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
        charts=CHARTS,
    ),
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
)
