"""Every check of `verify` that is not about scores finds the fault in a file that has it."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store

from sing_compute.store import Store, replace_store
from sing_compute.store.checks.sing_evidence import REFERENCE
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
    "bootstrap/value": (put(1, 0, 99.0), "attribute_score is 99, not"),
    "bootstrap/images_interval": (swap_ends, "a lower end above the upper one"),
    "bootstrap/classes_interval": (put(0, 1, 5.0), "one end without the other"),
    "bootstrap/images": (scale(10.0), "outside its replicates"),
    "bootstrap/figure": (put(0, b"image_score"), "not unique"),
    "classes/interval": (put(2, 0, 0, [0.0, 0.1]), "image_score_q50 is outside its interval"),
    "classes/interval_figure": (put(0, b"nothing"), "there is no nothing"),
    "classes/image_score_curve": (put(0, 3, 150.0), "not ascending"),
    "classes/attribute_score_curve": (put(0, 10, 0.0), "percentile 50 is not that of the class table"),
    "controls/flips": (put(0, 0.1), "the measured removal changes predictions"),
    "controls/perturbation_flips": (put(0, 0, 1.5), "outside 0 to 1"),
    "controls/removed": (put(1, -0.1), "below 0"),
    "controls/name": (put(3, b"other"), "there is no random vector"),
    "controls/attribute_score_abs": (put(3, 9.0), "attribute_score_abs_over_control"),
    "concepts/q": (put(0, slice(0, 3), [1.5, 1.0, 1.0]), "q: outside 0 to 1 in 1 classes"),
    "concepts/z": (put(1, 2, np.nan), "q: known where z is not"),
    "concepts/p_empirical": (put(0, 0, 0.0), "p_empirical: outside 0 to 1 in 1 classes"),
    "concepts/attribute_score_half": (put(0, 0, -1.0), "attribute_score_half: below 0 in 1 classes"),
    "concepts/control": (put(2, 1, -1.0), "control: below 0 in 1 classes"),
    "summary/significant": (put(10**6), "summary/significant: 1000000, counted"),
    "summary/probe_null": (put(1.2), "summary/probe_null: 1.2 is no share"),
    "summary/null_share": (put(0.9), "summary/null_share: the translator says"),
    "spectrum/singular_value": (scale(1.01), "not those of A Pi_n"),
    "spectrum/toward": (put(0, 0, 40), "spectrum/toward: outside the concepts"),
    "spectrum/away_cosine": (put(0, 0, -1.1), "outside -1 to 1"),
    "variants/rank": (put(1, 7), "variants: rank and nullity do not make 16"),
    "variants/nullity": (put(2, 5), "variants/nullity: softmax 5"),
    "variants/flips": (put(1, -0.5), "variants/flips: outside 0 to 1"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_verify_finds_what_is_wrong_beside_the_scores(path: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    with h5py.File(path, "r+") as file:
        damage(file[f"models/alpha/{name}"])
    with Store(path) as store:
        problems = verify(store).problems
    assert any(message in problem for problem in problems), problems


def test_q_must_not_fall_below_p_nor_against_it(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        z, q = file["models/alpha/concepts/z"], file["models/beta/concepts/q"]
        z[0] = np.linspace(0.1, 3, 40)
        file["models/alpha/concepts/q"][0] = 1e-9
        order = np.argsort(-np.abs(file["models/beta/concepts/z"][1]))
        q[1] = np.linspace(1.0, 0.999, 40)[np.argsort(order)]
    with Store(path) as store:
        problems = verify(store).problems
    assert "models/alpha/concepts/q: below p in 1 classes" in problems
    assert "models/beta/concepts/q: not ascending with p in 1 classes" in problems


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
        ("comparison/above", put(1, 2, 0, 1, 0.999), "above and below do not make 1"),
        ("comparison/above", put(0, 0, 0, 0, -0.5), "outside 0 to 1"),
        ("comparison/value", put(2, 1, 1, 50.0), "image_score of beta is not that of its bootstrap"),
    ],
)
def test_verify_finds_a_damaged_comparison(path: Path, name: str, damage: Callable, message: str) -> None:
    with h5py.File(path, "r+") as file:
        damage(file[name])
    with Store(path) as store:
        assert any(message in problem for problem in verify(store)[0])


def test_an_approximate_null_space_may_flip_predictions(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/controls/flips"][0] = 0.1
        file["models/alpha/summary/flips"][()] = 4
        text = h5py.string_dtype("utf-8", 11)
        file["models/alpha"].attrs.create("null_space", b"energy=0.99", dtype=text)
    with Store(path) as store:
        assert verify(store)[0] == []


def with_features(path: Path) -> Path:
    """A file whose features are kept; its images' columns follow from them by arccos in float64."""
    rng = np.random.default_rng(5)
    with h5py.File(path, "r+") as file:
        group, labels = file["models/alpha"], file["images/class"][()]
        head = group["head/weight"][()]
        features = rng.normal(size=(len(labels), 16)).astype(np.float32)
        wide = features.astype(np.float64)
        null = wide - wide @ np.linalg.pinv(head) @ head
        group["images/prediction"][...] = (wide @ head.T + group["head/bias"][()]).argmax(1)
        group["images/null_energy"][...] = np.linalg.norm(null, axis=1) / np.linalg.norm(wide, axis=1)
        folds = rng.integers(0, 5, len(labels))
        matrix = group["translator/fold_weight"][()].astype(np.float64)[folds]
        before = np.einsum("ikd,id->ik", matrix, wide) + group["translator/fold_bias"][()][folds]
        after = before - np.einsum("ikd,id->ik", matrix, null)
        text = file["clip/class_embeddings"][()][labels]

        def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            product = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            return np.degrees(np.arccos(product))

        group["images/attribute_score"][...] = angle(before, text) - angle(after, text)
        group["images/image_score"][...] = angle(before, after)
    extra = path.with_name("with_features.h5")
    with Store(path) as store, replace_store(extra, scratch=path.parent) as writer:
        writer.copy(store)
        writer.put("models/{model}/features/row", np.arange(len(labels)), model="alpha")
        writer.put("models/{model}/features/value", features, model="alpha")
    return extra


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (None, None, None),
        ("images/attribute_score", scale(1.05), "no fold translator gives the stored AS and IS"),
        ("translator/fold_weight", scale(1.5), "no fold translator gives"),
        ("images/null_energy", scale(0.9), "another null energy than stored"),
        ("features/value", lambda d: d.write_direct(d[()][::-1].copy()), "other predictions than images/prediction"),
        ("features/row", put(0, 40), "features/row: not ascending rows of images"),
        ("features/row", put(42, 43), "features/row: not ascending rows of images"),
    ],
)
def test_kept_features_give_the_stored_scores_again(path: Path, name: str, damage: Callable, message: str) -> None:
    extra = with_features(path)
    if name is not None:
        with h5py.File(extra, "r+") as file:
            damage(file[f"models/alpha/{name}"])
    with Store(extra) as store:
        found = [problem for problem in verify(store)[0] if "/features/" in problem]
    if message is None:
        assert found == []
    else:
        assert any(message in problem for problem in found), found


def test_the_reference_control_is_the_one_that_scores_are_divided_by() -> None:
    from sing_compute.scores import controls

    assert REFERENCE == controls.REFERENCE
