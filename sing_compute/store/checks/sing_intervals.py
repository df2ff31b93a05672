"""Check intervals, resamples, controls, the ridge path and the comparison of models."""

import math

import numpy as np

from sing_compute.store.checks.class_figures import ratio_ends
from sing_compute.store.checks.classifiers import Array, is_exact, subset_masks
from sing_compute.store.checks.look import Look
from sing_compute.store.checks.sing_images import LARGEST_SPREAD, chosen_subsets, columns, spread_or_all
from sing_compute.store.constants import CHOSEN, PENALTIES

REFERENCE = "random vector"
"""The control that scores are divided by (docs/method.md)."""
FLAT = 1e-4
"""Cosines with a smaller difference count as equal: if features predict nothing, the cosine grows with any penalty."""
_FEWEST = 5
_LENGTHS = (0.25, 0.5, 1.0, 2.0)
_PERTURBATIONS = ("null", "random", "principal")


def check_class_intervals(look: Look) -> None:
    """Check the interval of each figure of each class and subset by computing it again from the images."""
    masks = subset_masks(look)
    score, shift = (columns(look)[name] for name in ("attribute_score", "image_score"))
    makers = {
        "attribute_score_q50": lambda mask: score.median_ends(mask),
        "attribute_score_abs_q50": lambda mask: score.median_ends(mask, absolute=True),
        "image_score_q50": lambda mask: shift.median_ends(mask),
        "ratio": lambda mask: ratio_ends(shift, score, mask),
        "attribute_score_mean": lambda mask: score.mean_ends(mask),
    }
    figures, stored = look.texts("classes/interval_figure"), look.array("classes/interval")
    look.check(set(figures) == set(makers), f"classes/interval_figure: must be {', '.join(makers)}")
    chosen = chosen_subsets(look)
    for k, figure in enumerate(figures):
        if figure in makers:
            wanted = np.stack([makers[figure](masks[row]) for row in chosen])
            source = f"the images ({figure})"
            look.equal("classes/interval", wanted, source, stored=stored[k][chosen], absolute=1e-4, relative=1e-4)


def check_bootstrap(look: Look) -> None:
    """Check figures at three penalties against summary and path, and intervals against their replicates."""
    figures, values = look.texts("bootstrap/figure"), look.array("bootstrap/value")
    for k, figure in enumerate(figures):
        if look.has(f"summary/{figure}"):
            look.equal(
                "bootstrap/value", look.number(f"summary/{figure}"), f"summary/{figure}", stored=values[CHOSEN, k]
            )
        else:
            look.check(False, f"bootstrap/figure: there is no summary/{figure}")
    images = len(look.array("/images/class"))
    filled = int((np.diff(look.array("/images/offsets")) > 0).sum())
    for over, units in (("images", images), ("classes", filled)):
        spread = look.wide(f"bootstrap/{over}")
        look.equal(
            f"bootstrap/{over}_interval", _ends(spread, units), f"bootstrap/{over}", absolute=1e-4, relative=1e-3
        )
        _check_replicates(look, over, figures, values)
    _check_path_figures(look, figures, values)


def _ends(replicates: Array, units: int) -> Array:
    """Return the 95 % interval of each figure from its replicates, with the tail that Hesterberg (2015) gives for few units."""
    from scipy.special import ndtr, stdtrit

    found = np.full((*replicates.shape[:-1], 2), np.nan)
    if units < _FEWEST:
        return found
    tail = float(ndtr(-stdtrit(units - 1, 0.975) * math.sqrt(units / (units - 1))))
    for at in np.ndindex(*replicates.shape[:-1]):
        known = replicates[at][np.isfinite(replicates[at])]
        if len(known):
            found[at] = np.quantile(known, (tail, 1 - tail))
    return found


