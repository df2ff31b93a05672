"""Read concepts that are known of the images from a table, and label directions with them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool
from torch.nn.functional import normalize

from sing_compute.directions.influence import Influence, LabelComparison, compare_with_labels, response
from sing_compute.directions.labels import DirectionLabels, OverlapCounts, halves, label_directions
from sing_compute.directions.rivals import pattern_cav
from sing_compute.errors import SingError
from sing_compute.outside_files import TABLE, bounded_lines, open_file
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.store.text import clean, one_line

_KEY = "path"
_MOST_CONCEPTS = 10_000


@dataclass(frozen=True, slots=True)
class KnownConcepts:
    """Concepts of which it is known on which images they are."""

    names: Sequence[str]
    """Column and value: `texture striped`."""
    present: Bool[np.ndarray, "image concept"]


@dataclass(frozen=True, slots=True)
class LabelledDirections:
    """Directions labelled with known concepts."""

    known: KnownConcepts
    labels: DirectionLabels
    compared: LabelComparison
    """Influence of the directions beside that of the difference of means of their label."""


def read_concepts(file: Path, keys: Sequence[str]) -> KnownConcepts:
    """Read a table of known concepts: a column `path`, and columns whose values are concepts. An empty cell is no concept.

    Args:
        file: The table, as CSV.
        keys: Keys of the images; others of the table are left out.

    Raises:
        SingError: The file is no such table, or lacks an image.
    """
    try:
        opened = open_file(file, most=TABLE)
        with io.TextIOWrapper(opened, encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(bounded_lines(stream))
            columns = [name for name in table.fieldnames or () if name != _KEY]
            if _KEY not in (table.fieldnames or ()) or not columns:
                raise SingError(
                    f"--labels {file}: a table with a column path and a column for each kind of concept is needed"
                )
            rows = {str(row[_KEY]): row for row in table}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else one_line(error)
        raise SingError(f"--labels {file}: cannot be read ({reason})") from error
    absent = [key for key in keys if key not in rows]
    if absent:
        raise SingError(f"--labels {file}: {len(absent):,} images are not in it, such as {clean(absent[0])}")
    codes: dict[str, int] = {}
    where: list[tuple[int, int]] = []
    for image, key in enumerate(keys):
        for column in columns:
            value = (rows[key][column] or "").strip()
            if value:
                where.append((image, codes.setdefault(f"{column} {value}", len(codes))))
    if not 0 < len(codes) <= _MOST_CONCEPTS:
        raise SingError(f"--labels {file}: {len(codes):,} different concepts; 1 to {_MOST_CONCEPTS:,} can be used")
    present = np.zeros((len(keys), len(codes)), dtype=bool)
    present[tuple(np.array(where).T)] = True
    return KnownConcepts([clean(name) for name in codes], present)


def labelled(
    fires: Bool[np.ndarray, "image direction"],
    known: KnownConcepts,
    inputs: DirectionInputs,
    moved: Influence,
    *,
    seed: int,
) -> LabelledDirections:
    """Label directions on one half of the images, score the labels on the other half, and compare their influence.

    Args:
        fires: Images on which each detector fires at some position.
        known: The concepts.
        inputs: Features and head.
        moved: Influence of the directions.
        seed: Seed of the halves.
    """
    counts = [
        OverlapCounts.of_images(torch.from_numpy(fires[part]), torch.from_numpy(known.present[part]))
        for part in (half.numpy() for half in halves(len(fires), seed=seed))
    ]
    labels = label_directions(*counts)
    return LabelledDirections(known, labels, compared_with_labels(known, labels, inputs, moved))


def compared_with_labels(
    known: KnownConcepts, labels: DirectionLabels, inputs: DirectionInputs, moved: Influence
) -> LabelComparison:
    """Compare directions with the difference of means of their label, moved as far as they are in the mean.

    Args:
        known: The concepts, by image.
        labels: The label of each direction.
        inputs: Features and head.
        moved: Influence of the directions.
    """
    own = labels.concept == torch.arange(len(known.names))[:, None]
    lengths = (own * moved.lengths.nan_to_num()).sum(1) / own.sum(1).clamp_min(1)
    vectors = normalize(pattern_cav(inputs.pooled, torch.from_numpy(known.present)), dim=0) * lengths
    single = moved.steps.index(1.0)
    return compare_with_labels(
        moved.score[single].nan_to_num(), labels.concept, response(inputs.head, inputs.pooled, vectors).score
    )
