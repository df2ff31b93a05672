"""Write direction pairs of a classifier into a results file, and print them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.directions.influence import STEPS as STEP_SIZES
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.errors import visible
from sing_compute.pipeline.closing_table import align
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.questions.directions.labelled import LabelledDirections
from sing_compute.questions.directions.measuring import MeasuredDirections
from sing_compute.questions.directions.rival_directions import RivalDirections
from sing_compute.questions.directions.searching import AGAINST, Searched
from sing_compute.store import Place, Store, open_table
from sing_compute.store.definitions.direction_fields import (
    CLASSES,
    FIXES,
    GROUP,
    IMAGES,
    LABELS,
    LOSSES,
    NAMES,
    NULL,
    PAIRS,
    RIVALS,
    STEPS,
    SUMMARY,
    TRUST,
    WORDS,
)
from sing_compute.store.derived.direction_cells import pick_text
from sing_compute.store.text import clean
from sing_compute.store.write import Writer

__all__ = ["GROUP", "directions_text", "put_directions"]

_Values = NDArray[np.generic] | Sequence[str] | float | int


@dataclass(frozen=True, slots=True)
class FoundDirections:
    """The direction pairs of one classifier, and everything that is known of them."""

    inputs: DirectionInputs
    searched: Searched
    measured: MeasuredDirections
    keys: Sequence[str]
    """Keys of the images."""
    concepts: Sequence[str]
    """Names of the concepts of the pool; empty without names."""
    labelled: LabelledDirections | None
    rivals: RivalDirections | None

    @property
    def pairs(self) -> DirectionPairs:
        """The direction pairs."""
        return self.searched.pairs


def put_directions(writer: Writer, found: FoundDirections) -> None:
    """Write direction pairs at the paths of their analysis.

    Args:
        writer: The file.
        found: The direction pairs.
    """
    values = {**_pairs(found), **_trust(found), **_influence(found), **_null(found), **_names(found)}
    values |= {**_labels(found), **_rivals(found)}
    for path, value in values.items():
        writer.put(path, value.numpy() if isinstance(value, Tensor) else value, model=found.inputs.model)


def _pairs(found: FoundDirections) -> dict[str, _Values | Tensor]:
    pairs, measured, inputs = found.pairs, found.measured, found.inputs
    images = measured.logits.numpy() > 0
    return {
        SUMMARY + "images": len(inputs.rows),
        SUMMARY + "positions": inputs.positions,
        PAIRS + "name": [f"direction {k}" for k in range(len(pairs.thresholds))],
        PAIRS + "filter": pairs.filters.T,
        PAIRS + "threshold": pairs.thresholds,
        PAIRS + "signal": pairs.signals.T,
        PAIRS + "pattern": measured.patterns.signals.T,
        PAIRS + "margin": 1 / pairs.filters.norm(dim=0),
        PAIRS + "positives": measured.positives,
        PAIRS + "images": images.sum(0),
        PAIRS + "strength": measured.strength,
        PAIRS + "rest": measured.rest,
        IMAGES + "key": list(found.keys),
        IMAGES + "row": inputs.rows,
        IMAGES + "logit": measured.logits,
        CLASSES + "images": measured.class_images,
        CLASSES + "positives": measured.class_positives,
    }


def _trust(found: FoundDirections) -> dict[str, _Values | Tensor]:
    searched = found.searched
    return {
        SUMMARY + "restarts": searched.restarts,
        SUMMARY + "restart": searched.restart,
        SUMMARY + "objective": searched.objective,
        SUMMARY + "violation": searched.violation,
        SUMMARY + "twice": int(searched.twice),
        SUMMARY + "found": sum(state == "found" for state in searched.state),
        LOSSES + "name": list(searched.losses),
        LOSSES + "value": np.array(list(searched.losses.values())),
        LOSSES + "bound": np.array([searched.bounds.get(name, np.nan) for name in searched.losses]),
        TRUST + "state": list(searched.state),
        TRUST + "score": searched.score,
        TRUST + "detector": searched.detector,
        TRUST + "against": list(AGAINST),
        TRUST + "filter": searched.filters,
        TRUST + "signal": searched.signals,
        TRUST + "agreement": searched.positives,
        TRUST + "steady": searched.steady,
        TRUST + "pinned": searched.pinned,
    }


def _influence(found: FoundDirections) -> dict[str, _Values | Tensor]:
    moved, test, measured = found.measured.influence, found.measured.test, found.measured
    by_class = {"sensitivity": moved.score, "change": moved.change, "margin": moved.margin}
    flips = dict(zip(("flips", "flip_step", "flip_outside"), measured.flips, strict=True))
    fixes = measured.corrections
    return {
        STEPS + "name": [f"{size:g}" for size in STEP_SIZES],
        STEPS + "size": np.array(STEP_SIZES),
        SUMMARY + "permutations": test.draws,
        SUMMARY + "sensitive": test.directions,
        SUMMARY + "sensitive_pairs": test.pairs,
        **{CLASSES + name: part.permute(1, 2, 0) for name, part in by_class.items()},
        CLASSES + "p": test.p,
        CLASSES + "q": test.q,
        **{CLASSES + name: part for name, part in flips.items()},
        FIXES + "before": fixes.before,
        FIXES + "signal": fixes.signal,
        FIXES + "filter": fixes.filter,
        FIXES + "random": fixes.random,
        **({} if fixes.fixed is None else {FIXES + "fixed": fixes.fixed}),
    }


def _null(found: FoundDirections) -> dict[str, _Values | Tensor]:
    shares, rows = found.measured.reading.shares, found.measured.reading.agreement
    values: dict[str, _Values | Tensor] = {NULL + "row_class": rows.row_class, NULL + "row_cosine": rows.row_cosine}
    patterns = found.measured.pattern_shares
    if shares is None or patterns is None:
        return values
    low, high = shares.drawn_interval
    return {
        **values,
        SUMMARY + "null_chance": shares.isotropic,
        SUMMARY + "null_low": low,
        SUMMARY + "null_median": float(shares.drawn.median()),
        SUMMARY + "null_high": high,
        **{NULL + name: getattr(shares, name) for name in ("share", "p", "q")},
        **{f"{NULL}pattern_{name}": getattr(patterns, name) for name in ("share", "p", "q")},
        NULL + "unread": (shares.unread | patterns.unread).long(),
        NULL + "movement": (shares.null_movement.square() + shares.principal_movement.square()).sqrt(),
        NULL + "null_movement": shares.null_movement,
        NULL + "logit_movement": shares.logit_movement,
    }


def _names(found: FoundDirections) -> dict[str, _Values | Tensor]:
    names, patterns = found.measured.names, found.measured.pattern_names
    if names is None or patterns is None:
        return {}
    picked = np.unique(np.concatenate([each.pick.numpy() for each in (names, patterns)]))
    picked = picked[picked >= 0]
    values: dict[str, _Values | Tensor] = {
        SUMMARY + "name_random": float(names.chance[0, -1]),
        WORDS + "name": [clean(found.concepts[position]) for position in picked.tolist()],
        WORDS + "position": picked,
    }
    for prefix, each in (("", names), ("pattern_", patterns)):
        picks = each.pick.numpy()
        values |= {
            f"{NAMES}{prefix}pick": np.where(picks < 0, -1, np.searchsorted(picked, np.maximum(picks, 0))),
            f"{NAMES}{prefix}coefficient": each.coefficient[:, 0],
            f"{NAMES}{prefix}cosine": each.cosine[:, 0],
            f"{NAMES}{prefix}p": each.p[:, 0],
        }
    return values


def _labels(found: FoundDirections) -> dict[str, _Values | Tensor]:
    if found.labelled is None:
        return {}
    labels = found.labelled.labels
    compared = found.labelled.compared
    return {
        SUMMARY + "s1": labels.s1,
        SUMMARY + "s2": labels.s2,
        SUMMARY + "s3": compared.s3,
        SUMMARY + "s3_chance": compared.chance,
        LABELS + "concept": list(found.labelled.known.names),
        LABELS + "label": labels.concept,
        LABELS + "iou": labels.iou,
        LABELS + "chance": labels.chance,
    }


def _rivals(found: FoundDirections) -> dict[str, _Values | Tensor]:
    rivals = found.rivals
    if rivals is None:
        return {}
    values: dict[str, _Values | Tensor] = {
        RIVALS + "name": list(rivals.names),
        RIVALS + "method": list(rivals.methods),
        RIVALS + "share": rivals.share,
        RIVALS + "images": rivals.images,
        RIVALS + "class": rivals.most_moved,
        RIVALS + "margin": rivals.margin,
        RIVALS + "likeness": rivals.likeness,
    }
    if rivals.words is not None:
        picks, weights = rivals.words.pick.numpy(), rivals.words.coefficient[:, 0].numpy()
        concepts = np.array([clean(name) for name in found.concepts], dtype=object)
        values |= {
            RIVALS + "words": list(pick_text(picks, weights, concepts)),
            RIVALS + "cosine": rivals.words.cosine[:, 0],
        }
    return values


def directions_text(store: Store, model: str) -> str:
    """Return the direction pairs of a model as a table, the most trusted first.

    Args:
        store: The file.
        model: The model.
    """
    table = open_table(store, Place.of("directions", model=model))
    there = {column.name: column.values.all() for column in table.columns}
    facts = store.scalars(f"models/{model}/directions/summary")
    rows = [
        [
            "",
            "trust",
            store.noun.plural,
            "null share",
            "of difference",
            "moves",
            "words (cosine) | words of the difference (cosine)",
        ]
    ]
    count = len(there["direction"])
    for row in range(count):
        shares = [float(there[name][row]) if name in there else np.nan for name in _SHARES]
        words = [_name(there, row, *columns) for columns in _NAME_COLUMNS]
        rows.append(
            [
                str(there["direction"][row]),
                str(there["trust"][row]),
                f"{there['images'][row]:,}",
                *("-" if np.isnan(share) else f"{share:.1%}" for share in shares),
                _moves(str(there["class"][row]), float(there["margin"][row])),
                " | ".join(words) if any(words) else "",
            ]
        )
    lines = align([row[:6] for row in rows])
    shown = [f"{line}  {visible(row[6])}".rstrip() for line, row in zip(lines, rows, strict=True)]
    return "\n".join([f"{clean(model)}: {count:,} directions, {facts['found']:,} found", *_chance(facts), "", *shown])


_SHARES = ("null_share", "difference_null_share")
_NAME_COLUMNS = (("words", "cosine"), ("difference_words", "difference_cosine"))


def _name(there: Mapping[str, NDArray[np.generic]], row: int, words: str, cosine: str) -> str:
    """Return the first two words of a name with the cosine of the whole; empty without a name."""
    mix = clean(str(there[words][row])) if words in there else ""
    return f"{', '.join(mix.split(', ')[:2])} ({float(there[cosine][row]):.2f})" if mix else ""


def _moves(label: str, margin: float) -> str:
    return f"{clean(label)} {margin:+.2f}" if label else "-"


def _chance(facts: dict[str, float | int]) -> list[str]:
    """Return what null shares and cosines are to be compared with, in a line each."""
    lines = []
    if "null_median" in facts:
        lines.append(
            f"null share by chance: {facts['null_median']:.1%} ({facts['null_low']:.1%} to {facts['null_high']:.1%}), "
            f"of directions that vary as the features do; nullity / dim is {facts['null_chance']:.1%}"
        )
    if "name_random" in facts:
        lines.append(f"cosine by chance: {facts['name_random']:.3f}, which 2.5 % of such directions exceed")
    return lines
