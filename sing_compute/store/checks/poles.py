"""Check mixes of concepts that name a vector: cosines and coefficients against the concepts' embeddings in the file."""

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array
from sing_compute.store.checks.look import Look

_POOL = "the words were not chosen from the concepts of the file: their embeddings are not kept, so names are checked in part"


def centred_concepts(look: Look, names: str, positions: str) -> Array | None:
    """Return the embeddings of the words of names, minus the mean of the pool, of length 1; None if the file has them not.

    Args:
        look: The model.
        names: The dataset with the words.
        positions: Their positions in the pool.
    """
    words, places = look.texts(names), look.array(positions)
    ascending = (np.diff(places) > 0).all()
    look.check(ascending, f"{positions}: not ascending positions in the pool")
    if not look.has("/clip/concept_embeddings") or (len(places) and places.max() >= len(look.array("/concepts/name"))):
        look.given(_POOL)
        return None
    known = look.array("/concepts/name")
    if [str(known[k]) for k in places.tolist()] != words:
        common = sum(word in set(known.tolist()) for word in words)
        look.check(common < len(words), f"{names}: not the concepts at their positions")
        look.given(_POOL)
        return None
    texts = look.wide("/clip/concept_embeddings")
    texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    centred = texts - texts.mean(0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)[places])


def check_mixes(
    look: Look,
    base: str,
    picks: NDArray[np.integer],
    coefficients: NDArray[np.floating],
    cosine: NDArray[np.floating],
    poles: Array,
    concepts: Array,
    *,
    whole: bool = True,
) -> None:
    """Check that cosines are those of mix and pole, and that coefficients are the best ones of at least 0.

    Args:
        look: The model.
        base: Beginning of the datasets' names.
        picks: Words of each mix, (..., pick); -1 for none.
        coefficients: Their coefficients, (..., pick); NaN counts as 0.
        cosine: Cosine of each mix and its pole, (...).
        poles: The vectors that are named, (..., clip), of any length.
        concepts: Embeddings of the words.
        whole: True if these are all cosines of their dataset.
    """
    atoms = np.where((picks >= 0)[..., None], concepts[picks.clip(0)], 0.0)
    weights = np.nan_to_num(np.where(picks >= 0, coefficients, 0.0)).astype(np.float64)
    mixes = (weights[..., None] * atoms).sum(-2)
    named = (picks >= 0).any(-1) & np.isfinite(cosine)
    lengths = np.linalg.norm(poles, axis=-1)
    units = np.divide(poles, lengths[..., None], out=np.zeros_like(poles), where=lengths[..., None] > 0)
    size = np.linalg.norm(mixes, axis=-1)
    found = np.divide((mixes * units).sum(-1), size, out=np.zeros(size.shape), where=size > 0)
    stored = None if whole else cosine
    look.equal(f"{base}cosine", found, "mix and pole", stored=stored, absolute=1e-5, where=named)
    slope = (atoms * (units - mixes)[..., None, :]).sum(-1)
    active = (picks >= 0) & (weights > 0) & named[..., None]
    steep = (np.abs(slope) > 2e-4) & active
    idle = (slope > 2e-4) & (picks >= 0) & (weights == 0) & named[..., None] & np.isfinite(coefficients)
    look.check(
        not steep.any(), f"{base}coefficient: not the best mix of its concepts for {int(steep.any(-1).sum()):,} names"
    )
    look.check(
        not idle.any(),
        f"{base}coefficient: 0 for a concept that would improve the mix, in {int(idle.any(-1).sum()):,} names",
    )
