"""Models of one file against each other: orders of classes, and how sure the order of models is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.scores.resampling import certainty
from sing_compute.scores.statistics import rank_correlation
from sing_compute.store import Store, Writer
from sing_compute.store.schema import PENALTIES

COMPARED = ("attribute_score_abs", "image_score", "ratio_images")
"""Figures that models are ordered by."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What one model is compared by."""

    class_medians: NDArray[np.float64]
    """Median |AS| of each class."""
    values: NDArray[np.float64]
    """The compared figures at each penalty, (penalty, figure)."""
    replicates: NDArray[np.float32]
    """The same over resampled images, (penalty, figure, replicate); paired between models."""
    accuracy: float
    accuracy_translated: float
    """Zero-shot accuracy of T(f~)."""

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        values: NDArray[np.float64],
        replicates: NDArray[np.float32],
        class_medians: NDArray[np.float64],
        summary: Mapping[str, Any],
    ) -> "Compared":
        """Choose the compared figures among all that have replicates, (penalty, figure, ...)."""
        chosen = [names.index(name) for name in COMPARED]
        accuracy, translated = (float(summary[name]) for name in ("accuracy", "zero_shot_equivalent"))
        return cls(class_medians, values[:, chosen], replicates[:, chosen], accuracy, translated)

    @classmethod
    def read(cls, store: Store, model: str) -> "Compared | None":
        """What an existing file says of a model; None if the model has no scores."""
        base = f"models/{model}/"
        if f"{base}bootstrap/figure" not in store:
            return None
        return cls.of(
            tuple(str(name) for name in store.array(f"{base}bootstrap/figure")),
            store.array(f"{base}bootstrap/value"),
            store.array(f"{base}bootstrap/images"),
            store.dataset(f"{base}classes/attribute_score_abs_q50")[0].astype(np.float64),
            store.summary(model),
        )


def write_comparison(writer: Writer, models: Mapping[str, Compared]) -> None:
    """Write what the models with scores say of each other; nothing where there is none."""
    if not models:
        return
    parts = list(models.values())
    writer.put("comparison/model", list(models))
    orders = [[rank_correlation(a.class_medians, b.class_medians) for b in parts] for a in parts]
    writer.put("comparison/class_order", orders)
    writer.put("comparison/figure", COMPARED)
    writer.put("comparison/value", np.stack([part.values for part in parts], axis=-1))
    replicates = np.stack([part.replicates for part in parts], axis=2)  # (penalty, figure, model, replicate)
    above = [[certainty(replicates[p, f]) for f in range(len(COMPARED))] for p in range(len(PENALTIES))]
    writer.put("comparison/above", above)
    if len(parts) > 2:
        pair = np.array([[part.accuracy, part.accuracy_translated] for part in parts])
        if (np.ptp(pair, axis=0) > 0).all():
            writer.put("comparison/accuracy_correlation", np.corrcoef(pair.T)[0, 1])
