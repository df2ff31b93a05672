"""Every check of `verify` that is not about scores finds the fault in a file that has it."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store

from sing_compute.store import Store
from sing_compute.store.checks.sing_intervals import REFERENCE
from sing_compute.store.verify import verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5")


def put(*place: object) -> Callable[[h5py.Dataset], None]:
    """Writes the last argument at the others."""
    *where, value = place

    def act(dataset: h5py.Dataset) -> None:
        dataset[tuple(where) or ...] = value

    return act


def scale(factor: float) -> Callable[[h5py.Dataset], None]:
    return lambda dataset: put(dataset[()] * factor)(dataset)


def swap_ends(dataset: h5py.Dataset) -> None:
    dataset[...] = dataset[()][..., ::-1]


DAMAGE = {
    "bootstrap/value": (put(1, 0, 99.0), "not that of summary/attribute_score: 99, computed"),
    "bootstrap/images_interval": (swap_ends, "not that of bootstrap/images in"),
    "bootstrap/classes_interval": (put(0, 1, 5.0), "not that of bootstrap/classes in"),
    "bootstrap/images": (scale(10.0), "the figure itself is outside its replicates"),
    "bootstrap/figure": (put(0, b"image_score"), "not unique"),
    "classes/interval": (put(2, 0, 0, [0.0, 0.1]), "not that of the images (image_score_q50)"),
    "classes/interval_figure": (put(0, b"nothing"), "interval_figure: must be"),
    "classes/image_score_curve": (put(0, 3, 150.0), "not that of images/image_score in 1 of"),
    "classes/attribute_score_curve": (put(0, 10, 0.0), "not that of images/attribute_score in 1 of"),
    "controls/flips": (put(0, 0.1), "the measured removal changes predictions"),
    "controls/perturbation_flips": (put(0, 0, 1.5), "not from 0 to 1: 1 of 12 values, such as 1.5"),
    "controls/removed": (put(1, -0.1), "not 0 or more or NaN: 1 of 5 values, such as -0.1"),
    "controls/name": (put(3, b"other"), "there is no random vector"),
    "controls/attribute_score_abs": (put(3, 9.0), "attribute_score_abs_over_control"),
    "concepts/q": (put(0, slice(0, 3), [1.5, 1.0, 1.0]), "not from 0 to 1 or NaN: 1 of 160 values"),
    "concepts/z": (put(1, 2, np.nan), "z: missing in 1 pairs"),
    "concepts/p_empirical": (put(0, 0, 0.0), "not above 0 and at most 1 or NaN: 1 of 160 values, such as 0"),
    "concepts/attribute_score_half": (put(0, 0, -1.0), "not 0 or more or NaN"),
    "concepts/control": (put(2, 1, -1.0), "not from 0 to 180 or NaN"),
    "summary/significant": (put(10**6), "not that of concepts/q: 1000000, computed"),
    "summary/probe_null": (put(1.2), "summary/probe_null: not from 0 to 1: 1 of 1 values, such as 1.2"),
    "summary/null_share": (put(0.9), "not that of translator/weight and the head: 0.9, computed"),
    "spectrum/singular_value": (scale(1.01), "not that of A Pi_n"),
    "spectrum/toward": (put(0, 0, 40), "outside the concepts"),
    "spectrum/away_cosine": (put(0, 0, -1.1), "not from -1 to 1 or NaN"),
    "variants/rank": (put(1, 7), "not that of head/weight and the rule of its name"),
    "variants/nullity": (
        put(2, 5),
        "not that of head/weight and the rule of its name in 1 of 3 entries, the first at [2]: 5",
    ),
    "variants/flips": (put(1, -0.5), "not from 0 to 1"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_verify_finds_what_is_wrong_beside_the_scores(path: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    with h5py.File(path, "r+") as file:
        damage(file[f"models/alpha/{name}"])
    with Store(path) as store:
        problems = verify(store).problems
    assert any(message in problem for problem in problems), problems


def test_q_is_that_of_benjamini_and_hochberg(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/concepts/q"][0, 3] *= 0.9
        file["models/beta/concepts/z"][1] *= -1
    with Store(path) as store:
        problems = verify(store).problems
    assert any("models/alpha/concepts/q: not that of z by Benjamini and Hochberg in 1 of" in line for line in problems)
    assert any("models/beta/concepts/z: has another sign than the shift" in line for line in problems)


def test_the_correlation_of_accuracies_is_that_of_the_summaries(tmp_path: Path) -> None:
    path = write_store(tmp_path / "three.h5", models=("a", "b", "c"))
    with Store(path) as store:
        assert verify(store)[0] == []
    with h5py.File(path, "r+") as file:
        file["models/b/summary/zero_shot_equivalent"][()] = 0.1
    with Store(path) as store:
        assert "accuracy_correlation" in verify(store)[0][0]


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("comparison/above", put(1, 2, 0, 1, 0.999), "not that of the resamples of the models in 1 of"),
        ("comparison/above", put(0, 0, 0, 0, -0.5), "not from 0 to 1"),
        ("comparison/value", put(2, 1, 1, 50.0), "not that of models/beta/bootstrap/value"),
    ],
)
def test_verify_finds_a_damaged_comparison(path: Path, name: str, damage: Callable, message: str) -> None:
    with h5py.File(path, "r+") as file:
        damage(file[name])
    with Store(path) as store:
        assert any(message in problem for problem in verify(store)[0])


def test_no_attribute_admits_flips_of_a_null_space_that_is_exact(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/controls/flips"][0] = 0.1
        file["models/alpha/summary/flips"][()] = 4
        text = h5py.string_dtype("utf-8", 11)
        file["models/alpha"].attrs.create("null_space", b"energy=0.99", dtype=text)
    with Store(path) as store:
        found = verify(store)
    assert any("summary/flips: 4 predictions change under null removal" in line for line in found.problems)
    assert any("alpha: its null space is approximate" in line for line in found.notes)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (
            "images/attribute_score",
            scale(1.05),
            "images/attribute_score: not that of features/value and a fold translator",
        ),
        ("translator/fold_weight", scale(1.5), "not that of features/value and a fold translator"),
        ("images/null_energy", scale(0.9), "images/null_energy: not that of features/value and a fold translator"),
        ("images/confidence", put(3, 0.5), "images/confidence: not that of features/value and the head in 1 of 42"),
        ("features/value", lambda d: d.write_direct(d[()][::-1].copy()), "other predictions than images/prediction"),
        ("features/row", put(0, 40), "features/row: not ascending rows of images"),
        ("translator/weight", put(0, 0, 1.0), "translator/weight: not that of the fold translators and features/value"),
        ("translator/mean_feature", scale(1.01), "translator/mean_feature: not that of features/value"),
        (
            "images/top_concept",
            put(0, 0, 1),
            "images/top_concept_score: not that of features/value and concept_embeddings",
        ),
        ("concepts/angle_before", put(1, 2, 60.0), "concepts/angle_before: not that of features/value"),
        ("summary/probe_null", scale(0.5), "summary/probe_null: not that of features/value and the folds"),
        ("summary/r_squared", scale(0.9), "summary/r_squared: not that of the translators and images/cosine"),
    ],
)
def test_kept_features_give_the_stored_figures_again(
    schema_1: Path, name: str, damage: Callable[[h5py.Dataset], None], message: str
) -> None:
    with h5py.File(schema_1, "r+") as file:
        damage(file[f"models/clean/{name}"])
    with Store(schema_1) as store:
        found = verify(store).problems
    assert any(message in problem for problem in found), found


def test_a_model_without_features_is_named_if_others_have_them(schema_1: Path) -> None:
    with h5py.File(schema_1, "r+") as file:
        first, *others = sorted(file["models"])
        assert others
        del file[f"models/{first}/features"]
    reason = "taken as given, as features are not kept: "
    with Store(schema_1) as store:
        lines = [line for line in verify(store).notes if reason in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{first}: {reason}concepts/angle_after, ")
    with h5py.File(schema_1, "r+") as file:
        for name in others:
            del file[f"models/{name}/features"]
    with Store(schema_1) as store:
        lines = [line for line in verify(store).notes if reason in line]
    assert len(lines) == 1
    assert lines[0].startswith(reason)


def test_the_reference_control_is_the_one_that_scores_are_divided_by() -> None:
    from sing_compute.scores import controls

    assert REFERENCE == controls.REFERENCE
