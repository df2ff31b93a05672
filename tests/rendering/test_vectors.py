"""The embeddings that get pictures, against a calculation by hand."""

from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest

from sing_compute.process.progress import Progress
from sing_compute.questions.renders.vectors import ImageVectors, image_vectors
from sing_compute.questions.steering import find_target
from sing_compute.questions.stored_model import StoredModel
from sing_compute.store import Store

ROWS = np.array([70, 3, 41])
KINDS = ("centred", "random", "null", "principal")


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def of(image: ImageVectors, kind: str) -> np.ndarray:
    return image.vectors[image.kinds.index(kind)].numpy()


@pytest.fixture
def model(results: Path) -> Iterator[StoredModel]:
    with Store(results) as store:
        yield StoredModel.read(store, "first")


def by_hand(store: Store, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Feature, translator of its fold, and an orthonormal null basis of the head."""
    feature = store.array("models/first/features/value")[row].astype(np.float64)
    fold = asking.folds(store.array("images/key"))[row]
    a, b = (store.array(f"models/first/translator/fold_{part}")[fold].astype(np.float64) for part in ("weight", "bias"))
    return feature, a, b, np.linalg.svd(store.array("models/first/head/weight"))[2][4:]


def test_each_kind_is_what_its_name_says(model: StoredModel) -> None:
    store = model.store
    target = find_target(store, "dog", Progress())
    found = image_vectors(model, ROWS, KINDS, target, angle=20.0)
    assert [image.row for image in found] == ROWS.tolist()
    mean = store.array("models/first/translator/mean_feature").astype(np.float64)
    for image in found:
        feature, a, b, null = by_hand(store, image.row)
        part = feature @ null.T @ null
        assert image.kinds == ("translated", "equivalent", "centred", "steered", "random", "null", "principal")
        assert image.norm == pytest.approx(np.linalg.norm(a @ feature + b), rel=1e-6)
        assert np.abs(of(image, "translated") - unit(a @ feature + b)).max() < 1e-6
        assert np.abs(of(image, "equivalent") - unit(a @ (feature - part) + b)).max() < 1e-6
        assert np.abs(of(image, "centred") - unit(a @ (feature - part + mean @ null.T @ null) + b)).max() < 1e-5
        turned = np.degrees(np.arccos(of(image, "steered") @ of(image, "translated")))
        assert turned == pytest.approx(20, abs=1e-5)


def test_drawn_changes_have_the_length_of_the_null_part_and_do_not_depend_on_other_images(model: StoredModel) -> None:
    alone = image_vectors(model, ROWS[1:2], KINDS, None, angle=1.0)[0]
    many = image_vectors(model, ROWS, KINDS, None, angle=1.0)[1]
    assert (alone.vectors - many.vectors).abs().max() < 1e-12
    feature, a, b, null = by_hand(model.store, alone.row)
    length = np.linalg.norm(null @ feature)
    principal = np.linalg.svd(model.store.array("models/first/head/weight"))[2][:4]
    for kind, basis in (("null", null), ("principal", principal), ("random", np.eye(len(feature)))):
        # Solve T(f) - A d proportional to the vector, d in the basis: d and the scale are what is unknown.
        moved = np.column_stack([a @ basis.T, of(alone, kind)])
        solution = np.linalg.lstsq(moved, a @ feature + b, rcond=None)[0]
        step = solution[:-1] @ basis
        if kind != "random":  # a whole feature space leaves the scale open
            assert np.linalg.norm(step) == pytest.approx(length, rel=1e-4)


def with_pairs(path: Path, signal: np.ndarray, state: bytes = b"found") -> None:
    """Put one direction pair into a file."""
    with h5py.File(path, "r+") as file:
        group = file.create_group("models/first/directions")
        filters = (signal / (signal @ signal))[None]
        texts = {"pairs/name": [b"direction 0"], "trust/state": [state]}
        for name, values in texts.items():
            group[name] = np.array(values, dtype=h5py.string_dtype("utf-8", 16))
        for name, values in (("filter", filters), ("threshold", [0.0]), ("signal", signal[None]), ("strength", [1.0])):
            group[f"pairs/{name}"] = np.array(values, dtype=np.float64)


def test_a_counterfactual_is_the_smallest_step_to_another_prediction(results: Path) -> None:
    signal = np.random.default_rng(0).normal(size=asking.DIM)
    with_pairs(results, signal)
    with Store(results) as store:
        model = StoredModel.read(store, "first")
        found = image_vectors(model, ROWS, ["counterfactual"], None, angle=1.0)
        weight, bias = (store.array(f"models/first/head/{name}").astype(np.float64) for name in ("weight", "bias"))
        for image in found:
            feature, a, b, _ = by_hand(store, image.row)
            logits, gains = weight @ feature + bias, weight @ signal
            own = logits.argmax()
            steps = [(logits[own] - logits[k]) / (gains[k] - gains[own]) for k in range(4) if k != own]
            step = min(steps, key=abs)
            assert np.abs(of(image, "counterfactual") - unit(a @ (feature + step * signal) + b)).max() < 1e-5


def test_a_step_that_no_logit_sees_reaches_no_other_prediction(results: Path) -> None:
    with Store(results) as store:
        null = by_hand(store, 0)[3]
    with_pairs(results, null[0].astype(np.float64))
    with Store(results) as store:
        found = image_vectors(StoredModel.read(store, "first"), ROWS, ["counterfactual"], None, angle=1.0)
        assert {image.kinds for image in found} == {("translated", "equivalent")}


def test_an_angle_out_of_reach_is_left_out(model: StoredModel) -> None:
    target = find_target(model.store, "dog", Progress())
    found = image_vectors(model, ROWS, (), target, angle=179.0)
    assert all("steered" not in image.kinds for image in found)