def _check_replicates(look: Look, over: str, figures: list[str], values: Array) -> None:
    """Check that replicates of the ratio are quotients, and that each figure lies among its replicates."""
    spread = look.wide(f"bootstrap/{over}")
    if {"image_score", "attribute_score_abs", "ratio_images"} <= set(figures):
        image, score, ratio = (
            spread[..., figures.index(n), :] for n in ("image_score", "attribute_score_abs", "ratio_images")
        )
        wanted = np.divide(image, score, out=np.full(image.shape, np.nan), where=score > 0)
        look.equal(f"bootstrap/{over}", wanted, "its own IS over |AS|", stored=ratio, relative=1e-3)
    middle = values if over == "images" else values[CHOSEN]
    known = np.isfinite(spread).any(axis=-1) & np.isfinite(middle)
    least = np.where(np.isfinite(spread), spread, np.inf).min(axis=-1, initial=np.inf)
    most = np.where(np.isfinite(spread), spread, -np.inf).max(axis=-1, initial=-np.inf)
    room = 1e-3 + 1e-3 * np.abs(middle)
    outside = known & ((middle < least - room) | (middle > most + room))
    look.check(not outside.any(), f"bootstrap/{over}: the figure itself is outside its replicates")
    if over == "classes":
        look.check((np.isfinite(spread).any() or not known.any()), f"bootstrap/{over}: no replicate has a value")


def _check_path_figures(look: Look, figures: list[str], values: Array) -> None:
    """Check figures at a tenth and ten times the chosen penalty against the ridge path, which was measured on the same images."""
    path, chosen = look.array("translator/path_lambda"), look.number("summary/lambda")
    if not np.isfinite(chosen):
        return
    for row, scale in enumerate(PENALTIES):
        at = int(np.nanargmin(np.abs(np.log(path / (scale * chosen)))))
        if row == CHOSEN or not math.isclose(path[at], scale * chosen, rel_tol=1e-6):
            continue
        for figure, name in (
            ("attribute_score", "attribute_score"),
            ("attribute_score_abs", "attribute_score_abs"),
            ("image_score", "image_score"),
            ("ratio_images", "ratio"),
        ):
            wanted, stored = look.array(f"translator/path_{name}")[at], values[row, figures.index(figure)]
            look.equal(
                "bootstrap/value", wanted, f"translator/path_{name}", stored=stored, absolute=1e-4, relative=1e-4
            )


