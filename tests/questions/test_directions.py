"""The command directions: what it writes follows from the stored features and the head, and verify finds what does not."""

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from planted_directions import BASE, CLASSES, QUESTION, QUICK, faults_of, write_planted

from sing_compute.directions.rivals import RIVALS
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.finding import find_and_add
from sing_compute.questions.directions.sink import directions_text
from sing_compute.questions.merging import merge
from sing_compute.store import Place, Store, open_table


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("planted") / "planted.h5")


@pytest.fixture(scope="module")
def found(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with directions of both models, labels, and directions of other methods for the first one."""
    folder = tmp_path_factory.mktemp("found")
    path, table = folder / "found.h5", folder / "labels.csv"
    shutil.copy(planted, path)
    with Store(path) as store, table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "texture", "size"])
        keys = [str(key) for key in store.array("images/key")]
        rows.writerows([key, "striped" if row % 3 == 1 else "", "large"] for row, key in enumerate(keys))
    fast = {name: RIVALS[name] for name in ("PCA", "k-means")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sing_compute.questions.directions.rival_directions.RIVALS", fast)
        find_and_add(path, replace(QUESTION, rivals=True, labels=table, step=2.0), Progress(), settings=QUICK)
    find_and_add(path, replace(QUESTION, model="beta", seed=1), Progress(), settings=QUICK)
    return path


def test_what_is_written_follows_from_features_and_head(found: Path) -> None:
    with Store(found) as store:
        features = store.array("models/alpha/features/value").astype(np.float64)
        weight = store.array("models/alpha/head/weight")
        filters, signals, patterns = (store.array(f"{BASE}pairs/{name}") for name in ("filter", "signal", "pattern"))
        logits = features @ filters.T - store.array(f"{BASE}pairs/threshold")
        fires = logits > 0
        np.testing.assert_allclose(store.array(f"{BASE}images/logit"), logits, rtol=1e-5, atol=1e-5)
        assert store.array(f"{BASE}pairs/positives").tolist() == fires.sum(0).tolist()
        labels = store.array("images/class")
        assert store.array(f"{BASE}classes/positives").sum(1).tolist() == fires.sum(0).tolist()
        assert store.array(f"{BASE}classes/positives")[:, 1].tolist() == fires[labels == 1].sum(0).tolist()
        for k in np.flatnonzero((signals != 0).any(1)):
            positives = features[fires[:, k]]
            strength = positives @ filters[k]
            covariance = ((strength - strength.mean())[:, None] * (positives - positives.mean(0))).mean(0)
            np.testing.assert_allclose(signals[k], covariance / strength.var(), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(
                store.array(f"{BASE}null/share")[k], 1 - (signals[k, :4] ** 2).sum() / (signals[k] ** 2).sum()
            )
        for k in np.flatnonzero((patterns != 0).any(1)):
            difference = features[fires[:, k]].mean(0) - features[~fires[:, k]].mean(0)
            np.testing.assert_allclose(patterns[k], difference / (difference @ filters[k]), rtol=1e-6, atol=1e-9)
        steps = store.array(f"{BASE}pairs/strength")[:, None] * signals
        np.testing.assert_allclose(
            store.array(f"{BASE}pairs/strength"),
            [logits[on, k].mean() - logits[:, k].mean() for k, on in enumerate(fires.T)],
        )
        before = torch.from_numpy(features @ weight.T + store.array("models/alpha/head/bias")).softmax(1).numpy()
        for k, step in enumerate(steps):
            after = (
                torch.from_numpy((features + step) @ weight.T + store.array("models/alpha/head/bias"))
                .softmax(1)
                .numpy()
            )
            np.testing.assert_allclose(
                store.array(f"{BASE}classes/change")[k, :, 1], (after - before).mean(0), atol=1e-9
            )


def test_directions_with_the_most_trusted_detectors_come_first_and_keep_their_own_figures(found: Path) -> None:
    with Store(found) as store:
        detector, pinned = store.array(f"{BASE}trust/detector"), store.array(f"{BASE}trust/pinned")
        assert (np.diff(detector) <= 0).all()
        weight, filters = store.array("models/alpha/head/weight"), store.array(f"{BASE}pairs/filter")
        rows = np.linalg.svd(weight - weight.mean(0), full_matrices=False)[2][: CLASSES - 1]
        units = filters / np.linalg.norm(filters, axis=1, keepdims=True)
        np.testing.assert_allclose(pinned, ((units @ rows.T) ** 2).sum(1))


def test_a_direction_is_named_by_the_concept_toward_which_it_leads_most(found: Path) -> None:
    with Store(found) as store:
        translator, concepts = store.array("models/alpha/translator/weight"), store.array("concepts/name")
        table = open_table(store, Place.of("directions", model="alpha"))
        for column, part in (("words", "signal"), ("difference_words", "pattern")):
            words = table.column(column).values.all()
            moves = store.array(f"{BASE}pairs/{part}") @ translator.T
            for said, move in zip(words, moves, strict=True):
                first = np.argmax(np.concatenate([move, -move]))  # the concepts are the axes and their opposites
                assert str(said).startswith(f"{concepts[first]} ") == bool(move.any())


def test_every_table_opens_and_verify_finds_no_fault(found: Path) -> None:
    tables = ("directions", "direction_corrections", "direction_rivals", "direction_losses")
    with Store(found) as store:
        assert faults_of(store) == []
        for table in tables:
            assert open_table(store, Place.of(table, model="alpha")).length
        for table in ("direction_classes", "direction_images", "direction_matches"):
            assert open_table(store, Place.of(table, model="alpha", direction=1)).length
        unread = open_table(store, Place.of("unread_directions", model="alpha"))
        assert unread.length == store.array(f"{BASE}null/unread").sum()
        text = directions_text(store, "alpha")
        assert "3 directions" in text
        assert "nullity / dim is 75.0%" in text
        table = open_table(store, Place.of("directions", model="alpha"))
        for words, cosine in (("words", "cosine"), ("difference_words", "difference_cosine")):
            for mix, value in zip(*(table.column(name).values.all() for name in (words, cosine)), strict=True):
                assert not mix or f"{', '.join(str(mix).split(', ')[:2])} ({value:.2f})" in text


def test_matches_are_those_of_the_images_on_which_both_fire(found: Path) -> None:
    with Store(found) as store:
        fires = [store.array(f"models/{model}/directions/images/logit") > 0 for model in ("alpha", "beta")]
        both = fires[0].T.astype(int) @ fires[1].astype(int)
        union = fires[0].sum(0)[:, None] + fires[1].sum(0) - both
        iou = both / np.maximum(union, 1)
        stored = store.array(f"{BASE}matches/iou")[:, 0]
        np.testing.assert_allclose(stored, iou.max(1))
        assert store.array("models/beta/directions/matches/model").tolist() == ["alpha"]
        np.testing.assert_allclose(store.array("models/beta/directions/matches/iou")[:, 0], iou.max(0))


def test_labels_are_scored_on_the_other_half(found: Path) -> None:
    with Store(found) as store:
        assert store.array(f"{BASE}labels/concept").tolist() == ["size large", "texture striped"]
        iou, facts = store.array(f"{BASE}labels/iou"), store.scalars(f"{BASE}summary")
        assert facts["s1"] == pytest.approx(iou.sum())
        assert 0 < facts["s2"] <= facts["s1"]


def test_corrections_are_those_of_the_moved_features(found: Path) -> None:
    with Store(found) as store:
        features, labels = store.array("models/alpha/features/value").astype(np.float64), store.array("images/class")
        weight, bias = (store.array(f"models/alpha/head/{part}") for part in ("weight", "bias"))
        filters, signals = (store.array(f"{BASE}pairs/{part}") for part in ("filter", "signal"))

        def accuracy(moved: np.ndarray) -> float:
            return float(((moved @ weight.T + bias).argmax(1) == labels).mean())

        assert store.array(f"{BASE}corrections/before")[0] == pytest.approx(accuracy(features))
        for k, threshold in enumerate(store.array(f"{BASE}pairs/threshold")):
            if not signals[k].any():
                continue
            logit = features @ filters[k] - threshold
            excess = np.where(logit > 0, logit - logit[logit <= 0].mean(), 0)[:, None]
            along = {"signal": signals[k], "filter": filters[k] / (filters[k] @ filters[k])}
            for name, vector in along.items():
                assert store.array(f"{BASE}corrections/{name}")[k, 0] == pytest.approx(
                    accuracy(features - excess * vector)
                )
            step = 2 / (1 + np.exp(-logit[:, None])) * signals[k] / np.linalg.norm(signals[k])
            assert store.array(f"{BASE}corrections/fixed")[k, 0] == pytest.approx(
                accuracy(np.maximum(features - step, 0))
            )
        facts = store.scalars(f"{BASE}summary")
        assert 0 <= facts["s3"] <= 1
        assert 0 < facts["s3_chance"] <= 0.5


def test_a_second_call_replaces_the_first_and_merge_keeps_them(found: Path, tmp_path: Path) -> None:
    path, both = tmp_path / "again.h5", tmp_path / "both.h5"
    shutil.copy(found, path)
    find_and_add(path, replace(QUESTION, count=2), Progress(), settings=QUICK)
    with Store(path) as store:
        assert store.count("direction", Place("directions").at(model="alpha")) == 2
        assert f"{BASE}rivals/name" not in store
        assert faults_of(store) == []
    with h5py.File(found.parent / "other.h5", "w") as file, h5py.File(found) as source:
        for name in source:
            source.copy(name, file)
        file.attrs.update(source.attrs)
        file.move("models/beta", "models/other")
        del file["models/alpha"]
    merge([path, found.parent / "other.h5"], both, Progress(), renames=["alpha=gamma"])
    with Store(both) as store:
        assert store.array("models/gamma/directions/pairs/name").tolist() == ["direction 0", "direction 1"]
        assert [str(name) for name in store.array("models/other/directions/matches/model")] == ["gamma", "beta"]
        assert [str(name) for name in store.array("models/gamma/directions/matches/model")] == ["beta", "other"]


EDITS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], str]] = {
    "filter": ("pairs/filter", lambda values: values * 1.01, "w . s is not 1"),
    "signal": ("pairs/signal", lambda values: values * 0.9, "w . s is not 1"),
    "pattern": ("pairs/pattern", lambda values: values * 0.9, "w . pattern is not 1"),
    "threshold": ("pairs/threshold", lambda values: values + 0.5, "not w . x - b of the stored features"),
    "margin": ("pairs/margin", lambda values: values * 2, "not that of 1 / |w|"),
    "positives": ("pairs/positives", lambda values: values + 100, "fewer than images, or too many"),
    "images": ("pairs/images", lambda values: values - 1, "not that of images/logit"),
    "logit": ("images/logit", lambda values: -values, "not that of images/logit"),
    "row": ("images/row", lambda values: values[::-1], "not ascending"),
    "images of a class": ("classes/images", lambda values: values + 1, "not that of images/row"),
    "positives of a class": ("classes/positives", lambda values: values + 1, "not that of images/logit"),
    "row cosine": ("null/row_cosine", lambda values: values * 0.5, "not that of filters and head/weight"),
    "share": ("null/share", lambda values: values * 0.5, "not that of signal vectors and the head"),
    "share of the difference": (
        "null/pattern_share",
        lambda values: values * 0.5,
        "not that of pattern vectors and the head",
    ),
    "null movement": ("null/null_movement", lambda values: values * 2, "null share of movement"),
    "unread": ("null/unread", lambda values: 1 - values, "null/unread"),
    "state": (
        "trust/state",
        lambda values: np.array([b"sure"] * len(values), values.dtype),
        "trust/state: b'sure' is not one of",
    ),
    "found": ("summary/found", lambda value: value + 1, "not that of trust/state"),
    "score": ("trust/score", lambda values: values + 1.5, "trust/score: not from 0 to 1"),
    "cosine": ("names/cosine", lambda values: values + 2, "names/cosine: not from -1 to 1"),
    "p": ("classes/p", lambda values: values * 0, "classes/p: not above 0"),
    "q": ("null/q", lambda values: values * 0 + 2, "null/q: not from 0 to 1"),
    "matched images": ("matches/iou", lambda values: values * 0.5, "matches/iou: not that of the images"),
    "S1": ("summary/s1", lambda value: value + 1, "not that of labels/iou"),
    "flips": ("classes/flips", lambda values: values * 0.5, "classes/flips: not that of features/value"),
    "loss": ("losses/value", lambda values: values * 1.1, "losses/value: not that of features/value"),
    "objective": ("summary/objective", lambda value: value + 1, "summary/objective: not that of losses/value"),
    "correction": ("corrections/signal", lambda values: values * 0.9, "corrections/signal: not that of features/value"),
    "word": ("names/pick", lambda values: values * 0 + 999, "names/pick"),
}


@pytest.mark.parametrize("case", EDITS)
def test_verify_finds_an_edited_figure(found: Path, tmp_path: Path, case: str) -> None:
    name, change, message = EDITS[case]
    path = tmp_path / "edited.h5"
    shutil.copy(found, path)
    with h5py.File(path, "r+") as file:
        stored = file[BASE + name]
        stored[...] = change(stored[()])
    with Store(path) as store:
        faults = faults_of(store)
    assert any(message in fault for fault in faults), faults
