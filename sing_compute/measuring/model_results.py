"""Define the results of measuring one model, as frozen values; large results come in parts. A `Sink` receives all of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from sing_compute.scores.statistics import Column

Figures: TypeAlias = Mapping[str, NDArray[np.generic] | list[str] | float | int]
"""Numbers or texts by the names that the results file gives them."""


@dataclass(frozen=True, slots=True)
class Head:
    """The linear head of a network: logits = W f + b."""

    weight: Float[np.ndarray, "class dim"]
    bias: Float[np.ndarray, " class"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Part: what the network predicts for consecutive images."""

    rows: slice
    prediction: Int[np.ndarray, " image"]
    """Class with the largest logit."""
    confidence: Float[np.ndarray, " image"]
    """Softmax probability of the prediction."""


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """The images whose features are stored. Their features follow as `Features`."""

    row: Int[np.ndarray, " kept"]
    """Rows of the measured images, ascending."""
    dim: int


@dataclass(frozen=True, slots=True)
class Features:
    """Part: stored features of consecutive entries of `FeatureRows.row`."""

    rows: slice
    value: Float[np.ndarray, "image dim"]


@dataclass(frozen=True, slots=True)
class SpatialMaps:
    """The last spatial map before the pooling of a network, of some images at some positions."""

    image: Int[np.ndarray, " map_image"]
    """Rows of the measured images, ascending."""
    position: Int[np.ndarray, " map_position"]
    """Stored positions of the map, row by row of its grid, ascending."""
    channels: int
    place: Mapping[str, str | int]
    """Place of the map in the network, and the way in which the network pools it to one feature."""
    parts: Iterable[Float[np.ndarray, "part map_position channel"]]
    """The maps of all images in order; read once."""


@dataclass(frozen=True, slots=True)
class NullSpaceRules:
    """Sizes of the null space by other rules, and changes of logits if it is treated as exact; one entry per rule."""

    name: list[str]
    rank: list[int]
    nullity: list[int]
    flips: list[float]
    """Share of predictions that change when the null part is removed."""
    logit_change_max: list[float]
    """Largest change of a logit when it is removed, over the logit spread."""
    logit_change_mean: list[float]


@dataclass(frozen=True, slots=True)
class Translator:
    """The translators of a model, and the figures along the path of penalties from which one was chosen."""

    weight: Float[np.ndarray, "clip dim"]
    """A of T(f) = A f + a, fitted on all images."""
    bias: Float[np.ndarray, " clip"]
    mean_feature: Float[np.ndarray, " dim"]
    fold_weight: Float[np.ndarray, "fold clip dim"]
    """A of the translators that were fitted without one fold each."""
    fold_bias: Float[np.ndarray, "fold clip"]
    path: Mapping[str, Float[np.ndarray, " tried"]]
    """Figures of each penalty by name: `lambda`, `relative` (lambda over trace(S_ff) / m), and those out of fold."""


@dataclass(frozen=True, slots=True)
class TranslatorComparison:
    """Linear and other translators on one fold that none of them saw (SING, Table 2); one entry per translator."""

    kind: list[str]
    images: list[int]
    cosine: list[float]
    mse: list[float]
    r_squared: list[float]
    parameters: list[int]


@dataclass(frozen=True, slots=True)
class ImageScores:
    """Part: scores of consecutive images; angles in degrees, NaN where a vector is zero."""

    rows: slice
    attribute_score: Float[np.ndarray, " image"]
    image_score: Float[np.ndarray, " image"]
    attribute_score_centred: Float[np.ndarray, " image"]
    image_score_centred: Float[np.ndarray, " image"]
    class_angle: Float[np.ndarray, " image"]
    """Angle of T(f) to the prompt of the true class."""
    cosine: Float[np.ndarray, " image"]
    """Cosine of T(f) and the CLIP image embedding, out of fold."""
    null_energy: Float[np.ndarray, " image"]
    """||Pi_n f|| / ||f||."""
    null_energy_centred: Float[np.ndarray, " image"]
    """||Pi_n (f - mean f)|| / ||f||."""
    top_concept: Int[np.ndarray, "image shift"]
    """Concepts with the largest |AS|, descending; -1 where there are fewer concepts."""
    top_concept_score: Float[np.ndarray, "image shift"]
    nearest_before: Int[np.ndarray, "image neighbour"]
    """Images nearest to T(f) in CLIP space, nearest first; -1 where there are fewer images or T(f) is zero."""
    nearest_after: Int[np.ndarray, "image neighbour"]
    """Images nearest to T(f~)."""


