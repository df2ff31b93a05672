"""Check replicates by drawing the same resamples again: of images, and of classes with all their images."""

import numpy as np

from sing_compute.store.checks.look import Look
from sing_compute.store.checks.sing_images import LARGEST_SPREAD, MEDIANS
from sing_compute.store.constants import CHOSEN
from sing_compute.store.derived.resamples import weight_chunks, weighted_medians

_MANY = 200_000
"""Images of which the resamples of all figures are quickly computed."""
_CELLS = 2**22
"""Images times replicates that are quickly computed with, for each figure."""


def check_replicates(look: Look) -> None:
    """Check the replicates at the chosen penalty."""
    labels, figures = look.array("/images/class"), look.texts("bootstrap/figure")
    images, filled = len(labels), np.flatnonzero(np.diff(look.array("/images/offsets")))
    if images <= LARGEST_SPREAD:
        _check(look, "images", figures, images, np.arange(images))
    else:
        look.given("resamples of more than 20,000 images are scaled: replicates over images are taken as given")
    if len(filled) > 1:
        _check(look, "classes", figures, len(filled), np.searchsorted(filled, labels))


def _check(look: Look, over: str, figures: list[str], units: int, owners: np.ndarray) -> None:
    stored = look.array(f"bootstrap/{over}")
    stored = stored[CHOSEN] if over == "images" else stored
    count = stored.shape[-1]
    chosen = look.sample(count, max(3, _CELLS // max(len(owners), 1)), f"resamples of {over}")
    parts = [range(count)] if len(chosen) == count else [range(k, k + 1) for k in chosen.tolist()]
    weights = np.concatenate([chunk for part in parts for chunk in weight_chunks(units, part)])
    few = len(figures) if len(owners) <= _MANY else 1
    drawn = [figures[k] for k in look.sample(len(figures), few, f"figures in resamples of {over}").tolist()]
    for row, figure in enumerate(figures):
        if figure not in drawn and figure != "ratio_classes":
            continue
        if figure == "ratio_classes" and over == "classes":
            ratio = look.array("classes/ratio")[0]
            wanted = weighted_medians(ratio[np.unique(look.array("/images/class"))], weights)
        elif figure in MEDIANS:
            values = look.array(f"images/{MEDIANS[figure]}")
            values = np.abs(values) if figure.endswith("_abs") else values
            wanted = weighted_medians(values, weights, owners)
        else:
            continue
        source = f"the resamples of {over} ({figure})"
        look.equal(f"bootstrap/{over}", wanted, source, stored=stored[row][chosen], absolute=1e-5)
