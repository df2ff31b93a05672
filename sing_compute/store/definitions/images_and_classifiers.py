"""The declaration of the images, classes and classifiers of a file: every analysis of a classifier uses them."""

import re

from sing_compute.store.checks import classifiers, features, images
from sing_compute.store.definition import Analysis, Axis, check, fields

_IMAGES = fields("""
[images]
key | text | image | text | MUST | key of each image: its path below the image root; sorted by class, then key
class | int32 | image | index of class in 0.. | MUST | true class of each image
group | int32 | image | index of group | MAY | the user's group of each image, -1 for none
original | int32 | image | index of image in 0.. | MAY | the first image with the same bytes, or the image itself if it is no
    copy; a copy is in the fold of its original. Absent if there are no copies
offsets | int64 | class_edge | index in 0.. | MUST | images of class c are rows offsets[c] to offsets[c+1]
skipped_key | text | skipped | text | MUST | images that could not be read
skipped_reason | text | skipped | text | MUST | why each of them could not be read

[groups]
name | text | group | text | MAY | the user's groups of images

[subsets]
name | text | subset | text | MUST | subsets of images that class tables are given for

[classes]
name | text | class | text | MUST | class names in logit order; may repeat
wnid | text | class | text | MAY | WordNet id of each class
""")
_CLASSIFIERS = fields("""
[models/{model}/head]
weight | float64 | class dim | 1 | MUST | weight W of the linear head: logits = W f + b
bias | float64 | class | 1 | MUST | bias b of the linear head
singular_values | float64 | singular_value | 1 in 0.. | MAY | singular values of the matrix that was split, descending

[models/{model}/variants]
name | text | variant | text | MAY | other rules for what counts as null space
rank | int64 | variant | count | MAY | rank of the head by each
nullity | int64 | variant | count | MAY | dimension of the null space by each
flips | float64 | variant | 1 in 0..1 | MAY | share of predictions that change when that null part is removed
logit_change_max | float64 | variant | 1 in 0.. or nan | MAY | largest logit change then, over the logit spread
logit_change_mean | float64 | variant | 1 in 0.. or nan | MAY | mean logit change then, over the logit spread

[models/{model}/images]
prediction | int32 | image | index of class in 0.. | MUST | class the model predicts
confidence | float32 | image | 1 in >0..1 | MUST | softmax probability of the prediction

[models/{model}/classes]
count | int32 | subset class | count | MUST | images of the class in the subset
accuracy | float32 | subset class | 1 in 0..1 or nan | MUST | share of them predicted right

[models/{model}/summary]
images | int64 | - | count | MUST | images measured
correct | int64 | - | count | MUST | images predicted right
accuracy | float64 | - | 1 in 0..1 | MUST | share of images predicted right
rank | int64 | - | count | MAY | rank of the head: dimension of the principal space
nullity | int64 | - | count | MAY | dimension of the null space that was used
nullity_softmax | int64 | - | count | MAY | dimension of the null space of the head minus its class mean
cutoff | float64 | - | 1 in 0.. | MAY | singular values at or below this counted as zero
gap | float64 | - | 1 in 1.. or inf | MAY | sigma_r / sigma_(r+1); inf where the head has no smaller singular value
tail_ratio | float64 | - | 1 in 1.. or nan | MAY | sigma_(r-1) / sigma_r: a large one means the last kept direction is nearly
    null

[models/{model}/features]
row | int32 | kept | index of image in 0.. | MAY | images whose features are kept, ascending: all, or evenly spread ones of
    many
value | float32 | kept dim | 1 | MAY | what reaches the head for each of them

[models/{model}/maps]
image | int32 | map_image | index of image in 0.. | MAY | images whose spatial maps are kept, ascending: all, or evenly spread
    ones
position | int32 | map_position | index | MAY | positions of the map that are kept, row by row of its grid, ascending
value | float32 | map_image map_position map_channel | 1 | MAY | the last spatial map before the pooling of the network, at
    those positions; in a file of its own where the attribute `file` names one

[comparison]
model | text | model | text | MAY | models in the order of the comparison matrices
""")


