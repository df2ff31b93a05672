"""Check the null directions in words: their variances, codes and cosines, and the figures that follow from them."""

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array, principal
from sing_compute.store.checks.look import Look
from sing_compute.store.checks.poles import centred_concepts, check_mixes
from sing_compute.store.checks.sing_features import angle

_ROUNDING = 1e-6
"""Cosines are stored in float32, so they may be this much above 1."""
_GROUP = "null_words/"


def check_modes(look: Look) -> None:
    """Check that modes are those of the model's translator, and their codes."""
    base = _GROUP + "modes/"
    values, known = look.array(base + "value"), "spectrum/singular_value"
    look.check((values > 0).all() and (np.diff(values) <= 0).all(), f"{base}value: not descending, or not above 0")
    if look.has(known):
        spectrum = look.array(known)
        fits = len(values) <= len(spectrum) and np.allclose(values, spectrum[: len(values)], rtol=1e-4, atol=1e-5)
        look.check(fits, f"{base}value: not the first singular values of {known}")
    _codes(look, base, np.ones(len(values), dtype=bool))
    if look.has("translator/weight", "summary/rank"):
        weight = look.array("translator/weight")
        left, wanted, _ = np.linalg.svd(weight - principal(look, weight), full_matrices=False)
        look.equal(f"{base}value", wanted[: len(values)], "A Pi_n", relative=1e-5)
        _mixes(look, base, left.T[: len(values), None] * np.array([1.0, -1.0])[:, None], alone(wanted)[: len(values)])


def alone(values: Array) -> NDArray[np.bool_]:
    """Return True for singular values that are far enough from their neighbours that their vectors are determined."""
    gaps = np.abs(np.diff(values)) / max(float(values[0]) if len(values) else 1.0, 1e-300)
    return np.asarray(np.minimum(np.append(gaps, 1), np.insert(gaps, 0, 1)) > 1e-4)


def _mixes(look: Look, base: str, poles: Array, clear: NDArray[np.bool_]) -> None:
    """Check the mixes of both poles, whose order is that of the file or the opposite one, since the sign of a vector is free.

    Args:
        look: The model.
        base: Group of the mixes.
        poles: Both poles of each direction, (..., sign, clip).
        clear: True for directions that are determined.
    """
    concepts = centred_concepts(look, _GROUP + "words/name", _GROUP + "words/position")
    if concepts is None or not clear.any():
        return
    picks, weights, cosine = (look.array(base + name)[clear] for name in ("pick", "coefficient", "cosine"))
    poles = poles[clear]
    first = np.nan_to_num(weights[..., 0, 0, :]) * (picks[..., 0, :] >= 0)
    mix = (first[..., None] * concepts[picks[..., 0, :].clip(0)]).sum(-2)
    turned = (mix * poles[..., 0, :]).sum(-1) < 0
    poles = np.where(turned[..., None, None], poles[..., ::-1, :], poles)
    for size in range(weights.shape[-2]):
        within = np.isfinite(weights[..., size, :])
        used = np.where(within, picks, -1)
        check_mixes(look, base, used, weights[..., size, :], cosine[..., size], poles, concepts, whole=False)


def check_directions(look: Look) -> None:
    """Check the null directions of classes against the stored features of their images, and the mixes that name them."""
    base, edges = _GROUP + "classes/", np.searchsorted(look.array("features/row"), look.array("/images/offsets"))
    share = look.array(base + "share")
    whole = np.flatnonzero(np.isfinite(share).any(1))
    if not len(whole):
        return
    weight, offset = look.array("translator/weight"), look.array("translator/bias")
    chosen = whole[look.sample(len(whole), 16, "classes with null directions")]
    for label in chosen.tolist():
        value = look.rows("features/value", np.arange(edges[label], edges[label + 1])).astype(np.float64)
        mean = value.mean(0)
        parts = (value - mean) - principal(look, value - mean)
        _, sizes, rows = np.linalg.svd(parts, full_matrices=False)
        known = np.isfinite(share[label])
        number = int(known.sum())
        total = float((sizes**2).sum())
        deviation = sizes[:number] / np.sqrt(len(value))
        moved = rows[:number] @ weight.T
        centre = weight @ mean + offset
        ends = centre + np.array([1.0, -1.0])[:, None] * deviation[:, None, None] * moved[:, None]
        turns = angle(
            np.broadcast_to(centre, ends.reshape(-1, len(centre)).shape), ends.reshape(-1, len(centre))
        ).reshape(number, 2)
        stored_turns = look.array(base + "angle")[label][:number].astype(np.float64)
        swapped = np.abs(turns - stored_turns).max(1) > np.abs(turns[:, ::-1] - stored_turns).max(1)
        turns = np.where(swapped[:, None], turns[:, ::-1], turns)
        clear = alone(sizes)[:number]
        line = "features/value and the translator"
        for name, wanted, stored, room in (
            ("share", sizes[:number] ** 2 / total, share[label][:number], 1e-5),
            ("deviation", deviation, look.array(base + "deviation")[label][:number], 1e-6),
            (
                "movement",
                np.linalg.norm(moved, axis=1) * deviation,
                look.array(base + "movement")[label][:number],
                1e-6,
            ),
            ("angle", turns, stored_turns, 1e-2),
        ):
            there = clear if wanted.ndim == 1 else clear[:, None]
            look.equal(base + name, wanted, line, stored=stored, absolute=room, relative=1e-3, where=there)
        poles = np.zeros((*share.shape, 2, len(centre)))
        poles[label, :number] = moved[:, None] * np.array([1.0, -1.0])[:, None]
        some = np.zeros(share.shape, bool)
        some[label, :number] = clear & (np.linalg.norm(moved, axis=1) > 0)
        _mixes(look, base, poles, some)


