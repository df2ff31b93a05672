"""Check the towers of a file: singular values, codes, cosines, and the figures that follow from them."""

import numpy as np

from sing_compute.store.checks.look import Look
from sing_compute.store.derived.word_mixes import mean_of_known, unused_share

_ROUNDING = 1e-6
"""Cosines are stored in float32, so they may be this much above 1."""


def check_vectors(look: Look) -> None:
    """Check that values fall, that coefficients are not negative, and that exactly the vectors above rounding have names."""
    value, rank = look.array("vectors/value"), look.array("vectors/rank")
    falling = (value >= 0).all() and (np.diff(value, axis=2) <= 0).all()
    look.check(falling and np.isfinite(value).all(), "vectors/value: not descending, or negative")
    look.check((rank >= 0).all() and (rank <= value.shape[2]).all(), "vectors/rank: outside the vectors")
    picks, coefficients = look.array("vectors/pick"), look.array("vectors/coefficient")
    named = np.arange(value.shape[2]) < rank[:, :, None]
    sides = (picks >= 0).any((0, 1, 2, 4))  # names of the positive pole alone can be taken over
    look.check(sides.any() or not named.any(), "vectors/pick: no vector has a name")
    there = (named[..., None] & sides)[..., None]
    look.check(((picks >= 0) == there).all(), "vectors/pick: other vectors have names than those above rounding")
    ordered = np.sort(picks, axis=-1)
    twice = ((np.diff(ordered, axis=-1) == 0) & there).any()
    look.check(not twice, "vectors/pick: a pole has a concept twice")
    sizes = look.array("sizes/concepts")
    ascending = len(sizes) and sizes[0] >= 1 and (np.diff(sizes) > 0).all() and sizes[-1] == picks.shape[-1]
    look.check(ascending, "sizes/concepts: not ascending up to the number of picks")
    within = (np.arange(picks.shape[-1]) < sizes[:, None]) & there[..., None]
    known = ~np.isnan(coefficients)
    look.check((known == within).all(), "vectors/coefficient: known for other picks than the first K")
    good = np.isfinite(coefficients[known]) & (coefficients[known] >= 0)
    look.check(good.all(), "vectors/coefficient: negative or infinite")
    for name in ("cosine", "fidelity", "ceiling", "coherence"):
        cells = look.array(f"vectors/{name}")
        outside = (np.abs(cells) > 1 + _ROUNDING).any()
        look.check(not outside, f"vectors/{name}: outside -1 to 1")
        wanted = np.broadcast_to(there.reshape(*there.shape[:4], *[1] * (cells.ndim - 4)), cells.shape)
        if name != "coherence":  # which a mix of one concept does not have
            look.check((np.isfinite(cells) == wanted).all(), f"vectors/{name}: known for other vectors than named ones")
    number, blocks = look.array("layers/number"), look.number("summary/blocks")
    look.check(
        (np.diff(number) > 0).all() and number.min(initial=0) >= 0 and number.max(initial=0) < blocks,
        "layers/number: not ascending layers of the tower",
    )