def subset_filter(name: str) -> str:
    """Return the filter that keeps the images of a subset.

    Args:
        name: Its name in `subsets/name`.
    """
    kind, _, group = name.partition(":")
    if kind == "group":
        return f'group = "{group}"' if '"' not in group else f'group ~ "^{re.escape(group).replace(chr(34), ".")}$"'
    return {"right": "prediction = class", "wrong": "prediction != class"}.get(name, "")


IMAGES = Analysis(
    "images",
    1,
    "images and classes",
    "file",
    _IMAGES,
    (
        Axis(
            "image",
            "measured images, sorted by class, then key; unreadable ones are left out and listed under `images/skipped_*`",
            field="images/key",
            labels="images/key",
            parent="class",
            runs="images/offsets",
        ),
        Axis("skipped", "images that could not be read", field="images/skipped_key"),
        Axis(
            "class",
            "classes of the head in logit order",
            field="classes/name",
            labels="classes/name",
            codes="classes/wnid",
            repeats=True,
        ),
        Axis("class_edge", "one more edge than classes", edges_of="class"),
        Axis("group", "the user's groups of images", field="groups/name", labels="groups/name"),
        Axis(
            "subset",
            "`all`, `right`, `wrong` (by prediction), then `group:NAME` for each group of the user",
            field="subsets/name",
            labels="subsets/name",
            selects="image",
            filter=subset_filter,
        ),
    ),
    checks=(
        check(images.check_order, "images/key images/class images/offsets"),
        check(images.check_skipped, "images/skipped_key"),
        check(images.check_copies, "images/original"),
        check(images.check_subsets, "subsets/name"),
    ),
)
MODEL = "models/{model}/"
NO_FEATURES = "features are not kept"
_HEAD = "head/singular_values summary/rank summary/nullity summary/cutoff summary/gap summary/tail_ratio"
_RULES = "variants/rank variants/nullity summary/nullity_softmax"
_CHANGES = "variants/flips variants/logit_change_max variants/logit_change_mean"
CLASSIFIERS = Analysis(
    "classifiers",
    1,
    "classifiers: heads, predictions, features",
    "model",
    _CLASSIFIERS,
    (
        Axis("model", "classifiers; in `comparison` those that have scores", group="models", field="comparison/model"),
        Axis("dim", "coordinates of a model's feature", field="models/{model}/head/weight", position=1),
        Axis("singular_value", "min(class, dim) values, descending", smaller_of=("class", "dim")),
        Axis(
            "variant",
            "other rules for the null space: `numerical`, `tol=...`, `energy=...`, `softmax`",
            field="models/{model}/variants/name",
        ),
        Axis("kept", "images whose features are kept", field="models/{model}/features/row"),
        Axis("map_image", "images whose spatial maps are kept", field="models/{model}/maps/image"),
        Axis("map_position", "positions that are kept of each map", field="models/{model}/maps/position"),
        Axis("map_channel", "coordinates of a position", field="models/{model}/maps/value", position=2),
    ),
    needs=("images", "classes"),
    checks=(
        check(
            classifiers.check_counts,
            "summary/images summary/correct summary/accuracy classes/count classes/accuracy",
            group=MODEL,
        ),
        check(classifiers.check_head, _HEAD, group=MODEL, needs="summary/rank head/singular_values"),
        check(classifiers.check_variants, _RULES, group=MODEL, needs="summary/rank variants/name"),
        check(features.check_rows, "features/row maps/image maps/position", group=MODEL),
        check(
            features.check_predictions,
            "images/prediction images/confidence head/weight head/bias features/value",
            group=MODEL,
            needs="features/value",
            without=NO_FEATURES,
        ),
        check(features.check_variants, _CHANGES, group=MODEL, needs="features/value summary/rank", without=NO_FEATURES),
    ),
)
"""The data that are stored of every classifier, for any analysis."""