def check_classes(look: Look) -> None:
    """Check that shares descend and add up to 1 at most, that only classes with images have directions, and their codes."""
    base = _GROUP + "classes/"
    share, images = look.array(base + "share"), look.array(base + "images")
    known = np.isfinite(share)
    found = share[known]
    falling = (np.diff(share, axis=1) <= 0) | ~known[:, 1:]
    look.check(
        (found > 0).all() and falling.all() and (known[:, :-1] | ~known[:, 1:]).all(),
        f"{base}share: not descending, or not above 0",
    )
    total = np.where(known, share, 0.0).sum(1)
    look.check((total <= 1 + _ROUNDING).all(), f"{base}share: the shares of a class make more than 1")
    look.check(not known[images < 3].any(), f"{base}share: a class of fewer than three images has directions")
    row = "features/row"
    if look.has(row):
        stored = np.diff(np.searchsorted(look.array(row), look.array("/images/offsets")))
        look.check(np.array_equal(stored, images), f"{base}images: not the images whose features are stored")
    for name in ("deviation", "movement", "angle"):
        cells = look.array(base + name)
        there = known if cells.ndim == 2 else known[..., None]
        defined = np.isfinite(cells)
        look.check(not (defined & ~there).any(), f"{base}{name}: known without a direction")
    _codes(look, base, known)


def _codes(look: Look, base: str, there: NDArray[np.bool_]) -> None:
    """Check picks, coefficients and cosines of poles; a direction that moves nothing in CLIP space has no name."""
    picks, weights, cosine = (look.array(base + name) for name in ("pick", "coefficient", "cosine"))
    named = picks >= 0
    whole: NDArray[np.bool_] = np.asarray(named.all(-1))
    look.check(
        (named == whole[..., None]).all() and not (whole & ~there[..., None]).any(),
        f"{base}pick: names of other poles than those of directions",
    )
    ordered = np.sort(picks, axis=-1)
    look.check(
        not ((np.diff(ordered, axis=-1) == 0) & whole[..., None]).any(), f"{base}pick: a pole has a concept twice"
    )
    sizes = look.array(_GROUP + "sizes/concepts")
    ascending = len(sizes) and sizes[0] >= 1 and (np.diff(sizes) > 0).all() and sizes[-1] == picks.shape[-1]
    look.check(ascending, f"{_GROUP}sizes/concepts: not ascending up to the number of picks")
    within = (np.arange(picks.shape[-1]) < sizes[:, None]) & whole[..., None, None]
    known = ~np.isnan(weights)
    look.check((known == within).all(), f"{base}coefficient: known for other picks than the first K")
    look.check(not (np.isfinite(cosine) & ~whole[..., None]).any(), f"{base}cosine: known for a pole without a name")


def check_words(look: Look) -> None:
    """Check that the figures of the words follow from the poles."""
    base = _GROUP
    uses = look.array(base + "words/uses")
    found, most = np.zeros(len(uses), np.int64), np.zeros(len(uses))
    for group in ("modes", "classes"):
        picks = look.array(f"{base}{group}/pick")
        weights = look.array(f"{base}{group}/coefficient")[..., 0, :]
        used = (picks >= 0) & (picks < len(uses)) & (weights > 0)
        found += np.bincount(picks[used], minlength=len(uses))
        np.maximum.at(most, picks[used], weights[used])
    look.check(np.array_equal(found, uses), f"{base}words/uses: do not match the poles")
    look.equal(f"{base}words/largest", most, "the poles")
    position, counts = (
        look.array(base + "words/position"),
        {n: look.number(f"{base}summary/{n}") for n in ("pool", "distinct")},
    )
    look.check(
        (np.diff(position) > 0).all() and position.min(initial=0) >= 0 and position.max(initial=-1) < counts["pool"],
        f"{base}words/position: not ascending positions in the pool",
    )
    group = base.rstrip("/")
    stated = look.fact("pool_count", None, group=group), look.fact("pool_same_direction", None, group=group)
    look.check(
        stated[0] == counts["pool"],
        f"{base}summary/pool: {counts['pool']:g}, the attribute pool_count says {stated[0]}",
    )
    distinct = counts["pool"] - (stated[1] if isinstance(stated[1], int) else np.nan)
    look.check(
        distinct == counts["distinct"], f"{base}summary/distinct: not pool less pool_same_direction ({stated[1]})"
    )
    named = np.array([bool(text) for text in look.texts(base + "words/place")])
    look.check((named == (found > 0)).all(), f"{base}words/place: known for other words than those that are used")