def check_figures(look: Look) -> None:
    """Check that the figures of the tower and of its words follow from its vectors."""
    names = ("mean_length", "cosine", "fidelity", "coherence", "ceiling", "unused")
    summary = {name: look.number(f"summary/{name}") for name in names}
    length = float(np.linalg.norm(look.array("image/mean")))
    look.check(
        np.isfinite(length) and abs(length - summary["mean_length"]) <= _ROUNDING and length <= 1 + _ROUNDING,
        f"summary/mean_length: {summary['mean_length']:.6g}, the mean says {length:.6g}",
    )
    picks, coefficients = look.array("vectors/pick"), look.array("vectors/coefficient")[..., 0, :]
    found = {name: look.array(f"vectors/{name}") for name in ("cosine", "fidelity", "coherence")}
    figures = {name: float(mean_of_known(cells[..., 0][None])[0]) for name, cells in found.items()}
    figures["ceiling"] = float(mean_of_known(look.array("vectors/ceiling")[None])[0])
    figures["unused"] = float(unused_share(picks[None], coefficients[None])[0])
    for name, value in figures.items():
        look.check(
            np.isclose(value, summary[name], rtol=0, atol=_ROUNDING, equal_nan=True),
            f"summary/{name}: {summary[name]:.6g}, its vectors say {value:.6g}",
        )
    uses = look.array("words/uses")
    chosen = (picks >= 0) & (picks < len(uses)) & (coefficients > 0)
    used = np.bincount(picks[chosen], minlength=len(uses))
    look.equal("words/uses", used, "the vectors", absolute=0, relative=0)
    most = np.zeros(len(uses))
    np.maximum.at(most, picks[chosen], coefficients[chosen])
    look.equal("words/largest", most, "the vectors")
    named = np.array([bool(text) for text in look.texts("words/place")])
    look.check((named == (used > 0)).all(), "words/place: known for other words than those that are used")
    vectors = int((look.array("vectors/rank")).sum())
    look.equal("summary/vectors", vectors, "vectors/rank", absolute=0, relative=0)
    pool, distinct, same = (
        look.number("summary/pool"),
        look.number("summary/distinct"),
        look.fact("pool_same_direction", None),
    )
    look.check(
        look.fact("pool_count", None) == pool, f"summary/pool: {pool:g}, the attribute pool_count says otherwise"
    )
    fits = distinct == pool - same if isinstance(same, int) else distinct <= pool
    look.check(fits, f"summary/distinct: not pool less pool_same_direction ({same})")
    position = look.array("words/position")
    ordered = (np.diff(position) > 0).all() and position.max(initial=-1) < pool
    look.check(ordered, "words/position: not ascending positions in the pool")


def check_methods(look: Look) -> None:
    """Check the figures of layers for the method that names vectors: they are the means over its vectors."""
    names = look.texts("methods/name")
    if "comp" not in names:
        return
    row = names.index("comp")
    for name in ("cosine", "fidelity", "coherence"):
        cells = look.wide(f"vectors/{name}")
        wanted = np.stack([mean_of_known(cells[..., size]) for size in range(cells.shape[-1])], axis=-1)
        look.equal(f"methods/{name}", wanted, f"vectors/{name}", stored=look.array(f"methods/{name}")[:, row])
    picks, weights = look.array("vectors/pick"), look.array("vectors/coefficient")
    shares = [unused_share(picks, weights[..., size, :]) for size in range(weights.shape[-2])]
    look.equal("methods/unused", np.stack(shares, axis=-1), "the vectors", stored=look.array("methods/unused")[:, row])


def check_uses(look: Look) -> None:
    """Check that the uses of words are those of the vectors, each once."""
    fields = ("layer", "head", "vector", "coefficient", "value", "cosine")
    number, head, vector, weight, value, cosine = (look.array(f"uses/{field}") for field in fields)
    runs, pole = look.array("uses/runs"), look.array("uses/pole")
    numbers = look.array("layers/number").tolist()
    picks, coefficients = look.array("vectors/pick"), look.array("vectors/coefficient")[..., 0, :]
    sign = [{"positive": 0, "negative": 1}.get(str(each), 2) for each in pole]
    word = np.repeat(np.arange(len(runs) - 1), np.diff(runs))
    found = [tuple(row) for row in zip(word, number, head, vector, sign, weight, value, cosine, strict=True)]
    kept, singular = look.array("vectors/cosine"), look.array("vectors/value")
    wanted = [
        (picks[at], numbers[at[0]], *at[1:4], coefficients[at], singular[at[:3]], kept[(*at[:4], 0)])
        for at in map(tuple, np.argwhere((picks >= 0) & (coefficients > 0)))
    ]
    look.check(sorted(found) == sorted(wanted), "uses: do not match the vectors")
