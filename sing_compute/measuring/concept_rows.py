"""Class x concept rows of one model, gathered in the same pass as the scores of single images."""

import numpy as np
import torch
from torch import Tensor

from sing_compute.measuring.image_rows import Measured
from sing_compute.measuring.reader import FeatureBatch
from sing_compute.scores.intervals import mean_intervals
from sing_compute.scores.shifts import CONCEPT_FIGURES, ConceptShifts, ConceptSums, Views
from sing_compute.scores.significance import (
    SharedDirections,
    SharedDirectionSums,
    benjamini_hochberg,
    significance,
)
from sing_compute.store import Writer
from sing_compute.store.schema import SIGNIFICANT

CHANCE_IMAGES = 50
"""Images of a class, evenly spread, on which its concept shifts are compared with chance."""


class ConceptRows:
    """Class x concept rows, written as soon as the images of a class are through: images are sorted by class.

    Each class is compared with chance on at most `CHANCE_IMAGES` of its images, evenly spread.
    """

    def __init__(self, writer: Writer, model: str, against: Measured, directions: SharedDirections) -> None:
        shape = (len(against.offsets) - 1, len(against.concept_vectors))
        names = (*CONCEPT_FIGURES, "attribute_score_half", "control", "z", "p_empirical", "q")
        self._rows = {name: writer.create(f"models/{{model}}/concepts/{name}", shape, model=model) for name in names}
        self._directions, self._offsets, self._classes = directions, against.offsets, shape[0]
        self._class = self.significant = 0
        self._sums, self._chance = self._nothing()

    def add(self, batch: FeatureBatch, views: Views, shifts: ConceptShifts, null: Tensor) -> None:
        """Add one batch, null the null part of its features; classes that end with it are written."""
        labels, lengths = (part.tolist() for part in torch.unique_consecutive(batch.labels, return_counts=True))
        start = 0
        for label, length, sums in zip(labels, lengths, ConceptSums.of(shifts, lengths), strict=True):
            self._advance(label)
            self._sums = self._sums + sums
            first, last = self._offsets[label : label + 2].tolist()
            every = -(-(last - first) // CHANCE_IMAGES)
            rows = slice(start + (first - batch.rows.start - start) % every, start + length, every)
            self._chance.add(views.before[rows], null[rows].norm(dim=1), batch.folds[rows])
            start += length

    def close(self) -> None:
        """Write what is left."""
        self._advance(self._classes)

    def _nothing(self) -> tuple[ConceptSums, SharedDirectionSums]:
        concepts = self._directions.concepts
        return ConceptSums.zero(len(concepts), concepts.device), SharedDirectionSums(self._directions)

    def _advance(self, label: int) -> None:
        while self._class < label:
            found = self._sums.finish()
            control = self._chance.finish()
            against = significance(found["attribute_score"], control.attribute_score)
            q = benjamini_hochberg(against.p_normal)
            interval = mean_intervals(
                found["attribute_score"].cpu().numpy(),
                found["attribute_score_std"].cpu().numpy(),
                np.array([self._sums.count]),
            )
            half = torch.from_numpy((interval.high - interval.low) / 2)
            chance = control.attribute_score_abs.mean(dim=0)
            extra = {"control": chance, "z": against.z, "p_empirical": against.p_empirical, "q": q}
            for name, row in (found | extra | {"attribute_score_half": half}).items():
                self._rows[name][self._class] = row.float().cpu().numpy()
            self.significant += int((q < SIGNIFICANT).sum())
            self._class += 1
            self._sums, self._chance = self._nothing()