@dataclass(frozen=True, slots=True)
class ConceptRow:
    """One class toward every concept; angles in degrees, NaN for a class without images."""

    label: int
    """Index of the class."""
    angle_before: Float[np.ndarray, " concept"]
    angle_after: Float[np.ndarray, " concept"]
    attribute_score: Float[np.ndarray, " concept"]
    """Mean AS over the images of the class."""
    attribute_score_abs: Float[np.ndarray, " concept"]
    attribute_score_std: Float[np.ndarray, " concept"]
    attribute_score_centred: Float[np.ndarray, " concept"]
    attribute_score_half: Float[np.ndarray, " concept"]
    """Half the width of the 95 % interval of mean AS."""
    control: Float[np.ndarray, " concept"]
    """Mean |AS| when an equally long null vector along one random direction is removed."""
    z: Float[np.ndarray, " concept"]
    p_empirical: Float[np.ndarray, " concept"]
    q: Float[np.ndarray, " concept"]
    """q by Benjamini and Hochberg over the concepts of this class."""


@dataclass(frozen=True, slots=True)
class ConceptPart:
    """Part: consecutive classes toward every concept."""

    classes: slice
    values: Mapping[str, Float[np.ndarray, "class concept"]]
    """Class x concept matrices by the field names of `ConceptRow`."""

    @classmethod
    def of(cls, rows: Sequence[ConceptRow]) -> "ConceptPart":
        """Join rows.

        Args:
            rows: Rows of consecutive classes in ascending order, at least one.
        """
        names = (field.name for field in fields(ConceptRow) if field.name != "label")
        values = {name: np.stack([getattr(row, name) for row in rows]) for name in names}
        return cls(slice(rows[0].label, rows[-1].label + 1), values)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Part: consecutive places of the order of all images by one column, ascending, NaN last."""

    column: str
    rows: slice
    """The places in the order."""
    images: Int[np.ndarray, " place"]


@dataclass(frozen=True, slots=True)
class Controls:
    """Scores when something else of the same size is removed, and perturbations of the same length (SING, Fig. 9)."""

    name: tuple[str, ...]
    attribute_score_abs: Float[np.ndarray, " control"]
    attribute_score_abs_std: Float[np.ndarray, " control"]
    image_score: Float[np.ndarray, " control"]
    image_score_std: Float[np.ndarray, " control"]
    removed: Float[np.ndarray, " control"]
    flips: Float[np.ndarray, " control"]
    perturbation: tuple[str, ...]
    length: tuple[float, ...]
    logit_change: Float[np.ndarray, "perturbation length"]
    perturbation_flips: Float[np.ndarray, "perturbation length"]


@dataclass(frozen=True, slots=True)
class NullDirections:
    """Null directions by how far they move CLIP space, descending, each with the concepts at its two ends."""

    singular_value: Float[np.ndarray, " mode"]
    """Singular values of A Pi_n."""
    toward: Int[np.ndarray, "mode pole"]
    """Concepts that a step along the direction moves toward; -1 where there are fewer concepts."""
    toward_cosine: Float[np.ndarray, "mode pole"]
    away: Int[np.ndarray, "mode pole"]
    """Concepts that such a step moves away from."""
    away_cosine: Float[np.ndarray, "mode pole"]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Figures of a model, their resampled values and 95 % intervals; NaN where a figure has no value."""

    figure: tuple[str, ...]
    value: Float[np.ndarray, "penalty figure"]
    images: Float[np.ndarray, "penalty figure replicate"]
    """Figures over resampled images."""
    classes: Float[np.ndarray, "figure replicate"]
    """Figures over resampled classes, at the chosen penalty."""
    images_interval: Float[np.ndarray, "penalty figure bound"]
    classes_interval: Float[np.ndarray, "figure bound"]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Figures of classes by name; each has an axis of classes."""

    values: Figures


@dataclass(frozen=True, slots=True)
class HeadSpectrum:
    """Singular values of the matrix that was split, descending."""

    singular_values: Float[np.ndarray, " singular_value"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of the whole model by name."""

    values: Figures


Result: TypeAlias = (
    Head
    | Predictions
    | FeatureRows
    | Features
    | SpatialMaps
    | HeadSpectrum
    | NullSpaceRules
    | Translator
    | TranslatorComparison
    | ImageScores
    | ConceptPart
    | Ranking
    | Controls
    | NullDirections
    | Bootstrap
    | ClassFigures
    | Summary
)
"""Every kind of result of measuring one model. A result is given once, its parts in the order of their rows."""


@runtime_checkable
class Sink(Protocol):
    """Receives the results of one model one after the other, and returns columns that are too large to hold in memory."""

    def take(self, result: Result) -> None:
        """Receive one result, or the next part of a large one."""

    def column(self, name: str) -> Column:
        """Return one column of all `ImageScores` received so far, one value per image."""
