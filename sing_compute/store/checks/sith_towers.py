"""Check the towers of a file: singular values, codes, cosines, and the figures that follow from them."""

from typing import TYPE_CHECKING

import numpy as np

from sing_compute.store.checks.sith_causes import check_causes
from sing_compute.store.checks.tolerances import Check
from sing_compute.store.derived.word_mixes import mean_of_known, unused_share
from sing_compute.store.read import Store

if TYPE_CHECKING:
    from sing_compute.store.verify import Checker

_ROUNDING = 1e-6
"""Cosines are stored in float32, so they may be this much above 1."""


def check_towers(checker: "Checker", store: Store) -> None:
    """Check each tower."""
    for tower in store.members("tower"):
        base = f"towers/{tower}/"
        checker.attempt(base, lambda base=base: _vectors(checker.check, store, base))  # type: ignore[misc]
        checker.attempt(base, lambda base=base: _figures(checker.check, store, base))  # type: ignore[misc]
        checker.attempt(base, lambda base=base: check_causes(checker.check, store, base))  # type: ignore[misc]


def _vectors(check: Check, store: Store, base: str) -> None:
    """Check that values fall, that coefficients are not negative, and that exactly the vectors above rounding have names."""
    value, rank = store.array(base + "vectors/value"), store.array(base + "vectors/rank")
    falling = (value >= 0).all() and (np.diff(value, axis=2) <= 0).all()
    check(falling and np.isfinite(value).all(), f"{base}vectors/value: not descending, or negative")
    check((rank >= 0).all() and (rank <= value.shape[2]).all(), f"{base}vectors/rank: outside the vectors")
    picks, coefficients = store.array(base + "vectors/pick"), store.array(base + "vectors/coefficient")
    named = np.arange(value.shape[2]) < rank[:, :, None]
    sides = (picks >= 0).any((0, 1, 2, 4))  # names of the positive pole alone can be taken over
    check(sides.any() or not named.any(), f"{base}vectors/pick: no vector has a name")
    there = (named[..., None] & sides)[..., None]
    check(((picks >= 0) == there).all(), f"{base}vectors/pick: other vectors have names than those above rounding")
    ordered = np.sort(picks, axis=-1)
    twice = ((np.diff(ordered, axis=-1) == 0) & there).any()
    check(not twice, f"{base}vectors/pick: a pole has a concept twice")
    sizes = store.array(base + "sizes/concepts")
    ascending = len(sizes) and sizes[0] >= 1 and (np.diff(sizes) > 0).all() and sizes[-1] == picks.shape[-1]
    check(ascending, f"{base}sizes/concepts: not ascending up to the number of picks")
    within = (np.arange(picks.shape[-1]) < sizes[:, None]) & there[..., None]
    known = ~np.isnan(coefficients)
    check((known == within).all(), f"{base}vectors/coefficient: known for other picks than the first K")
    good = np.isfinite(coefficients[known]) & (coefficients[known] >= 0)
    check(good.all(), f"{base}vectors/coefficient: negative or infinite")
    for name in ("cosine", "fidelity", "ceiling", "coherence"):
        cells = store.array(f"{base}vectors/{name}")
        outside = (np.abs(cells) > 1 + _ROUNDING).any()
        check(not outside, f"{base}vectors/{name}: outside -1 to 1")
        wanted = np.broadcast_to(there.reshape(*there.shape[:4], *[1] * (cells.ndim - 4)), cells.shape)
        if name != "coherence":  # which a mix of one concept does not have
            check(
                (np.isfinite(cells) == wanted).all(), f"{base}vectors/{name}: known for other vectors than named ones"
            )
    number, blocks = store.array(base + "layers/number"), store.scalars(f"{base}summary")["blocks"]
    check(
        (np.diff(number) > 0).all() and number.min(initial=0) >= 0 and number.max(initial=0) < blocks,
        f"{base}layers/number: not ascending layers of the tower",
    )


def _figures(check: Check, store: Store, base: str) -> None:
    """Check that the figures of the tower and of its words follow from its vectors."""
    summary = store.scalars(f"{base}summary")
    length = float(np.linalg.norm(store.array(base + "image/mean")))
    check(
        np.isfinite(length) and abs(length - summary["mean_length"]) <= _ROUNDING and length <= 1 + _ROUNDING,
        f"{base}summary/mean_length: {summary['mean_length']:.6g}, the mean says {length:.6g}",
    )
    picks, coefficients = store.array(base + "vectors/pick"), store.array(base + "vectors/coefficient")[..., 0, :]
    found = {name: store.array(f"{base}vectors/{name}") for name in ("cosine", "fidelity", "coherence")}
    figures = {name: float(mean_of_known(cells[..., 0][None])[0]) for name, cells in found.items()}
    figures["ceiling"] = float(mean_of_known(store.array(base + "vectors/ceiling")[None])[0])
    figures["unused"] = float(unused_share(picks[None], coefficients[None])[0])
    for name, value in figures.items():
        check(
            np.isclose(value, summary[name], rtol=0, atol=_ROUNDING, equal_nan=True),
            f"{base}summary/{name}: {summary[name]:.6g}, its vectors say {value:.6g}",
        )
    uses = store.array(base + "words/uses")
    used = picks[(picks >= 0) & (picks < len(uses)) & (coefficients > 0)]
    check(np.array_equal(np.bincount(used, minlength=len(uses)), uses), f"{base}words/uses: do not match the vectors")
    if base + "uses/runs" in store:
        _uses(check, store, base)
    method, size = store.array(base + "methods/cosine").shape[1:]
    names = [str(name) for name in store.array(base + "methods/name")]
    check(method == len(set(names)) and size, f"{base}methods/name: not unique")


def _uses(check: Check, store: Store, base: str) -> None:
    """Check that the uses of words are those of the vectors, each once."""
    fields = ("layer", "head", "vector", "coefficient", "value", "cosine")
    number, head, vector, weight, value, cosine = (store.array(f"{base}uses/{field}") for field in fields)
    runs, pole = store.array(base + "uses/runs"), store.array(base + "uses/pole")
    numbers = store.array(base + "layers/number").tolist()
    picks, coefficients = store.array(base + "vectors/pick"), store.array(base + "vectors/coefficient")[..., 0, :]
    sign = [{"positive": 0, "negative": 1}.get(str(each), 2) for each in pole]
    word = np.repeat(np.arange(len(runs) - 1), np.diff(runs))
    found = [tuple(row) for row in zip(word, number, head, vector, sign, weight, value, cosine, strict=True)]
    kept, singular = store.array(base + "vectors/cosine"), store.array(base + "vectors/value")
    wanted = [
        (picks[at], numbers[at[0]], *at[1:4], coefficients[at], singular[at[:3]], kept[(*at[:4], 0)])
        for at in map(tuple, np.argwhere((picks >= 0) & (coefficients > 0)))
    ]
    check(sorted(found) == sorted(wanted), f"{base}uses: do not match the vectors")
