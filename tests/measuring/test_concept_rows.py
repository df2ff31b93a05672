"""Class x concept rows against a loop over the images of each class in float64, whatever the batches."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from sing_compute.linalg.null_space import split_head
from sing_compute.measuring.concept_rows import CHANCE_IMAGES, ConceptRows
from sing_compute.measuring.reader import FeatureBatch
from sing_compute.scores.shifts import ConceptShifts, NullRemoval, fold_views
from sing_compute.scores.significance import SharedDirections, SharedDirectionSums, significance
from sing_compute.translator.ridge import AffineTranslator

COUNTS = (3, 0, 130, 1, 60)
DIM, CLIP, CONCEPTS, FOLDS = 12, 8, 7, 3
FIGURES = (
    "angle_before",
    "angle_after",
    "attribute_score",
    "attribute_score_abs",
    "attribute_score_std",
    "control",
    "z",
)


@pytest.mark.parametrize("size", [1, 50, 194])
def test_rows_are_those_of_a_loop_over_classes(size: int) -> None:
    draw = torch.Generator().manual_seed(0)
    images = sum(COUNTS)
    features, folds = torch.rand(images, DIM, generator=draw), torch.randint(FOLDS, (images,), generator=draw)
    labels = torch.arange(len(COUNTS)).repeat_interleave(torch.tensor(COUNTS))
    concepts = torch.nn.functional.normalize(torch.randn(CONCEPTS, CLIP, generator=draw), dim=1)
    split = split_head(torch.randn(5, DIM, generator=draw), stored_dtype=torch.float32)
    weights = torch.randn(FOLDS, CLIP, DIM, generator=draw, dtype=torch.float64)
    bias = 3 * torch.randn(CLIP, generator=draw, dtype=torch.float64)
    mean = features.double().mean(0)
    removals = [NullRemoval.of(AffineTranslator(weight, bias), split, mean) for weight in weights]
    null = split.null_part(features.double())
    directions = SharedDirections.of(split, [split.null_part(weight) for weight in weights], concepts, draws=20)
    offsets = np.cumsum([0, *COUNTS])
    rows, ended = ConceptRows(offsets, directions), []
    for start in range(0, images, size):
        part = slice(start, min(start + size, images))
        batch = FeatureBatch(part, features[part], labels[part], folds[part])
        views = fold_views(removals, batch.features, batch.folds)
        new = rows.add(batch, views, ConceptShifts.of(views, concepts), null[part])
        assert all(offsets[row.label + 1] <= part.stop for row in new)  # a row comes when its class has ended
        ended += new
    assert [row.label for row in ended] == list(range(len(ended)))
    ended += rows.finish()
    assert [row.label for row in ended] == list(range(len(COUNTS)))
    found = {name: np.stack([getattr(row, name) for row in ended]) for name in FIGURES}
    before = torch.stack([weights[fold] @ f + bias for f, fold in zip(features.double(), folds, strict=True)])
    after = torch.stack([weights[fold] @ f + bias for f, fold in zip(features.double() - null, folds, strict=True)])
    angles = [torch.nn.functional.normalize(view, dim=1) @ concepts.double().T for view in (before, after)]
    first, second = (np.degrees(np.arccos(cosines.numpy())) for cosines in angles)
    for label, (start, stop) in enumerate(pairwise(offsets)):
        if start == stop:
            assert all(np.isnan(values[label]).all() for values in found.values())
            continue
        score = (first - second)[start:stop]
        step = -(-(stop - start) // CHANCE_IMAGES)
        chosen = slice(start, stop, step)
        sums = SharedDirectionSums(directions)
        sums.add(before[chosen], null[chosen].norm(dim=1), folds[chosen])
        control = sums.finish()
        z = significance(torch.from_numpy(score.mean(0)), control.attribute_score).z
        wanted = {
            "angle_before": first[start:stop].mean(0),
            "angle_after": second[start:stop].mean(0),
            "attribute_score": score.mean(0),
            "attribute_score_abs": np.abs(score).mean(0),
            "control": control.attribute_score_abs.mean(0).numpy(),
            "z": z.numpy(),
        }
        if stop - start > 1:
            wanted["attribute_score_std"] = score.std(0, ddof=1)
        for name, values in wanted.items():
            np.testing.assert_allclose(found[name][label], values, rtol=1e-4, atol=3e-5, err_msg=f"{name} of {label}")
