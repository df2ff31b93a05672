"""Write each result of a run to its place in the results file; no other module knows these places."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.extraction.map_sampling import VALUE_BYTES
from sing_compute.measuring.comparison import ModelComparison
from sing_compute.measuring.model_results import (
    Bootstrap,
    ClassFigures,
    ConceptPart,
    Controls,
    FeatureRows,
    Features,
    Head,
    HeadSpectrum,
    ImageScores,
    NullDirections,
    NullSpaceRules,
    Predictions,
    Ranking,
    Result,
    SpatialMaps,
    Summary,
    Translator,
    TranslatorComparison,
)
from sing_compute.pipeline.comparability import MeasuredImages, TextInputs
from sing_compute.pipeline.map_files import write_map_file
from sing_compute.scores.statistics import Floats
from sing_compute.store import Writer
from sing_compute.store.constants import SUBSETS

LARGEST_MAPS = 64_000_000
"""Most bytes of the maps of one model that are written into the results file; larger maps get a separate file."""
WINDOW = 2**16
"""Number of images of a written column that are read back at a time."""
_GROUPS: dict[type, str] = {
    Head: "head",
    HeadSpectrum: "head",
    NullSpaceRules: "variants",
    TranslatorComparison: "translators",
    Controls: "controls",
    NullDirections: "spectrum",
    Bootstrap: "bootstrap",
    ClassFigures: "classes",
    Summary: "summary",
    Predictions: "images",
    ImageScores: "images",
    Features: "features",
}
"""Group of a model that holds each kind of result; a dataset has the name of the result's field."""


@dataclass(frozen=True, slots=True)
class ConceptUpdate:
    """The results of one model that depend on the vocabulary, after concepts were added."""

    concepts: Mapping[str, Float[np.ndarray, "class concept"]]
    """Class x concept matrices by the field names of `ConceptRow`."""
    top_concept: Int[np.ndarray, "image shift"]
    top_concept_score: Float[np.ndarray, "image shift"]
    significant: int
    """Pairs of a class and a concept whose shift is significant."""
    directions: NullDirections


class StoreSink:
    """Write the results of a run into one results file."""

    def __init__(self, writer: Writer, maps: Path | None = None) -> None:
        """Prepare to write into a new file.

        Args:
            writer: Writer of the file.
            maps: Folder for spatial maps that are too large for the results file; None to write all maps into the file.
        """
        self._writer, self._maps = writer, maps

    def images(self, images: MeasuredImages, classes: int) -> None:
        """Write the measured images, once for all models.

        Args:
            images: In store order.
            classes: Number of classes of the head.
        """
        put = self._writer.put
        put("images/key", images.keys)
        put("images/class", images.labels)
        put("images/offsets", images.offsets(classes))
        put("images/skipped_key", [key for key, _ in images.failed])
        put("images/skipped_reason", [reason for _, reason in images.failed])
        facts: dict[str, str | int | float | bool] = {
            "root": images.root,
            "fingerprint": images.fingerprint,
            "exif_orientations": images.turned,
        }
        if images.original is not None:
            facts["copies"] = images.copies
        if images.noun is not None and not images.noun.is_image:
            facts |= {"item": images.noun.singular, "items": images.noun.plural}
        self._writer.annotate("images", facts)
        if images.original is not None and images.copies:
            put("images/original", images.original)
        if images.group_names:
            put("images/group", images.group)
            put("groups/name", images.group_names)
        put("subsets/name", [*SUBSETS, *(f"group:{name}" for name in images.group_names)])

    def classes(self, names: list[str], wnids: list[str] | None) -> None:
        """Write names and WordNet ids of the classes, in logit order, once for all models."""
        self._writer.put("classes/name", names)
        if wnids:
            self._writer.put("classes/wnid", wnids)

    def texts(self, texts: TextInputs) -> None:
        """Write prompts, concepts and their vectors, once for all models."""
        put = self._writer.put
        put("classes/prompt", texts.prompts)
        put("concepts/name", texts.vocabulary.names)
        put("concepts/kind", texts.vocabulary.kinds)
        put("concepts/prompt", texts.vocabulary.prompts)
        put("clip/class_embeddings", texts.class_vectors.cpu())
        put("clip/concept_embeddings", texts.concept_vectors.cpu())
        self._writer.annotate("clip", texts.clip)

    def comparison(self, found: ModelComparison) -> None:
        """Write the comparison of the models of the file."""
        for name in ("model", "class_order", "figure", "value", "above", "accuracy_correlation"):
            values = getattr(found, name)
            if values is not None:
                self._writer.put(f"comparison/{name}", values)

    def replace_vocabulary(self, vocabulary: Vocabulary, vectors: Float[Tensor, "concept clip"]) -> None:
        """Replace the concepts and vectors that were copied from another file.

        Args:
            vocabulary: All concepts, old and new.
            vectors: Unit text embedding of each concept.
        """
        replace = self._writer.replace
        replace("concepts/name", vocabulary.names)
        replace("concepts/kind", vocabulary.kinds)
        replace("concepts/prompt", vocabulary.prompts)
        replace("clip/concept_embeddings", vectors.cpu())

    def replace_concepts(self, model: str, found: ConceptUpdate) -> None:
        """Replace the results of a model that depend on the vocabulary, which were copied from another file.

        Args:
            model: Name of the model.
            found: The results for all concepts, old and new.
        """
        values: dict[str, ArrayLike] = {f"concepts/{name}": matrix for name, matrix in found.concepts.items()}
        values |= {f"images/{name}": getattr(found, name) for name in ("top_concept", "top_concept_score")}
        values["summary/significant"] = found.significant
        for name in ("toward", "toward_cosine", "away", "away_cosine"):  # the directions themselves stay as they are
            values[f"spectrum/{name}"] = getattr(found.directions, name)
        for path, value in values.items():
            self._writer.replace(f"models/{{model}}/{path}", value, model=model)

    def model(self, name: str, *, images: int, classes: int) -> "ModelSink":
        """Return the sink of one model.

        Args:
            name: Name of the model.
            images: Number of measured images.
            classes: Number of classes of the head.
        """
        return ModelSink(self._writer, self._maps, name, images=images, classes=classes)