def check_path(look: Look) -> None:
    """Check the ridge path: ascending penalties in both units, the chosen one and its figures, and the ratio."""
    path, relative = look.array("translator/path_lambda"), look.array("translator/path_relative")
    chosen = look.number("summary/lambda")
    ratio = look.array("translator/path_image_score") / look.array("translator/path_attribute_score_abs")
    look.equal(
        "translator/path_ratio",
        ratio,
        "IS over |AS| of the path",
        where=look.array("translator/path_attribute_score_abs") > 0,
    )
    over = (
        np.abs(look.array("translator/path_attribute_score")) > look.array("translator/path_attribute_score_abs") + 1e-6
    )
    look.check(not over.any(), "translator/path_attribute_score: above the median of its absolute values")
    over = look.array("translator/path_attribute_score_abs") > look.array("translator/path_image_score") + 1e-6
    look.check(not over.any(), "translator/path_attribute_score_abs: above IS")
    if not np.isfinite(path).all():
        look.check(len(path) == 1 and np.isnan(chosen), "translator/path_lambda: NaN, and the translator has a penalty")
        made = bool(look.fact("translator_file"))
        look.check(
            made, "translator/path_lambda: NaN, and the attribute translator_file names no translator made elsewhere"
        )
        look.given("its translator was made elsewhere (translator_file): no penalty and no path follow from this file")
        return
    look.check((np.diff(path) > 0).all(), "translator/path_lambda: not ascending")
    unit = path / relative
    look.equal(
        "translator/path_relative", path / np.median(unit), "path_lambda, by one unit", absolute=0, relative=1e-6
    )
    look.equal("summary/lambda_relative", chosen / np.median(unit), "lambda and the path", absolute=0, relative=1e-6)
    position = np.flatnonzero(np.isclose(path, chosen, rtol=1e-9, atol=0))
    look.check(len(position) == 1, "summary/lambda: not on the ridge path")
    if not len(position):
        return
    cosine, at = look.array("translator/path_cosine"), int(position[0])
    free = str(look.fact("lambda_choice")) == "out-of-fold cosine"
    if free:
        look.check(cosine[at] >= cosine.max() - FLAT, "summary/lambda: not the best on the ridge path")
    else:
        look.given(
            f"its penalty was not chosen by this program (lambda_choice: {look.fact('lambda_choice', 'no attribute')})"
        )
    for name, figure in (
        ("attribute_score", "attribute_score"),
        ("attribute_score", "attribute_score_abs"),
        ("image_score", "image_score"),
    ):
        stored = look.array(f"translator/path_{figure}")[at]
        wanted = spread_or_all(look, name, figure)
        close = any(np.isclose(stored, value, rtol=1e-3, atol=1e-3, equal_nan=True) for value in wanted)
        look.check(
            close, f"translator/path_{figure}: {stored:.6g} at the chosen penalty, the images say {wanted[-1]:.6g}"
        )
    whole = look.wide("images/cosine")
    means = [float(np.nanmean(part)) for part in (whole, whole[:: -(-len(whole) // LARGEST_SPREAD)])]
    close = any(abs(cosine[at] - value) <= 1e-4 for value in means)
    look.check(close, f"translator/path_cosine: {cosine[at]:.6g} at the chosen penalty, the images say {means[-1]:.6g}")


def check_controls(look: Look) -> None:
    """Check the controls: the removal itself against the images, ratios, and perturbations by their length."""
    path, names, flips = "controls/", look.texts("controls/name"), look.array("controls/flips")
    exact = is_exact(look)
    look.check(not exact or (len(flips) and flips[0] == 0), f"{path}flips: the measured removal changes predictions")
    look.check(names[:1] == ["null space"], f"{path}name: the first must be the null space")
    look.check(REFERENCE in names, f"{path}name: there is no {REFERENCE}")
    for name in ("attribute_score_abs", "image_score"):
        medians = look.array(path + name)
        wanted = spread_or_all(look, name.removesuffix("_abs"), name)
        close = any(np.isclose(medians[0], value, rtol=1e-3, atol=1e-3, equal_nan=True) for value in wanted)
        look.check(close, f"{path}{name}: {medians[0]:.6g} for the null space, the images say {wanted[-1]:.6g}")
        ratio = medians[0] / medians[names.index(REFERENCE)] if REFERENCE in names else np.nan
        look.equal(f"summary/{name}_over_control", ratio, f"{path}{name}")
        look.check(
            not look.array(f"{path}{name}_std")[0] > 1e-6,
            f"{path}{name}_std: the null space is not drawn, so it has no spread",
        )
    removed, wanted = look.array(path + "removed"), spread_or_all(look, "null_energy", "null_energy")
    for control in ("null space", REFERENCE, "null direction"):
        if control in names:
            value = removed[names.index(control)]
            close = any(np.isclose(value, each, rtol=1e-3, atol=1e-4, equal_nan=True) for each in wanted)
            look.check(
                close, f"{path}removed: {value:.6g} for the {control}, the images' null energy is {wanted[-1]:.6g}"
            )
    kinds, lengths = look.texts(path + "perturbation"), look.array(path + "length")
    look.check(tuple(kinds) == _PERTURBATIONS, f"{path}perturbation: must be {', '.join(_PERTURBATIONS)}")
    look.equal(path + "length", _LENGTHS, "the method", absolute=0, relative=1e-9)
    change = look.array(path + "logit_change")
    look.equal(
        path + "logit_change",
        change[:, -1:] / lengths[-1] * lengths,
        "a change in proportion to the length",
        relative=1e-3,
        absolute=1e-9,
    )
    look.check(
        not exact or not (change[0] >= 1e-4).any(),
        f"{path}logit_change: a perturbation in the null space changes logits",
    )
    still = np.diff(look.array(path + "perturbation_flips"), axis=1) >= -0.02
    look.check(still.all(), f"{path}perturbation_flips: fewer with a longer perturbation")
    look.check(
        not exact or not look.array(path + "perturbation_flips")[0].any(),
        f"{path}perturbation_flips: in the null space",
    )
