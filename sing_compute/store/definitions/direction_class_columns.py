"""The columns of a direction's classes: how the classes answer to a step along it, and where its detector fires."""

from sing_compute.store.definition import Column, Explanation
from sing_compute.store.definitions.column_lists import columns
from sing_compute.store.definitions.direction_columns import SOURCE, label
from sing_compute.store.definitions.direction_fields import CLASSES, GROUP
from sing_compute.store.derived.cells import significance_mark
from sing_compute.store.derived.direction_cells import share_of_images


def _by_steps(name: str, words: Explanation) -> tuple[Column, ...]:
    """Return the columns of a figure with the steps 1, .5 and 2, in this order."""
    sizes = {"1": "", "0.5": "_half", "2": "_double"}
    return tuple(
        Column(
            name + suffix,
            f"{name}, step {size}" if suffix else name,
            "signed",
            CLASSES + name,
            words,
            at=(("direction_step", size),),
        )
        for size, suffix in sizes.items()
    )


_SENSITIVITY = _by_steps(
    "sensitivity",
    Explanation(
        "2 x share of images whose probability of the class rises with the step along s, minus 1",
        "1: it rises on every image. -1: it falls on every image. A linear head moves two classes so, whatever the direction.",
        "Not the size of the change, which may be tiny: `change` says it.",
        SOURCE,
    ),
)
_CHANGE = _by_steps(
    "change",
    Explanation(
        "mean over the images of the probability after the step, minus that before",
        "How much the step changes the probability of the class.",
        "Not only where the concept is present: of all images.",
        SOURCE,
    ),
)
_MARGIN = _by_steps(
    "margin",
    Explanation(
        "mean over the images of the logit of the class minus the largest other one, after the step minus before",
        "How far the step moves the class ahead of its nearest rival.",
        "Not comparable between models: each has its own unit of logits.",
        SOURCE,
    ),
)
_Q, _POSITIVES, *_FLIPS, _P = columns(
    """
q | q | three digits | value | classes/q | share of noise vectors with as large an influence, as a false discovery rate over
    all directions and classes | Below .05: the direction moves the class more consistently than vectors of detectors whose
    positives are permuted. | Not a size: `change` is.
positives | images | count | count | classes/positives | count | Images of the class on which the detector fires. | Not how
    strongly.
flips | can be led here | percent | share | classes/flips | share of the images with another prediction that some step along
    s, of either sign, leads to this class | Large: the direction alone can change predictions to this class. | Not that such
    images exist: see the share that leaves the range of real images.
flip_step | by a step of | three digits | value | classes/flip_step | median over those images of the smallest such step, in
    units of the mean logit of the positives | 1: as strong as the concept is where the detector fires. | Not a distance in
    the unit of the features.
flip_outside | out of range | percent | share | classes/flip_outside | share of those images whose logit w . x - b is then
    outside the range of 99 % of real images | How many of these changed images are unlike any real one. | Not a test of
    anything else about them.
p | p | three digits | value | classes/p | as q, without correction | Of one direction and class alone. | Never 0: its least
    value is 1 / (noise vectors + 1).
""",
    group=f"{GROUP}/",
    source=SOURCE,
)
CLASS_COLUMNS = (
    label("class", "A class of the head."),
    *(_MARGIN[0], _CHANGE[0], _SENSITIVITY[0], _Q),
    Column(
        "significant",
        "*",
        "text",
        explanation=Explanation(
            "q below .05",
            "The direction moves this class more than chance explains.",
            "Not large: a change can be significant and far too small to matter.",
            SOURCE,
        ),
        role="mark",
        derived=significance_mark,
        needs=(CLASSES + "q",),
        description="a star where q is below .05",
    ),
    _POSITIVES,
    Column(
        "share",
        "share",
        "percent",
        explanation=Explanation(
            "images of the class on which the detector fires, over all its images",
            "How much of the class has the concept.",
            "Not of images that were not looked at.",
            SOURCE,
        ),
        role="share",
        derived=share_of_images,
        needs=(CLASSES + "positives", CLASSES + "images"),
        unit="1",
        description="share of the images of the class on which the detector fires",
    ),
    *_FLIPS,
    *(_P, *_SENSITIVITY[1:], *_CHANGE[1:], *_MARGIN[1:]),
)
