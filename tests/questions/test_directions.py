"""The command directions: what it writes follows from the stored features and the head; everything else in the file stays."""

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from file_contents import contents
from PIL import Image
from stores import write_store

from sing_compute.cli import cli
from sing_compute.directions.rivals import RIVALS
from sing_compute.directions.settings import Settings
from sing_compute.errors import SingError
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.finding import find_and_add
from sing_compute.questions.directions.inputs import read_inputs
from sing_compute.questions.directions.question import DirectionsQuestion
from sing_compute.questions.directions.sink import directions_text
from sing_compute.questions.merging import merge
from sing_compute.store import Place, Store, open_table
from sing_compute.store.checks.directions import check_directions
from sing_compute.store.verify import Checker, verify
from sing_compute.store.write import Writer

CLASSES, DIM, CLIP, IMAGES = 4, 16, 8, 43
"""Of `write_store`: classes cat (30 images), dog (12), owl (1), empty (0)."""
QUICK = Settings(first_steps=6, joint_steps=6, checkpoint_steps=3)
"""Too few steps to find anything; what is measured of the directions is exact all the same."""
QUESTION = DirectionsQuestion("alpha", count=3, restarts=2, size=2)
BASE = "models/alpha/directions/"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of two concepts, one in the head's span and one in its null space; the translator shows both to CLIP."""
    path = write_store(tmp_path_factory.mktemp("planted") / "planted.h5", concepts=2 * CLIP)
    rng = np.random.default_rng(0)
    features = 0.3 * rng.normal(size=(IMAGES, DIM))
    features[::2, 0] += 3
    features[1::3, 5] += 4
    weight = np.zeros((CLIP, DIM))
    weight[1, 0] = weight[3, 5] = 1
    with h5py.File(path, "r+") as file:
        for model in ("alpha", "beta"):
            file.pop(f"models/{model}/features", None)
            Writer(file).put("models/{model}/features/row", range(IMAGES), model=model)
            Writer(file).put("models/{model}/features/value", features, model=model)
            file[f"models/{model}/head/weight"][...] = np.eye(CLASSES, DIM)
            file[f"models/{model}/translator/weight"][...] = weight
        file["clip/concept_embeddings"][...] = np.concatenate([np.eye(CLIP), -np.eye(CLIP)])
    return path


@pytest.fixture
def results(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(planted, tmp_path / "results.h5"))


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


def _faults(store: Store) -> list[str]:
    """Faults that `verify` finds in directions; other figures of the file do not belong to the planted features."""
    return [problem for problem in verify(store)[0] if "/directions/" in problem]


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
        assert _faults(store) == []
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


