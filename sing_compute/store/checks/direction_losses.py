"""Check the losses of a search for directions against its logits; objective, bounds and violation against its settings."""

import ast
import re
from typing import Any

import numpy as np

from sing_compute.store.checks.classifiers import Array
from sing_compute.store.checks.look import Look

_GROUP = "directions/"
_POWER = 1.1
"""Power of activations in the losses on how often a detector fires."""
_TINY = 1e-12
_ALL = 2**24
"""Logits of all restarts up to which the losses are those of all images."""


def check_sums(look: Look) -> None:
    """Check bounds against the settings, and objective and violation against the losses."""
    settings = _settings(look)
    if not {"joint_weights", "joint_bounds", "tolerance"} <= set(settings):
        look.given("its attribute settings does not say weights and bounds: objective and violation are taken as given")
        return
    names, values = look.texts(_GROUP + "losses/name"), look.wide(_GROUP + "losses/value")
    found = dict(zip(names, values.tolist(), strict=True))
    weights, bounds = settings["joint_weights"], settings["joint_bounds"]
    look.check({*weights, *bounds} <= set(names), f"{_GROUP}losses/name: not the losses of the settings")
    wanted = np.array([bounds.get(name, np.nan) for name in names])
    look.equal(_GROUP + "losses/bound", wanted, "the attribute settings")
    if {*weights, *bounds} <= set(names):
        objective = sum(weight * found[name] for name, weight in weights.items())
        look.equal(_GROUP + "summary/objective", objective, "losses/value", absolute=1e-6, relative=1e-5)
        beyond = [found[name] - high - settings["tolerance"] * max(1, high) for name, high in bounds.items()]
        missed = sum(max(0.0, each) for each in beyond)
        look.equal(_GROUP + "summary/violation", missed, "losses/value and the bounds", absolute=1e-6)


def _settings(look: Look) -> dict[str, Any]:
    """Read the settings that the group's attribute repeats: numbers, and numbers by name."""
    text = str(look.fact("settings", group="directions"))
    found: dict[str, Any] = {}
    for name, value in re.findall(r"(\w+)=(\{[^{}]*\}|\[[^\[\]]*\]|[-+.\w]+)", text):
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def check_losses(look: Look, value: Array, logits: Array) -> None:
    """Check the losses that follow from the logits, the head and the signal vectors.

    Args:
        look: One model.
        value: Features of all images of its directions, with one position each.
        logits: w . x - b of each of them.
    """
    settings = _settings(look)
    try:
        least, most, low, high = (float(each) for each in (settings["least"], settings["most"], *settings["way"]))
        restarts = int(settings["restarts"])
    except (KeyError, TypeError, ValueError):
        look.given("its attribute settings does not say how directions were looked for: losses are taken as given")
        return
    if logits.size * restarts > _ALL:
        look.given("the losses of a search are those of a part of so many images: they are taken as given")
        return
    logs = -np.logaddexp(0, -logits)
    shares = np.exp(logs - logs.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    entropy = -(shares * np.log(np.maximum(shares, np.finfo(np.float64).tiny))).sum(1) / np.log(2)
    activity = np.exp(_POWER * logs).mean(0)
    floor = least / logits.shape[1]
    wanted = {
        "sparsity": entropy.mean(),
        "sparsity bound": _soft_maximum(entropy + _TINY),
        "activation": -(shares * logs).sum(1).mean() / np.log(2),
        "inactivity": (np.maximum(floor - activity, 0) / floor).mean(),
        "excess": _soft_maximum(np.maximum(activity - most, 0) / (1 - most) + _TINY),
        "certainty": _certainty(look, value, logits * ((low + high) / 2)),
    }
    names = look.texts(_GROUP + "losses/name")
    computed = np.array([wanted.get(name, np.nan) for name in names])
    look.equal(
        _GROUP + "losses/value",
        computed,
        "features/value, the detectors and the settings",
        absolute=1e-5,
        relative=1e-3,
        where=np.isfinite(computed),
    )


def _soft_maximum(values: Array) -> float:
    """Return the mean of values, each weighted by its own fourth power."""
    weights = values**4
    return float((weights * values).sum() / (weights.sum() + _TINY))


def _certainty(look: Look, value: Array, residuals: Array) -> float:
    """Return minus the mean entropy of the predictions after every detector was brought part of the way to 0."""
    weight, signals = look.array("head/weight"), look.array(_GROUP + "pairs/signal")
    lengths = np.linalg.norm(signals, axis=1, keepdims=True)
    ways = (signals / np.maximum(lengths, 1e-12)).T
    products = look.array(_GROUP + "pairs/filter") @ ways
    nothing = (products == 0).all(0)
    try:
        inverse = np.linalg.inv(products + np.diag(nothing.astype(np.float64)))
    except np.linalg.LinAlgError:
        return np.nan
    moved = value @ weight.T + look.array("head/bias") - residuals @ (weight @ ways @ inverse).T
    if bool(look.fact("sigmoid", False, group="directions")):
        each = [np.exp(-np.logaddexp(0, -side)) * np.logaddexp(0, -side) for side in (moved, -moved)]
        return -float((each[0] + each[1]).mean())
    logs = moved - moved.max(1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    return float((np.exp(logs) * logs).sum(1).mean())
