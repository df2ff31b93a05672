"""Check the null directions in words: their variances, codes and cosines, and the figures that follow from them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.tolerances import Check, same
from sing_compute.store.read import Store

if TYPE_CHECKING:
    from sing_compute.store.verify import Checker

_ROUNDING = 1e-6
"""Cosines are stored in float32, so they may be this much above 1."""
_GROUP = "models/{}/null_words/"


def check_null_words(checker: "Checker", store: Store) -> None:
    """Check the null directions of each model that has some."""
    for model in store.models:
        base = _GROUP.format(model)
        if f"{base}modes/value" in store:
            checker.attempt(base, lambda model=model: _modes(checker.check, store, model))  # type: ignore[misc]
            checker.attempt(base, lambda model=model: _classes(checker.check, store, model))  # type: ignore[misc]
            checker.attempt(base, lambda base=base: _words(checker.check, store, base))  # type: ignore[misc]


def _modes(check: Check, store: Store, model: str) -> None:
    """Check that modes are those of the model's translator, and their codes."""
    base = _GROUP.format(model) + "modes/"
    values, known = store.array(base + "value"), f"models/{model}/spectrum/singular_value"
    check((values > 0).all() and (np.diff(values) <= 0).all(), f"{base}value: not descending, or not above 0")
    if known in store:
        spectrum = store.array(known)
        fits = len(values) <= len(spectrum) and same(values, spectrum[: len(values)])
        check(fits, f"{base}value: not the first singular values of {known}")
    _codes(check, store, _GROUP.format(model), base, np.ones(len(values), dtype=bool))


def _classes(check: Check, store: Store, model: str) -> None:
    """Check that shares descend and add up to 1 at most, that only classes with images have directions, and their codes."""
    group = _GROUP.format(model)
    base = group + "classes/"
    share, images = store.array(base + "share"), store.array(base + "images")
    known = np.isfinite(share)
    found = share[known]
    falling = (np.diff(share, axis=1) <= 0) | ~known[:, 1:]
    check(
        (found > 0).all() and falling.all() and (known[:, :-1] | ~known[:, 1:]).all(),
        f"{base}share: not descending, or not above 0",
    )
    total = np.where(known, share, 0.0).sum(1)
    check((total <= 1 + _ROUNDING).all(), f"{base}share: the shares of a class make more than 1")
    check(not known[images < 3].any(), f"{base}share: a class of fewer than three images has directions")
    row = f"models/{model}/features/row"
    if row in store:
        stored = np.diff(np.searchsorted(store.array(row), store.offsets))
        check(np.array_equal(stored, images), f"{base}images: not the images whose features are stored")
    for name, least, most in (("deviation", 0.0, np.inf), ("movement", 0.0, np.inf), ("angle", 0.0, 180 + _ROUNDING)):
        cells = store.array(base + name)
        check(not ((cells < least) | (cells > most)).any(), f"{base}{name}: outside its range")
        there = known if cells.ndim == 2 else known[..., None]
        defined = np.isfinite(cells)
        check(not (defined & ~there).any(), f"{base}{name}: known without a direction")
    _codes(check, store, group, base, known)


def _codes(check: Check, store: Store, group: str, base: str, there: NDArray[np.bool_]) -> None:
    """Check picks, coefficients and cosines of poles; a direction that moves nothing in CLIP space has no name."""
    picks, weights, cosine = (store.array(base + name) for name in ("pick", "coefficient", "cosine"))
    named = picks >= 0
    whole: NDArray[np.bool_] = np.asarray(named.all(-1))
    check(
        (named == whole[..., None]).all() and not (whole & ~there[..., None]).any(),
        f"{base}pick: names of other poles than those of directions",
    )
    ordered = np.sort(picks, axis=-1)
    check(not ((np.diff(ordered, axis=-1) == 0) & whole[..., None]).any(), f"{base}pick: a pole has a concept twice")
    sizes = store.array(group + "sizes/concepts")
    ascending = len(sizes) and sizes[0] >= 1 and (np.diff(sizes) > 0).all() and sizes[-1] == picks.shape[-1]
    check(ascending, f"{group}sizes/concepts: not ascending up to the number of picks")
    within = (np.arange(picks.shape[-1]) < sizes[:, None]) & whole[..., None, None]
    known = ~np.isnan(weights)
    check((known == within).all(), f"{base}coefficient: known for other picks than the first K")
    good = np.isfinite(weights[known]) & (weights[known] >= 0)
    check(good.all(), f"{base}coefficient: negative or infinite")
    check(not (np.abs(cosine) > 1 + _ROUNDING).any(), f"{base}cosine: outside -1 to 1")
    check(not (np.isfinite(cosine) & ~whole[..., None]).any(), f"{base}cosine: known for a pole without a name")


def _words(check: Check, store: Store, base: str) -> None:
    """Check that the figures of the words follow from the poles."""
    uses, largest = store.array(base + "words/uses"), store.array(base + "words/largest")
    found, most = np.zeros(len(uses), np.int64), np.zeros(len(uses))
    for group in ("modes", "classes"):
        picks = store.array(f"{base}{group}/pick")
        weights = store.array(f"{base}{group}/coefficient")[..., 0, :]
        used = (picks >= 0) & (picks < len(uses)) & (weights > 0)
        found += np.bincount(picks[used], minlength=len(uses))
        np.maximum.at(most, picks[used], weights[used])
    check(np.array_equal(found, uses), f"{base}words/uses: do not match the poles")
    check(same(most, largest), f"{base}words/largest: do not match the poles")
    position, counts = store.array(base + "words/position"), store.scalars(f"{base}summary")
    check(
        (np.diff(position) > 0).all() and position.min(initial=0) >= 0 and position.max(initial=-1) < counts["pool"],
        f"{base}words/position: not ascending positions in the pool",
    )
    check(0 < counts["distinct"] <= counts["pool"], f"{base}summary/distinct: more concepts than there are")
