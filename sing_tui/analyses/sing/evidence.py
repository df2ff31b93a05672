"""Evidence about a model's scores, as facts: controls, order among the models, significance, probe, spectrum, translators."""

import numpy as np
from numpy.typing import NDArray

from sing_compute.formats import Glyphs, named_format
from sing_compute.store import Store
from sing_compute.store.constants import PENALTIES
from sing_compute.store.derived.model_order import model_order
from sing_tui.details import Fact

_MODES = 3
"""Null directions that are named."""
_NAMED = 2
"""Concepts at each end of one."""


def evidence(store: Store, model: str, figures: dict[str, float | int], glyphs: Glyphs) -> list[Fact]:
    """List all evidence about a model that the file holds.

    Args:
        store: The results file.
        model: Name of the model.
        figures: Its summary figures by name.
        glyphs: The signs of the screen.

    Returns:
        Facts, the order of the models first.

    Raises:
        StoreError: A part of it is damaged.
    """
    return [
        *_order(store, model, glyphs),
        *_significant(store, model, figures),
        *_controls(store, model),
        *_same_length(store, model),
        *_probe(figures),
        *_accuracies(store),
        *_spectrum(store, model, figures),
        *_variants(store, model),
        *_translators(store, model),
    ]


def _has(store: Store, base: str, *names: str) -> bool:
    return all(base + name in store for name in names)


def _order(store: Store, model: str, glyphs: Glyphs) -> list[Fact]:
    """Say the model's place by IS/|AS| and how certain it is against both neighbours, at each penalty."""
    found = model_order(store)
    if found is None or model not in found.models or len(found.models) < 2:
        return []
    own, names, facts = found.models.index(model), found.models, []
    write = named_format("any size", glyphs).write
    for position, scale in enumerate(PENALTIES):
        values, above = found.values[position], found.above[position]
        order = [int(k) for k in np.argsort(-values, kind="stable") if np.isfinite(values[k])]
        if own not in order:
            continue
        place = order.index(own)
        parts = [write(float(values[own])), f"{place + 1} of {len(order)}"]
        if place:
            parts.append(f"{above[order[place - 1], own]:.0%} below {names[order[place - 1]]}")
        if place + 1 < len(order):
            parts.append(f"{above[own, order[place + 1]]:.0%} above {names[order[place + 1]]}")
        at = "lambda" if scale == 1 else f"{scale:g} lambda"
        facts.append((f"IS/|AS| at {at}", ", ".join(parts)))
    return facts


def _significant(store: Store, model: str, figures: dict[str, float | int]) -> list[Fact]:
    path = f"models/{model}/concepts/q"
    if "significant" not in figures or path not in store:
        return []
    pairs = int(np.count_nonzero(np.diff(store.offsets))) * store.dataset(path).shape[1]
    return [("beyond chance", f"{figures['significant']:,} of {pairs:,} class x concept pairs (q < .05)")]


def _controls(store: Store, model: str) -> list[Fact]:
    """Say what happens when something else is removed."""
    base = f"models/{model}/controls/"
    parts = ("attribute_score_abs", "image_score", "removed", "flips")
    if not _has(store, base, "name", *parts):
        return []
    columns = [store.array(base + part).tolist() for part in parts]
    return [
        (f"removed: {name}", f"|AS| {score:.2f} IS {shift:.2f} norm {norm:.2f} flips {flips:.1%}")
        for name, score, shift, norm, flips in zip(store.array(base + "name"), *columns, strict=True)
    ]


def _same_length(store: Store, model: str) -> list[Fact]:
    """Say what perturbations as long as each image's null part do (SING, Fig. 9)."""
    base = f"models/{model}/controls/"
    if not _has(store, base, "perturbation", "length", "logit_change", "perturbation_flips"):
        return []
    lengths = store.array(base + "length")
    if not len(lengths) or not np.isfinite(lengths).any():
        return []
    own = int(np.nanargmin(np.abs(lengths - 1)))
    change, flips = (store.array(base + name)[:, own].tolist() for name in ("logit_change", "perturbation_flips"))
    return [
        (f"logits, {name} step", f"move {moved:.2g} of the spread, flips {flipped:.1%}")
        for name, moved, flipped in zip(store.array(base + "perturbation"), change, flips, strict=True)
    ]


def _probe(figures: dict[str, float | int]) -> list[Fact]:
    names = ("probe_null", "probe_principal", "probe_chance")
    if not figures.keys() >= set(names):
        return []
    null, principal, chance = (figures[name] for name in names)
    return [("labels without CLIP", f"null {null:.1%}, principal {principal:.1%}, chance {chance:.1%}")]


def _accuracies(store: Store) -> list[Fact]:
    path = "comparison/accuracy_correlation"
    if path not in store:
        return []
    return [("accuracy and T(f~)", f"correlation {float(store.array(path)):+.3f} over the models of this file")]


def _spectrum(store: Store, model: str, figures: dict[str, float | int]) -> list[Fact]:
    """Name the null directions that move CLIP space most, with the concepts at both ends."""
    facts = []
    if {"null_share", "null_share_data"} <= figures.keys():
        facts.append(("null share of T", f"{figures['null_share']:.3f}, by data {figures['null_share_data']:.3f}"))
    base = f"models/{model}/spectrum/"
    if not _has(store, base, "singular_value", "toward", "away"):
        return facts
    values = store.dataset(base + "singular_value")[:_MODES]
    ends = [store.dataset(base + name)[:_MODES, :_NAMED] for name in ("toward", "away")]
    for mode, value in enumerate(values.tolist()):
        toward, away = (_named(store, end[mode]) for end in ends)
        facts.append((f"null direction {mode + 1}", f"{value:.3g}: to {toward}; from {away}"))
    return facts


def _named(store: Store, codes: NDArray[np.int32]) -> str:
    names = store.concept_names
    return ", ".join(str(names[k]) for k in codes.tolist() if 0 <= k < len(names)) or "-"


def _variants(store: Store, model: str) -> list[Fact]:
    base = f"models/{model}/variants/"
    if not _has(store, base, "name", "nullity", "flips"):
        return []
    columns = (store.array(base + part).tolist() for part in ("name", "nullity", "flips"))
    return [(f"by {name}", f"nullity {size}, flips {flips:.1%}") for name, size, flips in zip(*columns, strict=True)]


def _translators(store: Store, model: str) -> list[Fact]:
    base = f"models/{model}/translators/"
    if not _has(store, base, "kind", "cosine"):
        return []
    columns = (store.array(base + part).tolist() for part in ("kind", "cosine"))
    return [(f"translator {kind}", f"cosine {cosine:.4f}") for kind, cosine in zip(*columns, strict=True)]