def test_a_search_that_is_stopped_goes_on_with_the_same_numbers_and_everything_else_stays(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(results)
    other = results.with_name("other.h5")
    shutil.copy(results, other)
    find_and_add(other, QUESTION, Progress(), settings=QUICK)

    class Stopped(Exception):
        pass

    def stopping(*_: object, **__: object) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr("sing_compute.questions.directions.finding.measure_directions", stopping)
        with pytest.raises(Stopped):
            find_and_add(results, QUESTION, Progress(), settings=QUICK)
    assert contents(results) == before
    with monkeypatch.context() as patch:
        patch.setattr("sing_compute.directions.descent.torch.autograd.backward", stopping)  # no step is made again
        find_and_add(results, QUESTION, Progress(), settings=QUICK)
    assert not results.with_name("results.h5.work").exists()
    after, straight = contents(results), contents(other)
    assert {path for path in after if path not in before} == {path for path in straight if path not in before}
    for path, value in before.items():
        assert after[path] == value, path
    with Store(results) as store, Store(other) as same:
        for name in ("pairs/filter", "pairs/signal", "trust/score", "names/cosine", "classes/p"):
            np.testing.assert_array_equal(store.array(BASE + name), same.array(BASE + name))


def test_a_second_call_replaces_the_first_and_merge_keeps_them(found: Path, tmp_path: Path) -> None:
    path, both = tmp_path / "again.h5", tmp_path / "both.h5"
    shutil.copy(found, path)
    find_and_add(path, replace(QUESTION, count=2), Progress(), settings=QUICK)
    with Store(path) as store:
        assert store.count("direction", Place("directions").at(model="alpha")) == 2
        assert f"{BASE}rivals/name" not in store
        assert _faults(store) == []
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


def _without(path: Path, *names: str) -> None:
    with h5py.File(path, "r+") as file:
        for name in names:
            del file[name]


def _set(path: Path, name: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file[name][...] = value


MISTAKES: dict[str, tuple[Callable[[Path], None], DirectionsQuestion, str]] = {
    "no model of several": (lambda path: None, replace(QUESTION, model=None), "holds 2 models: name one with --model"),
    "too many": (lambda path: None, replace(QUESTION, count=17), "17 directions are asked for, but features have 16"),
    "a class without images": (lambda path: None, replace(QUESTION, label="owl"), "features of 1 images of owl are stored"),
    "no features": (
        lambda path: _without(path, "models/alpha/features"), QUESTION, "measured without keeping its features; measure it again"
    ),
    "no maps": (lambda path: None, replace(QUESTION, maps=True), "measured without its spatial maps"),
    "not finite": (lambda path: _set(path, "models/alpha/features/value", np.nan), QUESTION, "its features are not all finite"),
    "all equal": (lambda path: _set(path, "models/alpha/features/value", 1.0), QUESTION, "all its features are equal"),
    "words without translator": (
        lambda path: _without(path, "models/alpha/translator"),
        replace(QUESTION, words=Path("words.txt")),
        "has no translator into CLIP space, so directions have no words",
    ),
    "labels that lack images": (
        lambda path: None, replace(QUESTION, labels=Path("labels.csv")), "43 images are not in it, such as "
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_the_file_stays(results: Path, case: str) -> None:
    spoil, question, message = MISTAKES[case]
    spoil(results)
    Path("labels.csv").write_text("path,texture\nnothing.png,striped\n")
    before = contents(results)
    with pytest.raises(SingError) as raised:
        find_and_add(results, question, Progress(), settings=QUICK)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert contents(results) == before
    assert not results.with_name("results.h5.work").exists()


def test_a_head_that_reads_everything_and_a_model_without_translator_get_directions_without_these_figures(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(results, "r+") as file:
        del file["models/alpha/translator"]
    find_and_add(results, QUESTION, Progress(), settings=QUICK)
    assert "directions have no words" in capsys.readouterr().err
    with Store(results) as store:
        table = open_table(store, Place.of("directions", model="alpha"))
        names = [column.name for column in table.columns]
        assert "words" not in names
        assert "null_share" in names


@pytest.mark.parametrize("given", ["none", "0", "-1", "1.5"])
def test_the_command_refuses_a_count_that_is_no_number(given: str, results: Path) -> None:
    with pytest.raises(SingError, match="--count"):
        cli.main(["directions", str(results), f"--count={given}"], standalone_mode=False)


EDITS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], str]] = {
    "filter": ("pairs/filter", lambda values: values * 1.01, "w . s is not 1"),
    "signal": ("pairs/signal", lambda values: values * 0.9, "w . s is not 1"),
    "pattern": ("pairs/pattern", lambda values: values * 0.9, "w . pattern is not 1"),
    "threshold": ("pairs/threshold", lambda values: values + 0.5, "not w . x - b of the stored features"),
    "margin": ("pairs/margin", lambda values: values * 2, "not 1 / |w|"),
    "positives": ("pairs/positives", lambda values: values + 100, "fewer than images, or too many"),
    "images": ("pairs/images", lambda values: values - 1, "not the images with a logit above 0"),
    "logit": ("images/logit", lambda values: -values, "not the images with a logit above 0"),
    "row": ("images/row", lambda values: values[::-1], "not ascending"),
    "images of a class": ("classes/images", lambda values: values + 1, "not those of the rows"),
    "positives of a class": ("classes/positives", lambda values: values + 1, "not the images of the class"),
    "row cosine": ("null/row_cosine", lambda values: values * 0.5, "not that of the filter and the row"),
    "share": ("null/share", lambda values: values * 0.5, "not that of the signal vectors"),
    "share of the difference": ("null/pattern_share", lambda values: values * 0.5, "not that of the signal vectors"),
    "null movement": ("null/null_movement", lambda values: values * 2, "not the null share of movement"),
    "unread": ("null/unread", lambda values: 1 - values, "null/unread"),
    "state": ("trust/state", lambda values: np.array([b"sure"] * len(values), values.dtype), "trust/state: none of"),
    "found": ("summary/found", lambda value: value + 1, "not the number of directions that are called found"),
    "score": ("trust/score", lambda values: values + 1.5, "trust/score: outside 0 to 1"),
    "cosine": ("names/cosine", lambda values: values + 2, "names/cosine: outside -1 to 1"),
    "p": ("classes/p", lambda values: values * 0, "classes/p: a p of 0"),
    "q": ("null/q", lambda values: values * 0 + 2, "null/q: outside 0 to 1"),
    "matched images": ("matches/iou", lambda values: values * 0.5, "matches/iou: not that of the images"),
    "S1": ("summary/s1", lambda value: value + 1, "not the sum of the IoU"),
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
        checker = Checker(store)
        check_directions(checker, store)
        faults = checker.problems or _faults(store)
    assert any(message in fault for fault in faults), faults


def put_maps(path: Path, pooling: str = "mean") -> np.ndarray:
    """Store maps of 2 x 2 positions of alpha, whose means are its features; return them."""
    with h5py.File(path, "r+") as file:
        features = file["models/alpha/features/value"][()]
        values = np.repeat(features[:, None], 4, 1) + 2 * np.eye(4, DIM) - np.eye(4, DIM).mean(0) * 2
        writer = Writer(file)
        for name, part in (("image", range(IMAGES)), ("position", range(4)), ("value", values)):
            writer.put("models/{model}/maps/" + name, part, model="alpha")
        writer.annotate("models/alpha/maps", {"grid": "2x2", "pooling": pooling})
    return values.astype(np.float32)


def test_detectors_of_maps_fire_at_positions_and_are_labelled_by_masks(results: Path) -> None:
    values = put_maps(results)
    with Store(results) as store:
        keys = [Path(str(key)) for key in store.array("images/key")]
    mask = np.zeros((8, 8), np.uint8)
    mask[:4, :4] = 255
    for key in keys:
        file = Path("masks/corner") / key.with_suffix(".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(file)
    find_and_add(results, replace(QUESTION, maps=True, masks=Path("masks")), Progress(), settings=QUICK)
    with Store(results) as store:
        assert _faults(store) == []
        logits = values @ store.array(f"{BASE}pairs/filter").T - store.array(f"{BASE}pairs/threshold")
        np.testing.assert_allclose(store.array(f"{BASE}images/logit"), logits.max(1), rtol=1e-4, atol=1e-4)
        assert store.array(f"{BASE}pairs/positives").tolist() == (logits > 0).sum((0, 1)).tolist()
        assert store.scalars(f"{BASE}summary")["positions"] == 4
        assert store.array(f"{BASE}labels/concept").tolist() == ["corner"]
        label, iou = store.array(f"{BASE}labels/label"), store.array(f"{BASE}labels/iou")
        inside = np.array([(logits[:, 0, k] > 0).any() for k in range(3)])
        assert (label >= 0).tolist() == inside.tolist()
        assert ((iou > 0) & (iou <= 1))[inside].any()


@pytest.mark.parametrize(
    ("pooling", "question", "message"),
    [
        ("class token", replace(QUESTION, maps=True), "does not read the mean of its map (pooling: class token)"),
        ("mean", replace(QUESTION, masks=Path("masks")), "add --maps, for detectors that have positions"),
        ("mean", replace(QUESTION, maps=True, masks=Path("nothing")), "--masks nothing: cannot be read"),
        ("mean", replace(QUESTION, maps=True, masks=Path()), "no mask of these images, such as CONCEPT/"),
    ],
)
def test_maps_and_masks_that_cannot_be_used_are_refused(
    results: Path, pooling: str, question: DirectionsQuestion, message: str
) -> None:
    put_maps(results, pooling)
    with pytest.raises(SingError) as raised:
        find_and_add(results, question, Progress(), settings=QUICK)
    assert message in str(raised.value)


def test_a_sample_of_the_features_is_said_and_a_sigmoid_head_is_searched(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(results, "r+") as file:
        values = file["models/alpha/features/value"][::2]
        del file["models/alpha/features"]
        Writer(file).put("models/{model}/features/row", range(0, IMAGES, 2), model="alpha")
        Writer(file).put("models/{model}/features/value", values, model="alpha")
    find_and_add(results, replace(QUESTION, sigmoid=True), Progress(), settings=QUICK)
    assert "directions in the pooled features of 22 of 43 images" in capsys.readouterr().err
    with Store(results) as store:
        assert _faults(store) == []
        assert store.array(f"{BASE}images/row").tolist() == list(range(0, IMAGES, 2))
        assert store.attributes("models/alpha/directions")["sigmoid"]


def test_a_head_with_one_output_needs_to_be_called_a_sigmoid(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {"weight": (1, DIM), "bias": (1,)}
    monkeypatch.setattr(
        "sing_compute.questions.directions.inputs._finite",
        lambda store, path: torch.ones(shapes[path.rpartition("/")[2]]).double(),
    )
    with Store(results) as store:
        with pytest.raises(SingError, match="has one output, whose softmax is always 1: add --sigmoid"):
            read_inputs(store, "alpha", maps=False, label=None, sigmoid=False)
        assert read_inputs(store, "alpha", maps=False, label=None, sigmoid=True).head.sigmoid
