"""Steering what a file keeps: the numbers of a calculation that knows neither the closed form nor the projection."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from sing_compute.errors import SingError
from sing_compute.process.progress import Progress
from sing_compute.questions.steering import Target, find_source, find_target, steer_class, steer_matrix
from sing_compute.questions.stored_model import StoredModel
from sing_compute.store import Store

ANGLE = 30.0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("steering")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield asking.measure(folder, "results.h5", "first", "second")


@pytest.fixture
def store(results: Path) -> Iterator[Store]:
    with Store(results) as opened:
        yield opened


def angle(left: np.ndarray, right: np.ndarray) -> float:
    cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
    return float(np.degrees(np.arccos(min(1.0, cosine))))


def by_hand(store: Store, row: int, text: np.ndarray) -> tuple[float, float]:
    """AS and step of one image of `first`: a gradient by differences in the null space, and a root search for the step."""
    feature = store.array("models/first/features/value")[row].astype(np.float64)
    fold = asking.folds(store.array("images/key"))[row]
    a, b = (store.array(f"models/first/translator/fold_{part}")[fold].astype(np.float64) for part in ("weight", "bias"))
    null = np.linalg.svd(store.array("models/first/head/weight"))[2][4:]

    def cosine(place: np.ndarray) -> float:
        u = a @ (feature + place @ null) + b
        return float(u @ text / np.linalg.norm(u) / np.linalg.norm(text))

    steps = 1e-5 * np.eye(len(null))
    gradient = np.array([cosine(step) - cosine(-step) for step in steps])
    direction = gradient / np.linalg.norm(gradient) @ null
    before = a @ feature + b

    def turned(eps: float) -> float:
        return angle(before, before + eps * (a @ direction)) - ANGLE

    largest = 1.0
    while turned(largest) < 0:
        largest *= 2
        if largest > 1e9:
            return np.nan, np.nan
    eps = brentq(turned, 0, largest, xtol=1e-12)
    return angle(before, text) - angle(before + eps * (a @ direction), text), eps


@pytest.mark.parametrize("target", ["dog", "striped"])
def test_scores_and_steps_are_those_found_by_search(store: Store, target: str) -> None:
    label = asking.CLASSES.index("bee")
    towards = find_target(store, target, Progress())
    found = steer_class(StoredModel.read(store, "first"), label, towards, angle=ANGLE)
    rows = np.flatnonzero(store.array("images/class") == label)
    assert found.keys == [str(key) for key in store.array("images/key")[rows]]
    wanted = np.array([by_hand(store, row, towards.vector.double().numpy()) for row in rows])
    assert np.isfinite(wanted).all()
    assert np.abs(found.attribute_score.numpy() - wanted[:, 0]).max() < 1e-3  # differences of 1e-5 in the gradient
    assert np.abs(found.step.numpy() / wanted[:, 1] - 1).max() < 1e-4
    assert np.abs(found.image_score.numpy() - ANGLE).max() < 1e-8
    assert found.flipped.tolist() == [0.0] * len(rows)
    assert float(found.logit_change.max()) < 1e-4
    assert found.summary.mean == pytest.approx(wanted[:, 0].mean(), abs=1e-3)
    assert found.summary.std == pytest.approx(wanted[:, 0].std(ddof=1), abs=1e-3)


def test_the_matrix_holds_the_means_of_its_rows_images(store: Store) -> None:
    kept = StoredModel.read(store, "first")
    matrix = steer_matrix(kept, Progress(), angle=ANGLE)
    texts = store.array("clip/class_embeddings").astype(np.float64)
    for label, target in ((3, 0), (2, 2), (1, 3)):
        rows = np.flatnonzero(store.array("images/class") == label)
        scores = np.array([by_hand(store, row, texts[target])[0] for row in rows])
        reached = scores[np.isfinite(scores)]
        assert matrix.mean[label, target] == pytest.approx(reached.mean(), abs=1e-3)
        assert matrix.std[label, target] == pytest.approx(reached.std(ddof=1), abs=2e-3)
        assert matrix.unreachable[label, target] == len(rows) - len(reached)
    assert matrix.images.tolist() == list(asking.PER_CLASS)


def test_an_angle_out_of_reach_is_counted_and_no_number(store: Store) -> None:
    kept = StoredModel.read(store, "first")
    target = find_target(store, "dog", Progress())
    found = steer_class(kept, 0, target, angle=179.0)
    assert found.summary.unreachable + found.summary.count == asking.PER_CLASS[0]
    assert found.summary.unreachable > 0
    nothing = found.attribute_score.isnan()
    assert all(column[nothing].isnan().all() for column in (found.step, found.flipped, found.logit_change))
    matrix = steer_matrix(kept, Progress(), angle=179.0)
    assert matrix.unreachable[0, 3] == found.summary.unreachable


def test_flips_and_logits_are_counted_where_the_null_space_is_only_nearly_null(results: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(results, tmp_path / "near.h5"))
    with h5py.File(path, "r+") as file:  # as an approximate null space that gives a principal direction away
        file["models/first/summary/rank"][()] = 1
        file["models/first/summary/nullity"][()] = 11
        weight, bias = (file[f"models/first/head/{part}"][()] for part in ("weight", "bias"))
        features = file["models/first/features/value"][:60].astype(np.float64)
    with Store(path) as store:
        kept = StoredModel.read(store, "first")
        found = steer_class(kept, 0, find_target(store, "dog", Progress()), angle=60.0)
        logits = features @ weight.T + bias
        visible = features - kept.split.null_part(torch.from_numpy(features)).numpy()
        assert np.abs((features - visible) @ weight.T).max() > 1e-2  # it is not null
        assert 0 < int(found.flipped.nansum()) <= found.summary.count
        spread = (logits.max(1) - logits.min(1)).mean()
        fold = asking.folds(store.array("images/key"))[0]
        a = store.array("models/first/translator/fold_weight")[fold].astype(np.float64)
        b = store.array("models/first/translator/fold_bias")[fold].astype(np.float64)
        null = kept.split.null_basis.numpy()
        u, text = a @ features[0] + b, store.array("clip/class_embeddings")[3].astype(np.float64)
        across = text - text @ u / (u @ u) * u
        direction = null.T @ (null @ (a.T @ across))
        moved = float(found.step[0]) * direction / np.linalg.norm(direction)
        assert float(found.logit_change[0]) == pytest.approx(np.abs(weight @ moved).max() / spread, rel=1e-4)
        assert bool(found.flipped[0]) == ((logits[0] + weight @ moved).argmax() != logits[0].argmax())


def test_a_target_is_a_class_before_it_is_a_concept(store: Store) -> None:
    for text, kind, path in (("BEE", "class", "class"), ("1", "class", "class"), ("Striped", "concept", "concept")):
        target = find_target(store, text, Progress())
        names = [str(name) for name in store.array(f"{'classes' if kind == 'class' else 'concepts'}/name")]
        place = 1 if text == "1" else names.index(text.casefold())
        assert target.kind == kind
        assert (target.vector.numpy() == store.array(f"clip/{path}_embeddings")[place]).all()


def test_any_other_text_is_asked_of_the_clip(results: Path, store: Store) -> None:
    target = find_target(store, "snow", Progress(), embeddings=results.with_name("later.npz"))
    assert (target.kind, target.text) == ("text", "an image of a snow")
    with np.load(results.with_name("later.npz")) as arrays:
        row = arrays["embeddings"][list(arrays["keys"]).index("snow")]
    assert np.abs(target.vector.numpy() - row / np.linalg.norm(row)).max() < 1e-6
    message = r"--to 'stripes' is no class or concept of results.h5; near: striped; .* with --embeddings FILE.npz"
    with pytest.raises(SingError, match=message):
        find_target(store, "stripes", Progress())


@pytest.mark.parametrize("text", ["purple elephant", "a purple elephant", " The purple elephant"])
def test_an_article_is_not_said_twice(store: Store, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    asked: list[str] = []

    def vectors(_store: Store, _keys: list[str], prompts: list[str], *_: object, **__: object) -> torch.Tensor:
        asked.extend(prompts)
        return torch.ones(1, asking.CLIP)

    monkeypatch.setattr("sing_compute.questions.steering.text_vectors", vectors)
    find_target(store, text, Progress())
    assert asked == ["an image of a purple elephant"]


def test_a_source_that_is_no_class_names_near_ones(store: Store) -> None:
    assert [find_source(store, text) for text in ("Cat", "2", " bee ")] == [2, 2, 1]
    with pytest.raises(
        SingError, match=r"--from 'beee' is no class of results.h5; near: bee; only the images of a class"
    ):
        find_source(store, "beee")
    with pytest.raises(SingError, match=r"--from 'xylophone' is no class of results.h5; only the images"):
        find_source(store, "xylophone")


def test_two_classes_of_one_name_are_told_apart_by_index(results: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(results, tmp_path / "twins.h5"))
    with h5py.File(path, "r+") as file:
        file["classes/name"][3] = b"bee"
    with Store(path) as store:
        for find in (find_source, lambda store, text: find_target(store, text, Progress())):
            with pytest.raises(SingError, match="2 classes are named 'bee': give the index, one of 1, 3"):
                find(store, "bee")


def test_a_class_without_kept_features_is_refused(results: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(results, tmp_path / "few.h5"))
    with h5py.File(path, "r+") as file:
        for name in ("row", "value"):
            values = file[f"models/first/features/{name}"][:60]
            del file[f"models/first/features/{name}"]
            file[f"models/first/features/{name}"] = values
    with Store(path) as store:
        target = Target("text", "x", torch.ones(asking.CLIP))
        with pytest.raises(SingError, match="first: no features of bee are kept; choose another --from"):
            steer_class(StoredModel.read(store, "first"), 1, target, angle=ANGLE)
