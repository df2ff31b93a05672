"""One new photograph: the same figures as by hand from the network and the file, and no figure from a wrong network."""

import importlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from sing_compute.errors import SingError
from sing_compute.questions.explaining import Explanation, explain
from sing_compute.store import Store

CODE = "asked_networks:"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("explaining")
    asking.make_inputs(folder)
    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=0, img_size=32)
    settings = {"input_size": [3, 32, 32], "num_classes": 0, "crop_pct": 1.0}
    config = {"architecture": "test_vit", "num_classes": 0, "model_args": {"img_size": 32}, "pretrained_cfg": settings}
    (folder / "vit").mkdir()
    (folder / "vit" / "config.json").write_text(json.dumps(config))
    save_file(network.state_dict(), folder / "vit" / "model.safetensors")
    save_file({"weight": torch.randn(4, 9), "bias": torch.zeros(4)}, folder / "head.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        networks = importlib.import_module("asked_networks")
        torch.save(networks.make(12, 7).state_dict(), folder / "trained.pt")
        asking.measure(folder, "results.h5", "first", "full")
        asking.measure(folder, "results.h5", "probed=local-dir:" + str(folder / "vit"), options=["--probe"])
        files = ["--weights", folder / "trained.pt", "--weights", "-"]
        heads = ["--head", "-", "--head", folder / "head.safetensors"]
        asking.measure(folder, "results.h5", "trained=asked_networks:first", "backbone", options=[*files, *heads])
        yield folder


@pytest.fixture
def results(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(folder / "results.h5", tmp_path / "results.h5"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(3).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def explained(results: Path, model: str, photo: Path, spec: str | None = None, top: int = 10) -> Explanation:
    with Store(results) as store:
        return explain(store, model, photo, spec=spec, top=top)


def angle(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.degrees(np.arccos(left @ right / np.linalg.norm(left) / np.linalg.norm(right))))


def test_every_figure_is_that_of_a_calculation_by_hand(results: Path, photo: Path) -> None:
    found = explained(results, "first", photo, CODE + "first", top=4)
    network = importlib.import_module("asked_networks").first().double()
    with torch.no_grad(), Image.open(photo) as image:
        feature = network[:3](network.transform(image).double()[None])[0].numpy()
        weight, bias = (network[3].get_parameter(name).numpy() for name in ("weight", "bias"))
    visible = feature @ np.linalg.pinv(weight) @ weight
    logits = weight @ feature + bias
    label = int(logits.argmax())
    assert found.prediction == asking.CLASSES[label]
    assert found.confidence == pytest.approx(1 / np.exp(logits - logits.max()).sum(), abs=1e-5)
    scores = found.scores
    assert scores is not None
    assert scores.null_energy == pytest.approx(np.linalg.norm(feature - visible) / np.linalg.norm(feature), abs=1e-6)
    with Store(results) as store:
        a, b = (store.array(f"models/first/translator/{part}") for part in ("weight", "bias"))
        before, after = a @ feature + b, a @ visible + b
        texts = store.array("clip/class_embeddings").astype(np.float64)
        assert scores.image_score == pytest.approx(angle(before, after), abs=1e-4)
        wanted = angle(before, texts[label]) - angle(after, texts[label])
        assert scores.attribute_score == pytest.approx(wanted, abs=1e-4)
        concepts = store.array("clip/concept_embeddings").astype(np.float64)
        shifts = np.array([angle(before, text) - angle(after, text) for text in concepts])
        order = np.argsort(-np.abs(shifts))[:4]
        assert [shift.concept for shift in scores.shifts] == [str(store.concept_names[at]) for at in order]
        assert [shift.attribute_score for shift in scores.shifts] == pytest.approx(list(shifts[order]), abs=1e-4)
        for shift, at in zip(scores.shifts, order, strict=True):
            assert shift.class_mean == store.array("models/first/concepts/attribute_score")[label, at]
            assert shift.q == store.array("models/first/concepts/q")[label, at]
        median = store.array("models/first/images/image_score")[store.array("images/class") == label]
        assert scores.class_image_score == pytest.approx(float(np.median(median)), abs=1e-4)
        pool = store.array("models/first/features/value").astype(np.float64) @ a.T + b
        keys = store.array("images/key")
    assert scores.compared == len(pool)
    for vector, neighbours in ((before, scores.before), (after, scores.after)):
        cosine = pool @ vector / np.linalg.norm(pool, axis=1) / np.linalg.norm(vector)
        best = np.argsort(-cosine)[:3]
        assert [neighbour.key for neighbour in neighbours] == [str(keys[at]) for at in best]
        assert [neighbour.cosine for neighbour in neighbours] == pytest.approx(list(cosine[best]), abs=1e-6)
        assert [neighbour.class_name for neighbour in neighbours] == [str(keys[at]).partition("/")[0] for at in best]


def test_an_image_of_the_file_is_predicted_as_it_was_and_is_nearest_to_itself(folder: Path, results: Path) -> None:
    with Store(results) as store:
        for row in (0, 65, 76):
            key = str(store.array("images/key")[row])
            found = explained(results, "first", folder / "images" / key, CODE + "first")
            assert found.prediction == store.class_names[store.array("models/first/images/prediction")[row]]
            assert found.confidence == pytest.approx(store.array("models/first/images/confidence")[row], abs=1e-6)
            assert found.scores is not None
            assert found.scores.before[0].key == key
            assert found.scores.null_energy == pytest.approx(
                float(store.array("models/first/images/null_energy")[row]), abs=1e-6
            )


@pytest.mark.parametrize("model", ["probed", "trained", "backbone"])
def test_heads_and_checkpoints_are_found_where_the_run_had_them(results: Path, folder: Path, model: str) -> None:
    spec = {"probed": None, "trained": CODE + "first", "backbone": CODE + "backbone"}[model]
    with Store(results) as store:
        row = 70
        found = explained(results, model, folder / "images" / str(store.array("images/key")[row]), spec)
        assert found.prediction == store.class_names[store.array(f"models/{model}/images/prediction")[row]]
        assert found.confidence == pytest.approx(store.array(f"models/{model}/images/confidence")[row], abs=1e-5)


def test_a_checkpoint_that_moved_is_taken_from_beside_the_results(folder: Path, results: Path, photo: Path) -> None:
    (folder / "trained.pt").rename(folder / "away.pt")
    try:
        with pytest.raises(
            SingError, match=r"trained: its --weights file trained.pt is not here \(sha256 .*; put it next to"
        ):
            explained(results, "trained", photo, CODE + "first")
        (results.parent / "trained.pt").write_bytes(b"another file of that name")
        with pytest.raises(SingError, match=r"file trained.pt is not here"):
            explained(results, "trained", photo, CODE + "first")
        shutil.copy(folder / "away.pt", results.parent / "trained.pt")
        assert explained(results, "trained", photo, CODE + "first").scores is not None
    finally:
        (folder / "away.pt").rename(folder / "trained.pt")


def test_a_head_without_null_space_gives_a_prediction_alone(results: Path, photo: Path) -> None:
    found = explained(results, "full", photo, CODE + "full")
    assert found.prediction in asking.CLASSES
    assert found.scores is None


def test_without_kept_features_there_are_no_neighbours(results: Path, photo: Path) -> None:
    with h5py.File(results, "r+") as file:
        del file["models/first/features"]
    scores = explained(results, "first", photo, CODE + "first").scores
    assert scores is not None
    assert (scores.before, scores.after, scores.compared) == ([], [], 0)
    assert scores.shifts


def test_a_results_file_alone_runs_no_code(results: Path, photo: Path) -> None:
    with pytest.raises(
        SingError, match=r"a results file alone never runs; if you trust it: --model first=asked_networks:f"
    ):
        explained(results, "first", photo)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("hf-hub:someone/else", "alone names hf-hub:someone/else.*--model probed=hf-hub:someone/else"),
        ("local-dir:{other}", "its weights are not known to be those that were measured.*--model probed=local-dir:"),
        ("local-dir:{fifo}", "its weights are not known to be those that were measured.*--model probed=local-dir:"),
        ("resnet18.a1_in1k", "not in the cache.*the hub is not asked.*--model probed=resnet18.a1_in1k"),
    ],
)
def test_a_network_that_only_a_file_names_is_not_looked_for_elsewhere(
    spec: str, said: str, results: Path, photo: Path, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("other", "fifo"):
        (tmp_path / name).mkdir()
        shutil.copy(folder / "vit" / "config.json", tmp_path / name)
    save_file({"a": torch.zeros(1)}, tmp_path / "other" / "model.safetensors")
    os.mkfifo(tmp_path / "fifo" / "model.safetensors")
    spec = spec.format(other=tmp_path / "other", fifo=tmp_path / "fifo")
    with h5py.File(results, "r+") as file:
        file["models/probed"].attrs["spec"] = np.bytes_(spec)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, lambda *arguments, **options: pytest.fail("a server is asked"))
    with pytest.raises(SingError, match=said):
        explained(results, "probed", photo)


@pytest.mark.parametrize("function", ["second", "full"])
def test_another_network_is_refused_by_its_weights(results: Path, photo: Path, function: str) -> None:
    message = (
        "first: asked_networks:.* has other weights than those that were measured; name the right network with --model"
    )
    with pytest.raises(SingError, match=message):
        explained(results, "first", photo, CODE + function)


def test_a_head_of_another_size_in_the_file_is_refused(results: Path, photo: Path) -> None:
    with h5py.File(results, "r+") as file:  # the network is right, the file is not
        weight = file["models/first/head/weight"][:, :7]
        del file["models/first/head/weight"]
        file["models/first/head/weight"] = weight
    with pytest.raises(SingError, match="models/first/head/weight: not of the size of the network's own head"):
        explained(results, "first", photo, CODE + "first")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, r"--path .*photo.png: no such file"), (b"torn", r"--path .*photo.png: not a readable image \(")],
)
def test_a_photograph_that_cannot_be_read_is_one_line(
    results: Path, photo: Path, content: bytes | None, message: str
) -> None:
    photo.unlink()
    if content is not None:
        photo.write_bytes(content)
    with pytest.raises(SingError, match=message) as refused:
        explained(results, "first", photo, CODE + "first")
    assert "\n" not in str(refused.value)
