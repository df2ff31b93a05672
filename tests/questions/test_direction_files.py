"""The command directions: a search that is stopped goes on, maps and masks, and mistakes that leave the file as it was."""

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
from planted_directions import BASE, DIM, IMAGES, QUESTION, QUICK, faults_of, write_planted

from sing_compute.cli import cli
from sing_compute.errors import SingError, StoreError
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.finding import find_and_add
from sing_compute.questions.directions.inputs import read_inputs
from sing_compute.questions.directions.matches import fired_images
from sing_compute.questions.directions.question import DirectionsQuestion
from sing_compute.store import Place, Store, open_table
from sing_compute.store.write import Writer


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("planted") / "planted.h5")


@pytest.fixture
def results(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(planted, tmp_path / "results.h5"))


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
        assert faults_of(store) == []
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
        assert faults_of(store) == []
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


def test_rows_that_name_an_image_twice_are_refused_where_files_are_merged(results: Path) -> None:
    find_and_add(results, QUESTION, Progress(), settings=QUICK)
    with Store(results) as store:
        assert fired_images(store, "alpha") is not None
    rows = "models/alpha/directions/images/row"
    with h5py.File(results, "r+") as file:
        file[rows][1] = file[rows][0]
    with Store(results) as store, pytest.raises(StoreError, match=rf"{rows}: does not name the images"):
        fired_images(store, "alpha")
