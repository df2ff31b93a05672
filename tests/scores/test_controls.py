"""Controls against explicit removal, one image at a time, and against what is known of random subspaces."""

import numpy as np
import pytest
import torch

from sing_compute.linalg.null_space import split_head
from sing_compute.scores.controls import CONTROLS, LENGTHS, PERTURBATIONS, Controls, random_subspace, random_units
from sing_compute.scores.shifts import NullRemoval, fold_views
from sing_compute.translator.ridge import AffineTranslator

CLASSES, DIM, CLIP, IMAGES = 4, 24, 7, 300


@pytest.fixture(scope="module")
def world() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "weight": normal(CLASSES, DIM).float(),
        "bias": 3 * torch.arange(CLASSES).float(),
        "features": normal(IMAGES, DIM) + 2 * normal(DIM),
        "texts": torch.nn.functional.normalize(normal(CLASSES, CLIP), dim=1),
        "labels": torch.arange(IMAGES) % CLASSES,
        "folds": torch.arange(IMAGES) % 2,
        "matrices": normal(2, CLIP, DIM),
        "offsets": normal(2, CLIP),
    }


def measured(world: dict[str, torch.Tensor], draws: int = 6, batch: int = 97) -> tuple[Controls, list[NullRemoval]]:
    split = split_head(world["weight"], stored_dtype=torch.float32)
    translators = [AffineTranslator(a, b) for a, b in zip(world["matrices"], world["offsets"], strict=True)]
    folds = [NullRemoval.of(translator, split, world["features"].mean(0)) for translator in translators]
    null = split.null_part(world["features"])
    share = float(null.square().sum() / world["features"].square().sum())
    controls = Controls(split, world["weight"], world["bias"], folds, share, draws, seed=3)
    for start in range(0, IMAGES, batch):
        rows = slice(start, start + batch)
        features, part = world["features"][rows], world["folds"][rows]
        before = fold_views(folds, features, part).before
        labels = world["labels"][rows]
        controls.add(features, before, world["texts"][labels], part, labels)
    return controls, folds


def angle(left: np.ndarray, right: np.ndarray) -> float:
    cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def test_the_first_row_is_the_removal_itself(world: dict[str, torch.Tensor]) -> None:
    found = measured(world)[0].finish()
    basis = np.linalg.svd(world["weight"].double().numpy())[2][CLASSES:]
    scores, shifts, lengths = [], [], []
    for row in range(IMAGES):
        feature = world["features"][row].numpy()
        matrix, offset = (world[name][int(world["folds"][row])].numpy() for name in ("matrices", "offsets"))
        kept = feature - basis.T @ (basis @ feature)
        before, after = matrix @ feature + offset, matrix @ kept + offset
        text = world["texts"][int(world["labels"][row])].numpy()
        scores.append(abs(angle(before, text) - angle(after, text)))
        shifts.append(angle(before, after))
        lengths.append(np.linalg.norm(feature - kept) / np.linalg.norm(feature))
    own = CONTROLS.index("null space")
    assert float(found["attribute_score_abs"][own]) == pytest.approx(np.median(scores), abs=1e-4)
    assert float(found["image_score"][own]) == pytest.approx(np.median(shifts), abs=1e-4)
    assert float(found["removed"][own]) == pytest.approx(np.median(lengths), abs=1e-6)
    assert float(found["flips"][own]) == 0


def test_null_directions_change_no_prediction_and_are_as_long_as_what_was_removed(
    world: dict[str, torch.Tensor],
) -> None:
    found = measured(world)[0].finish()
    own, shared, vector = (CONTROLS.index(name) for name in ("null space", "null direction", "random vector"))
    assert float(found["flips"][shared]) == 0
    assert float(found["flips"][vector]) > 0
    for row in (shared, vector):
        assert float(found["removed"][row]) == pytest.approx(float(found["removed"][own]), abs=1e-6)


