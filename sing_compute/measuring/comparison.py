"""Compare the models of one results file: the orders of their classes, and how sure the order of the models is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sing_compute.errors import SingError, visible
from sing_compute.measuring.model_results import Bootstrap
from sing_compute.scores.resampling import certainty
from sing_compute.scores.statistics import rank_correlation
from sing_compute.store.constants import PENALTIES

ORDERING_FIGURES = ("attribute_score_abs", "image_score", "ratio_images")
"""Figures that models are ordered by."""


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """The figures of one model by which it is compared with other models."""

    class_medians: Float[np.ndarray, " class"]
    """Median |AS| of each class, in degrees."""
    values: Float[np.ndarray, "penalty figure"]
    """The `ORDERING_FIGURES` at each penalty."""
    replicates: Float[np.ndarray, "penalty figure replicate"]
    """The same figures over resampled images; replicate r resamples the same images for every model."""
    accuracy: float
    accuracy_translated: float
    """Zero-shot accuracy of T(f~)."""

    @classmethod
    def of(
        cls,
        bootstrap: Bootstrap,
        class_medians: Float[np.ndarray, " class"],
        *,
        accuracy: float,
        accuracy_translated: float,
    ) -> "ModelFigures":
        """Choose, among all resampled figures, those by which models are ordered.

        Args:
            bootstrap: All resampled figures of the model.
            class_medians: Median |AS| of each class, in degrees.
            accuracy: Accuracy of the model.
            accuracy_translated: Zero-shot accuracy of T(f~).
        """
        chosen = [bootstrap.figure.index(name) for name in ORDERING_FIGURES]
        return cls(
            class_medians, bootstrap.value[:, chosen], bootstrap.images[:, chosen], accuracy, accuracy_translated
        )


@dataclass(frozen=True, slots=True)
class ModelComparison:
    """The comparison of the models of one file."""

    model: list[str]
    class_order: Float[np.ndarray, "model model"]
    """Spearman correlation of two models' classes, ordered by median |AS|."""
    figure: tuple[str, ...]
    value: Float[np.ndarray, "penalty figure model"]
    above: Float[np.ndarray, "penalty figure model model"]
    """Share of resamples in which the row's model is above the column's; ties count one half."""
    accuracy_correlation: float | None
    """Pearson correlation of accuracy and zero-shot accuracy of T(f~); None below three models or without variation."""


def check_replicates(models: Mapping[str, ModelFigures], wanted: int | None = None) -> None:
    """Refuse models that were resampled differently often: replicate r of one would not be of the images of another's.

    Args:
        models: Models by name.
        wanted: Number of replicates of models that are still to be measured.

    Raises:
        SingError: A model has another number than the first, or than the wanted one.
    """
    for name, part in models.items():
        count = part.replicates.shape[-1]
        wanted = count if wanted is None else wanted
        if count != wanted:
            raise SingError(
                f"{visible(name)} cannot be compared: its figures are resampled {count:,} times, others {wanted:,} times; "
                "compute it again"
            )


def compare_models(models: Mapping[str, ModelFigures]) -> ModelComparison:
    """Compare models with each other.

    Args:
        models: At least one model, by name, all measured on the same images.

    Raises:
        SingError: They are resampled differently often.
    """
    check_replicates(models)
    parts = list(models.values())
    orders = [[rank_correlation(a.class_medians, b.class_medians) for b in parts] for a in parts]
    replicates = np.stack([part.replicates for part in parts], axis=2)  # (penalty, figure, model, replicate)
    above = [[certainty(replicates[p, f]) for f in range(len(ORDERING_FIGURES))] for p in range(len(PENALTIES))]
    correlation = None
    if len(parts) > 2:
        pair = np.array([[part.accuracy, part.accuracy_translated] for part in parts])
        if (np.ptp(pair, axis=0) > 0).all():
            correlation = float(np.corrcoef(pair.T)[0, 1])
    return ModelComparison(
        list(models),
        np.array(orders),
        ORDERING_FIGURES,
        np.stack([part.values for part in parts], axis=-1),
        np.array(above),
        correlation,
    )
