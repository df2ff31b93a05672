"""EDDP: direction pairs of a classifier: what fires where, how far to trust it, what the head reads of it."""

from sing_compute.store.checks import direction_features, direction_losses, names
from sing_compute.store.checks import directions as direction_checks
from sing_compute.store.definition import Analysis, Column, Explanation, TableSpec
from sing_compute.store.definition import check as _check
from sing_compute.store.definitions.column_lists import columns
from sing_compute.store.definitions.direction_class_columns import CLASS_COLUMNS
from sing_compute.store.definitions.direction_columns import COLUMNS, SOURCE, UNREAD_COLUMNS, label
from sing_compute.store.definitions.direction_fields import AXES, FIELDS, FIXES, GROUP, IMAGES, NULL
from sing_compute.store.definitions.images_and_classifiers import MODEL, NO_FEATURES
from sing_compute.store.derived.cells import repeated
from sing_compute.store.derived.direction_cells import fires


def _columns(text: str) -> tuple[Column, ...]:
    return columns(text, group=f"{GROUP}/", source=SOURCE)


_IMAGES = (
    label("image", "An image whose features the directions were found in.", "path"),
    *_columns("""
logit | logit | signed | value | images/logit | w . x - b, the largest of the positions of the image | Above 0 the detector
    fires; one more is one signal vector more. | Not a probability.
"""),
    Column(
        "fires",
        "*",
        "text",
        explanation=Explanation(
            "w . x - b above 0",
            "The detector fires on the image.",
            "Not that the image shows the concept of its name.",
            SOURCE,
        ),
        role="mark",
        derived=fires,
        needs=(IMAGES + "logit",),
        description="a star where the detector fires",
    ),
)
_LOSSES = (
    label("loss", "A loss of the search."),
    *_columns("""
value | value | any size | value | losses/value | docs/directions.md, losses | At the end of the chosen restart. | Not
    comparable between searches for other numbers of directions.
bound | bound | any size | value | losses/bound | docs/directions.md, losses | What the loss must not exceed; empty for one
    that is minimised. | Missed by a little in most searches.
"""),
)
_FIXES = (
    label("direction", "The direction whose concept is taken out of every image on which its detector fires."),
    Column(
        "before",
        "accuracy before",
        "percent",
        explanation=Explanation(
            "images predicted right, over all", "As the images are.", "Of these images, not of new ones.", SOURCE
        ),
        role="share",
        derived=repeated,
        needs=(FIXES + "before", FIXES + "signal"),
        unit="1",
        description="accuracy on the images as they are",
    ),
    *_columns("""
signal | along signal | percent | share | corrections/signal | accuracy after every positive was brought along s to the mean
    logit of all others | Above the accuracy before: the model does better without the concept. | Not measured on new images.
filter | along filter | percent | share | corrections/filter | the same along w, to the same logit | What the filter, which
    reads the concept, does in the place of the signal vector. | Not measured on new images.
fixed | fixed step | percent | share | corrections/fixed | accuracy after x - k sigmoid(w . x - b) s / |s|, cut off at 0, with
    the k of --step | The paper's rule. | A good k is found by trying, which makes it optimistic.
random | along random | percent | share | corrections/random | the same along directions drawn at random, in the mean | What a
    move to that logit does by itself. | Not a bound: single directions do more.
"""),
)
_RIVALS = (
    label("rival", "A direction that another method finds in the same features."),
    *_columns("""
method | method | text | text | rivals/method | - | The method. | -
words | words | text | text | rivals/words | - | Its name, found as those of EDDP's directions. | -
null_share | null share | percent | share | rivals/share | |Pi_n s|^2 / |s|^2 | As for EDDP's directions. | Not telling by
    itself: read it beside the chance of EDDP's directions.
images | images | count | count | rivals/images | count | Images on which its detector fires. | Not always the method's own
    rule: docs/directions.md says which.
class | moves class | text | text | rivals/class | - | The class whose margin it changes most. | -
margin | margin | signed | value | rivals/margin | as for EDDP's directions | How strongly it moves that class, in logits. |
    Not comparable between models.
cosine | cosine | three digits | value | rivals/cosine | cosine between the mix of concepts and A s | How well the words
    describe it. | Not telling by itself.
likeness | like EDDP | three digits | value | rivals/likeness | largest |cosine| with a signal vector of EDDP | 1: EDDP finds
    it, too. | Not which of the two is right.
"""),
)
_MATCHES = (
    label("model", "Another model of the file with directions."),
    *_columns("""
direction | its direction | index | value | matches/direction | index | Its direction that fires on the most similar images. |
    Not the same number in another search.
iou | same images | percent | share | matches/iou | images on which both fire, over images on which one does | 1: the two
    detectors fire on the same images. | Not that they are the same concept.
chance | chance | percent | share | matches/chance | p q / (p + q - p q) for shares p and q of the images | IoU of two
    detectors that fire as often, at random. | Not the best of several.
p | p | three digits | value | matches/p | hypergeometric probability of so many common images, times the directions of that
    model | Small: no chance match. | Not a size.
"""),
)
_D = f"{GROUP}/"
_HEAD = """null/row_class null/row_cosine null/share null/pattern_share null/q null/pattern_q null/unread
null/null_movement null/logit_movement summary/null_chance"""
_VECTORS = """images/logit pairs/filter pairs/threshold pairs/signal pairs/pattern pairs/strength pairs/rest trust/steady
null/movement classes/sensitivity corrections/before classes/change classes/margin classes/flips classes/flip_step
classes/flip_outside losses/value corrections/signal corrections/filter"""
_SUMS = "losses/name losses/bound losses/value summary/objective summary/violation"
_COUNTS = """summary/images summary/positions pairs/images pairs/positives images/row images/key
classes/images classes/positives steps/size"""
_NAMES = "names/cosine names/coefficient names/pick names/pattern_cosine names/pattern_coefficient names/pattern_pick"
_CHECKS = (
    _check(direction_checks.check_pairs, "pairs/margin", group=_D),
    _check(names.check_direction_names, "pairs/name", group=_D),
    _check(direction_checks.check_trust, "trust/score trust/state trust/pinned summary/found", group=_D),
    _check(direction_checks.check_counts, _COUNTS, group=_D, needs="images/logit"),
    _check(direction_checks.check_head, _HEAD, group=_D),
    _check(direction_checks.check_classes, "classes/q summary/sensitive summary/sensitive_pairs", group=_D),
    _check(direction_losses.check_sums, _SUMS, group=_D),
    _check(direction_checks.check_names, _NAMES, group=_D),
    _check(direction_checks.check_labels, "summary/s1 summary/s2 summary/s3_chance", group=_D, needs="labels/iou"),
    _check(direction_checks.check_matches, "matches/iou matches/direction matches/chance matches/p", group=_D),
    _check(
        direction_features.check_features,
        _VECTORS,
        group=_D,
        needs=f"/{MODEL}features/value",
        without=NO_FEATURES,
    ),
)
_ABSENT = "sing-compute directions FILE adds them"
_ROW = ("direction_classes", "direction_images")
DIRECTIONS = Analysis(
    "directions",
    1,
    "EDDP: direction pairs of classifiers, found without labels",
    "model",
    FIELDS,
    AXES,
    (
        TableSpec(
            "directions",
            "direction",
            ("model",),
            "direction",
            COLUMNS,
            opens=(
                *(*_ROW, "direction_matches", "unread_directions", "direction_corrections", "direction_rivals"),
                "direction_losses",
            ),
            measure="null_share",
            naming=("direction",),
            absent=f"direction pairs; {_ABSENT}",
            opened_by=("models",),
        ),
        TableSpec(
            "unread_directions",
            "direction",
            ("model",),
            "direction",
            UNREAD_COLUMNS,
            opens=_ROW,
            sort="null_share",
            measure="null_share",
            naming=("direction",),
            nonzero=NULL + "unread",
            absent=f"directions that the head can hardly read; {_ABSENT}",
        ),
        TableSpec(
            "direction_classes",
            "class",
            ("model", "direction"),
            "class",
            CLASS_COLUMNS,
            opens=("direction_images",),
            sort="margin",
            measure="margin",
            naming=("class",),
        ),
        TableSpec(
            "direction_images",
            "direction_image",
            ("model", "direction"),
            "image",
            _IMAGES,
            opens=("direction_classes",),
            sort="logit",
            measure="logit",
            naming=("image",),
        ),
        TableSpec(
            "direction_corrections",
            "direction",
            ("model",),
            "direction",
            _FIXES,
            options=("subset",),
            opens=_ROW,
            measure="signal",
            naming=("direction",),
            absent=f"corrections along directions; {_ABSENT}",
        ),
        TableSpec(
            "direction_rivals",
            "direction_rival",
            ("model",),
            "rival",
            _RIVALS,
            opens=("directions",),
            measure="null_share",
            naming=("rival",),
            absent="directions of other methods; sing-compute directions FILE --rivals adds them",
        ),
        TableSpec(
            "direction_matches",
            "direction_match",
            ("model", "direction"),
            "model",
            _MATCHES,
            opens=("direction_classes",),
            measure="iou",
            naming=("model",),
            absent="other models with directions",
        ),
        TableSpec(
            "direction_losses",
            "direction_loss",
            ("model",),
            "loss",
            _LOSSES,
            opens=("directions",),
            measure="value",
            naming=("loss",),
        ),
    ),
    needs=("images", "classes"),
    checks=_CHECKS,
)
