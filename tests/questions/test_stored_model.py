"""A model that is read back from a results file gives the results of the run that measured it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
import torch

from sing_compute.errors import SingError, StoreError
from sing_compute.questions.stored_model import StoredModel, chosen_models
from sing_compute.store import Store, Writer


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("kept")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        asking.measure(folder, "results.h5", "first", options=["--invariance", "softmax"])
        yield asking.measure(folder, "results.h5", "full", "second")


@pytest.fixture
def copy(results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(results, tmp_path / "results.h5"))


def angle(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    cosine = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    return np.degrees(np.arccos(cosine))


def test_scores_follow_from_what_is_kept_alone(results: Path) -> None:
    with Store(results) as store:
        base = "models/first/"
        features = store.array(base + "features/value").astype(np.float64)
        weight = store.array(base + "head/weight")
        visible = np.linalg.pinv(weight - weight.mean(0)) @ (weight - weight.mean(0))
        folds = asking.folds(store.array("images/key"))
        a, b = (store.array(f"{base}translator/fold_{part}").astype(np.float64)[folds] for part in ("weight", "bias"))
        before = np.einsum("icd,id->ic", a, features) + b
        after = np.einsum("icd,id->ic", a, features @ visible) + b
        assert np.abs(angle(before, after) - store.array(base + "images/image_score")).max() < 1e-4
        kept = StoredModel.read(store, "first")
        assert (kept.split.rank, kept.split.nullity) == (3, 9)
        assert kept.centred
        for batch in kept.batches():
            assert (batch.folds.numpy() == folds[kept.rows[batch.rows]]).all()
            own = torch.stack([kept.folds[fold].whole(batch.features[[at]])[0] for at, fold in enumerate(batch.folds)])
            assert np.abs(own.numpy() - before[kept.rows[batch.rows]]).max() < 1e-5
            assert (batch.labels.numpy() == store.array("images/class")[kept.rows[batch.rows]]).all()


def test_batches_of_a_class_are_its_images_and_no_others(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:  # as if features of evenly spread images were kept
        rows = file["models/first/features/row"][::3]
        values = file["models/first/features/value"][::3]
        del file["models/first/features"]
        Writer(file).put("models/{model}/features/row", rows, model="first")
        Writer(file).put("models/{model}/features/value", values, model="first")
    with Store(copy) as store:
        kept = StoredModel.read(store, "first")
        labels = store.array("images/class")
        for label in range(len(asking.CLASSES)):
            batches = list(kept.batches(label))
            found = np.concatenate([kept.rows[batch.rows] for batch in batches]) if batches else np.empty(0)
            assert found.tolist() == [row for row in rows if labels[row] == label]
            for batch in batches:
                assert np.array_equal(batch.features.numpy(), values[batch.rows])


def test_the_stated_rank_decides_where_the_head_is_cut(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        file["models/first/summary/rank"][()] = 2
        file["models/first/summary/nullity"][()] = 10
    with Store(copy) as store:
        kept = StoredModel.read(store, "first")
        weight = store.array("models/first/head/weight")
        values = np.linalg.svd(weight - weight.mean(0), compute_uv=False)
        moved = (kept.weight - kept.weight.mean(0)) @ kept.split.null_basis.T
        assert kept.split.rank == 2
        assert abs(float(torch.linalg.matrix_norm(moved, 2)) - values[2]) < 1e-12


def test_a_model_without_null_space_has_nothing_to_ask(results: Path) -> None:
    with (
        Store(results) as store,
        pytest.raises(SingError, match="full has no scores to ask about: its head has no null space"),
    ):
        StoredModel.read(store, "full")


def test_a_model_without_features_says_what_needs_them(copy: Path) -> None:
    with h5py.File(copy, "r+") as file:
        del file["models/first/features"]
    with Store(copy) as store:
        kept = StoredModel.read(store, "first")
        assert list(kept.batches()) == []
        with pytest.raises(SingError, match="first was measured without keeping its features, which steer needs"):
            kept.need_features("steer")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("summary/rank", 5, "summary: rank and nullity do not make 12"),
        ("translator/fold_weight", np.nan, "translator/fold_weight: not all finite"),
        ("head/bias", np.inf, "head/bias: not all finite"),
        ("features/row", 7, "features/row: not ascending rows of the images"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(copy: Path, path: str, value: float, message: str) -> None:
    with h5py.File(copy, "r+") as file:
        file[f"models/first/{path}"][...] = value
    with Store(copy) as store, pytest.raises(StoreError, match=message):
        StoredModel.read(store, "first")


def test_all_models_or_the_one_asked_for(results: Path) -> None:
    with Store(results) as store:
        assert chosen_models(store, None) == ["first", "full", "second"]
        assert chosen_models(store, "full") == ["full"]
        with pytest.raises(StoreError, match=r"no model 'fisrt' in results.h5; it holds: first, full, second"):
            chosen_models(store, "fisrt")