class ModelSink:
    """Write the results of one model; implements `measuring.model_results.Sink`."""

    def __init__(self, writer: Writer, maps: Path | None, model: str, *, images: int, classes: int) -> None:
        self._writer, self._maps, self._model = writer, maps, model
        self._lengths = {"images": images, "concepts": classes, "rankings": images}
        """Rows of the datasets of each group that is written part by part."""
        self._parts: dict[str, h5py.Dataset] = {}
        """Datasets that are written part by part, by path inside the model."""

    def take(self, result: Result) -> None:
        """Write one result, or the next part of a large one."""
        match result:
            case FeatureRows():
                self._put("features", {"row": result.row})
                self._lengths["features"] = len(result.row)
            case SpatialMaps():
                self._take_maps(result)
            case ConceptPart():
                for name, values in result.values.items():
                    self._part("concepts", name, values.shape[1:])[result.classes] = values
            case Ranking():
                self._part("rankings", result.column, ())[result.rows] = result.images
            case Predictions() | ImageScores() | Features():
                for name, values in _arrays(result).items():
                    self._part(_GROUPS[type(result)], name, values.shape[1:])[result.rows] = values
            case Translator():
                names = ("weight", "bias", "mean_feature", "fold_weight", "fold_bias")
                self._put("translator", {name: getattr(result, name) for name in names})
                self._put("translator", {f"path_{name}": values for name, values in result.path.items()})
            case ClassFigures() | Summary():
                self._put(_GROUPS[type(result)], result.values)
            case _:
                self._put(_GROUPS[type(result)], {each.name: getattr(result, each.name) for each in fields(result)})

    def column(self, name: str) -> "StoredColumn":
        """Return one column of the image scores written so far."""
        return StoredColumn(self._parts[f"images/{name}"])

    def _take_maps(self, found: SpatialMaps) -> None:
        """Write maps into the results file if they are small, else into a separate file."""
        self._put("maps", {"image": found.image, "position": found.position})
        shape = (len(found.image), len(found.position), found.channels)
        facts = dict(found.place)
        if self._maps is not None and math.prod(shape) * VALUE_BYTES > LARGEST_MAPS:
            facts |= write_map_file(self._maps, found.image, found.position, found.channels, found.parts)
        else:
            dataset = self._writer.create("models/{model}/maps/value", shape, model=self._model)
            start = 0
            for part in found.parts:
                dataset[start : start + len(part)] = part
                start += len(part)
        self._writer.annotate(f"models/{self._model}/maps", facts)

    def _put(self, group: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self._writer.put(f"models/{{model}}/{group}/{name}", value, model=self._model)

    def _part(self, group: str, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
        """Return the dataset of a part; it is made for all rows at the first part. `shape` is that of one row."""
        path = f"{group}/{name}"
        if path not in self._parts:
            whole = (self._lengths[group], *shape)
            self._parts[path] = self._writer.create(f"models/{{model}}/{path}", whole, model=self._model)
        return self._parts[path]


@dataclass(slots=True)
class StoredColumn:
    """Read a written image column back. Short slices are read from the file in windows, one of which is held in memory."""

    _dataset: h5py.Dataset
    _start: int = 0
    _window: Floats | None = None

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, rows: slice) -> Floats:
        start, stop, _ = rows.indices(len(self))
        if stop - start > WINDOW:
            whole: Floats = self._dataset[start:stop]
            return whole
        if self._window is None or not self._start <= start <= stop <= self._start + len(self._window):
            self._window, self._start = self._dataset[start : start + WINDOW], start
        return self._window[start - self._start : stop - self._start]


def _arrays(part: Result) -> Mapping[str, NDArray[np.generic]]:
    """Return the arrays of a part by field name."""
    values = {each.name: getattr(part, each.name) for each in fields(part)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
