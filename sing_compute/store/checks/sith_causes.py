"""Check what `heads check` has stored of a tower: effects, amounts, and the agreement that follows from them."""

import numpy as np

from sing_compute.store.checks.look import Look
from sing_compute.store.derived.name_causes import SETS, layer_agreement

_PARTS = (
    "attributes/name",
    "attributes/truth",
    "attributes/spread",
    "texts/name",
    "texts/attribute",
    "words/attribute",
    "words/rule",
    "images/key",
    "vectors/effect",
    "vectors/amount",
    "vectors/nearest",
    "vectors/farthest",
    "random/effect",
    "random/amount",
    "agreement/name",
    "agreement/count",
    "agreement/agreement",
    "agreement/chance",
    "agreement/p",
)
"""Datasets of a complete check, below `causes/`."""
_MEASURED = ("effect", "amount")


def check_causes(look: Look) -> None:
    """Check the causes of one tower."""
    causes = "causes/"
    parts = [path for path in _PARTS if look.has(causes + path)]
    missing = [path for path in _PARTS if path not in parts]
    look.check(not missing, f"{causes}{missing[0] if missing else ''}: missing, and the rest of a check is there")
    if missing:
        return
    effect, amount = (look.array(f"{causes}vectors/{name}") for name in _MEASURED)
    random, random_amount = (look.array(f"{causes}random/{name}") for name in _MEASURED)
    tried = np.isfinite(amount)
    named = np.arange(amount.shape[2]) < look.array("vectors/rank")[:, :, None]
    look.check(not (tried & ~named).any(), f"{causes}vectors/amount: known for vectors without names")
    look.check(
        (np.isfinite(effect) == tried[..., None]).all(), f"{causes}vectors/effect: known for other vectors than amounts"
    )
    drawn = np.isfinite(random_amount)
    look.check(
        (np.isfinite(random) == drawn[..., None]).all(), f"{causes}random/effect: known for other draws than amounts"
    )
    look.check((drawn.any(2) == tried.any(2)).all(), f"{causes}random/amount: known for other heads than vectors")
    for path, cells in (("vectors", effect), ("vectors", amount), ("random", random), ("random", random_amount)):
        good = (cells >= 0) | np.isnan(cells)
        look.check(good.all(), f"{causes}{path}: an effect or an amount is negative")
    spread = look.array(causes + "attributes/spread")
    look.check((np.isfinite(spread) & (spread > 0)).all(), f"{causes}attributes/spread: not above 0")
    owners = look.array(causes + "texts/attribute")
    texts = np.bincount(owners[owners >= 0], minlength=len(spread))
    look.check(
        (owners >= 0).all() and (texts > 1).all(), f"{causes}texts/attribute: an attribute with fewer than two texts"
    )
    words = look.array(causes + "words/attribute")
    look.check((words >= 0).all(), f"{causes}words/attribute: a concept without attribute")
    for name in ("nearest", "farthest"):
        images = look.array(f"{causes}vectors/{name}")
        look.check(
            ((images[..., 0] >= 0) == tried).all(), f"{causes}vectors/{name}: known for other vectors than amounts"
        )
    titles = [str(title) for title in look.array(causes + "agreement/name")]
    look.check(titles == list(SETS), f"{causes}agreement/name: other sets of vectors")
    picks, coefficients = look.array("vectors/pick"), look.array("vectors/coefficient")
    found = layer_agreement(picks, coefficients, words, effect, amount, random, random_amount)
    for name, cells in found.items():
        stored = look.array(f"{causes}agreement/{name}")
        same = stored.shape == cells.shape and np.allclose(stored, cells, rtol=0, atol=1e-9, equal_nan=True)
        look.check(same, f"{causes}agreement/{name}: its vectors say otherwise")
