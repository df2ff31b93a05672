"""Steering on request: the images of every class steered toward every class inside the null space (SING, Fig. 6, Table 1)."""

from sing_compute.store.checks import steering
from sing_compute.store.definition import Analysis, Axis, Column, Explanation, TableSpec, check, fields
from sing_compute.store.definitions.images_and_classifiers import NO_FEATURES
from sing_compute.store.derived.cells import repeated

GROUP = "models/{model}/steering"
MATRIX = f"{GROUP}/"
"""Group of a model's steering, and the beginning of the paths of its datasets."""
_FIELDS = fields("""
[models/{model}/steering]
angle | float64 | - | degree in >0..180 | MUST | IS that each step gives
images | int64 | class | count | MUST | images of the class whose features are stored, and which are steered
attribute_score_mean | float32 | class target | degree in -180..180 or nan | MUST | mean AS of the images of the class toward
    the prompt of the target: angle before the step minus angle after it, out of fold; NaN if no image reaches the angle
attribute_score_std | float32 | class target | degree in 0.. or nan | MUST | its standard deviation over these images (n - 1);
    NaN below two images
unreachable | int32 | class target | count | MUST | images of the class that no step of this kind turns by the angle; they are
    left out of mean and standard deviation
""")
_SOURCE = "SING, Fig. 6 and Table 1; docs/method.md, steering"


def _same_in_all_rows(name: str, title: str, format: str, role: str, unit: str, words: Explanation) -> Column:
    """Return the column of a figure that all targets of a class have in common."""
    needs = (MATRIX + name, MATRIX + "unreachable")
    return Column(
        name, title, format, explanation=words, role=role, derived=repeated, needs=needs, unit=unit, description=words.formula
    )  # fmt: skip


_COLUMNS = (
    Column(
        "target",
        "target",
        "text",
        explanation=Explanation(meaning="The class toward whose prompt the images are steered.", source=_SOURCE),
        role="label",
        description="class toward whose prompt the images are steered",
    ),
    Column(
        "attribute_score_mean",
        "AS",
        "signed degrees",
        MATRIX + "attribute_score_mean",
        Explanation(
            "mean over the images of angle(T(f), t) - angle(T(f + eps d), t), d inside the null space",
            "How much nearer to the target images of the class come by a step that changes no logit.",
            "Not that an image with such a feature exists, nor that the step is short.",
            _SOURCE,
        ),
    ),
    Column(
        "attribute_score_std",
        "AS std",
        "degrees",
        MATRIX + "attribute_score_std",
        Explanation(
            "standard deviation over the images (n - 1)",
            "How much the images of the class differ in this.",
            "Not the uncertainty of the mean.",
            _SOURCE,
        ),
    ),
    Column(
        "unreachable",
        "unreachable",
        "count",
        MATRIX + "unreachable",
        Explanation(
            "count of images with across cos s - along sin s of 0 or less",
            "Images that no step along d turns by the angle; they are left out of the mean.",
            "Not resistance to this target in general: a smaller angle may be reached.",
            _SOURCE,
        ),
        role="count",
    ),
    _same_in_all_rows("images", "images", "count", "count", "count", Explanation(
        "images of the class whose features are stored",
        "What mean and standard deviation are over, less the unreachable ones.",
        "Not all images of the class where the file keeps the features of some.",
        _SOURCE,
    )),
    _same_in_all_rows("angle", "IS", "degrees", "value", "degree", Explanation(
        "IS that each step gives",
        "The length of every step is chosen so that T(f) turns by this angle: sing-compute steer FILE --keep --angle A.",
        "Not measured: it is what was asked for.",
        _SOURCE,
    )),
)  # fmt: skip
_CELLS = "attribute_score_mean attribute_score_std unreachable"
_ABOVE = ("classes", "concepts", "images")
STEERING = Analysis(
    "steering",
    1,
    "steering of each class toward each class",
    "model",
    _FIELDS,
    (
        Axis(
            "target",
            "classes toward which images are steered: all classes, with and without images",
            smaller_of=("class",),
            labels="classes/name",
            codes="classes/wnid",
            repeats=True,
        ),
    ),
    (
        TableSpec(
            "steering",
            "target",
            ("model", "class"),
            "target",
            _COLUMNS,
            opens=("concepts", "images"),
            sort="attribute_score_mean",
            measure="attribute_score_mean",
            naming=("target",),
            absent="steering; sing-compute steer FILE --keep adds it",
            opened_by=_ABOVE,
        ),
    ),
    needs=("images", "classes", "clip"),
    checks=(
        check(steering.check_gaps, "", group=MATRIX, needs=_CELLS),
        check(steering.check_counts, "images", group=MATRIX, needs="/models/{model}/features/row", without=NO_FEATURES),
        check(
            steering.check_matrix,
            f"angle {_CELLS}",
            group=MATRIX,
            needs="/models/{model}/features/value",
            without=NO_FEATURES,
        ),
    ),
)