def test_flips_are_those_of_the_whole_head_bias_and_all(world: dict[str, torch.Tensor]) -> None:
    controls, _ = measured(world, draws=1)
    keep = controls._keep[0]
    features, weight = world["features"], world["weight"].double()
    logits, after = (part @ weight.T + world["bias"].double() for part in (features, features @ keep @ keep.T))
    flips = float((logits.argmax(1) != after.argmax(1)).double().mean())
    assert float(controls.finish()["flips"][CONTROLS.index("random subspace")]) == pytest.approx(flips)
    assert 0 < flips < 1


def test_centred_logits_do_not_see_a_shift_common_to_all(world: dict[str, torch.Tensor]) -> None:
    split = split_head(world["weight"], stored_dtype=torch.float32, invariance="softmax")
    features = world["features"]
    folds = [NullRemoval.of(AffineTranslator(world["matrices"][0], world["offsets"][0]), split, features.mean(0))]
    texts = world["texts"][world["labels"]]
    for centred, seen in ((True, False), (False, True)):
        head = (world["weight"], world["bias"])
        controls = Controls(split, *head, folds, 0.5, 1, seed=0, centred=centred)
        controls.add(
            features, folds[0](features).before, texts, torch.zeros(IMAGES, dtype=torch.int64), world["labels"]
        )
        null = controls.validation()["logit_change"][PERTURBATIONS.index("null")]
        assert bool(null.max() > 1e-4) == seen


def test_random_subspaces_take_the_share_that_their_dimension_says(world: dict[str, torch.Tensor]) -> None:
    found = measured(world, draws=40)[0].finish()
    subspace, matched = (float(found["removed"][CONTROLS.index(name)]) for name in ("random subspace", "same norm"))
    assert subspace**2 == pytest.approx((DIM - CLASSES) / DIM, abs=0.03)
    null = split_head(world["weight"], stored_dtype=torch.float32).null_part(world["features"])
    share = float(null.square().sum() / world["features"].square().sum())
    assert matched**2 == pytest.approx(share, abs=1 / DIM)


def test_perturbations_move_logits_by_their_part_in_the_principal_space(world: dict[str, torch.Tensor]) -> None:
    controls, _ = measured(world)
    found = controls.validation()["logit_change"]
    null, random, principal = (found[PERTURBATIONS.index(name)] for name in ("null", "random", "principal"))
    assert float(null.abs().max()) < 1e-12
    assert (principal > random).all()
    ratio = (random.square() / principal.square()).mean()
    assert float(ratio) == pytest.approx(CLASSES / DIM, rel=0.4)  # E|Pi_p u|^2 = rank / dim
    doubled = found[PERTURBATIONS.index("random")][LENGTHS.index(2.0)] / found[1][LENGTHS.index(1.0)]
    assert float(doubled) == pytest.approx(2)


def test_classes_have_medians_of_their_own(world: dict[str, torch.Tensor]) -> None:
    controls, _ = measured(world)
    found = controls.by_class(CLASSES + 1)
    assert found["image_score_control"][:CLASSES].isfinite().all()
    assert found["image_score_control"][CLASSES].isnan()
    whole = float(controls.finish()["image_score"][CONTROLS.index("random vector")])
    assert found["image_score_control"][:CLASSES].min() < whole < found["image_score_control"][:CLASSES].max()


def test_the_seed_decides_and_batches_of_images_do_not_matter_to_the_subspaces(world: dict[str, torch.Tensor]) -> None:
    once, again = measured(world)[0].finish(), measured(world)[0].finish()
    assert all(torch.equal(once[name], again[name]) for name in once)
    other = measured(world, batch=50)[0].finish()
    same = [CONTROLS.index(name) for name in ("null space", "random subspace", "same norm", "null direction")]
    torch.testing.assert_close(once["image_score"][same], other["image_score"][same])


def test_random_subspaces_are_orthonormal_and_units_have_length_one() -> None:
    generator = torch.Generator().manual_seed(0)
    columns = random_subspace(9, 4, generator)
    torch.testing.assert_close(columns.T @ columns, torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(random_units(5, 9, generator).norm(dim=1), torch.ones(5, dtype=torch.float64))
