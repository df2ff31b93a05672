"""Class x concept rows of one model, computed in the same pass as the scores of single images."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.measuring.model_results import ConceptRow
from sing_compute.measuring.reader import FeatureBatch
from sing_compute.scores.intervals import mean_intervals
from sing_compute.scores.shifts import ConceptShifts, ConceptSums, Views
from sing_compute.scores.significance import (
    SharedDirections,
    SharedDirectionSums,
    benjamini_hochberg,
    significance,
)

CHANCE_IMAGES = 50
"""Images of a class, evenly spread, on which its concept shifts are compared with chance."""


class ConceptRows:
    """Compute the row of each class: its shift toward every concept. A row is ready when its class ends, as images are sorted.

    Each class is compared with chance on at most `CHANCE_IMAGES` of its images, evenly spread.
    """

    def __init__(self, offsets: Int[np.ndarray, " class_edge"], directions: SharedDirections) -> None:
        """Prepare the rows of one model.

        Args:
            offsets: Images of class c are rows offsets[c] to offsets[c + 1] of the batches that follow.
            directions: Random null directions, and the concepts.
        """
        self._directions, self._offsets, self._classes = directions, offsets, len(offsets) - 1
        self._class = 0
        self._sums, self._chance = self._empty_sums()

    def add(
        self, batch: FeatureBatch, views: Views, shifts: ConceptShifts, null: Float[Tensor, "image dim"]
    ) -> list[ConceptRow]:
        """Add the next batch of images.

        Args:
            batch: The images, of the classes in ascending order.
            views: Their features in CLIP space, each by the translator that was fitted without its fold.
            shifts: Angles of these views to every concept.
            null: Pi_n f of each image, float64.

        Returns:
            The rows of the classes that ended in this batch, with those that have no images.
        """
        rows: list[ConceptRow] = []
        labels, lengths = (part.tolist() for part in torch.unique_consecutive(batch.labels, return_counts=True))
        start = 0
        for label, length, sums in zip(labels, lengths, ConceptSums.of(shifts, lengths), strict=True):
            rows += self._advance(label)
            self._sums = self._sums + sums
            first, last = self._offsets[label : label + 2].tolist()
            every = -(-(last - first) // CHANCE_IMAGES)
            chosen = slice(start + (first - batch.rows.start - start) % every, start + length, every)
            self._chance.add(views.before[chosen], null[chosen].norm(dim=1), batch.folds[chosen])
            start += length
        return rows

    def finish(self) -> list[ConceptRow]:
        """Return the rows of the classes that are left."""
        return self._advance(self._classes)

    def _empty_sums(self) -> tuple[ConceptSums, SharedDirectionSums]:
        concepts = self._directions.concepts
        return ConceptSums.zero(len(concepts), concepts.device), SharedDirectionSums(self._directions)

    def _advance(self, label: int) -> list[ConceptRow]:
        """Finish every class before this one."""
        rows: list[ConceptRow] = []
        while self._class < label:
            if self._sums.count:
                rows.append(self._row_of_class())
                self._sums, self._chance = self._empty_sums()
            else:
                rows.append(replace(self._row_without_images, label=self._class))
            self._class += 1
        return rows

    @cached_property
    def _row_without_images(self) -> ConceptRow:
        """Row of a class without images, the same for all of them: most classes of a large head where few are measured."""
        return self._row_of_class()

    def _row_of_class(self) -> ConceptRow:
        found = self._sums.finish()
        control = self._chance.finish()
        against = significance(found["attribute_score"], control.attribute_score)
        interval = mean_intervals(
            found["attribute_score"].cpu().numpy(),
            found["attribute_score_std"].cpu().numpy(),
            np.array([self._sums.count]),
        )
        tensors = found | {
            "control": control.attribute_score_abs.mean(dim=0),
            "z": against.z,
            "p_empirical": against.p_empirical,
            "q": benjamini_hochberg(against.p_normal),
        }
        columns = {name: values.cpu().numpy() for name, values in tensors.items()}
        return ConceptRow(self._class, attribute_score_half=(interval.high - interval.low) / 2, **columns)
