"""Runs over backbones without a head, and over images that no class folder describes."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from roads import save_embeddings
from safetensors.torch import save_file

from sing_compute.errors import ImagesError, SingError, StoppedError
from sing_compute.imagenet import imagenet_names, imagenet_wnids
from sing_compute.models.backbone import HeadedBackbone
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline import probing
from sing_compute.pipeline.image_sources import imagenette_images
from sing_compute.pipeline.plan import make_plan
from sing_compute.pipeline.run import run
from sing_compute.process.progress import Progress
from sing_compute.store import Store
from sing_compute.store.verify import verify as check

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES = ("ant", "bee", "cat")
PER_CLASS, WIDTH = 15, 64


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Images of three colours in a class tree and in a flat folder, embeddings for both, and a backbone without a head."""
    rng = np.random.default_rng(0)
    keys, lines = [], []
    for number in range(PER_CLASS * len(CLASSES)):
        label = number % len(CLASSES)
        pixels = (200 * np.eye(3)[label] + rng.uniform(0, 55, (32, 32, 3))).astype(np.uint8)
        for key in (f"tree/{CLASSES[label]}/{number:03d}.png", f"flat/{number:03d}.png"):
            (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / key)
            keys.append(key.partition("/")[2])
        lines.append(f"{number:03d}.png {label + 1}")
    (tmp_path / "labels.txt").write_text("\n".join(lines))
    (tmp_path / "names.txt").write_text("\n".join(CLASSES))
    save_embeddings(tmp_path / "images.npz", keys, rng.normal(size=(len(keys), 6)) + 1)
    save_embeddings(tmp_path / "words.npz", [*CLASSES, "red", "green"], rng.normal(size=(5, 6)) + 1)
    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=0, img_size=32)
    settings = {"input_size": [3, 32, 32], "num_classes": 0, "crop_pct": 1.0}
    config = {"architecture": "test_vit", "num_classes": 0, "model_args": {"img_size": 32}, "pretrained_cfg": settings}
    (tmp_path / "vit").mkdir()
    (tmp_path / "vit" / "config.json").write_text(json.dumps(config))
    save_file(network.state_dict(), tmp_path / "vit" / "model.safetensors")
    head = {"weight": torch.randn(3, 2 * WIDTH), "bias": torch.zeros(3)}
    save_file(head, tmp_path / "head.safetensors")
    return tmp_path


@pytest.fixture
def measure(place: Path) -> Callable[..., Path]:
    def measured(**options: object) -> Path:
        settings: dict[str, object] = {
            "models": [f"local-dir:{place / 'vit'}"],
            "weights": (),
            "images": str(place / "tree"),
            "clip": None,
            "image_embeddings": str(place / "images.npz"),
            "concept_embeddings": str(place / "words.npz"),
            "class_embeddings": None,
            "class_names": None,
            "concepts": (),
            "templates": (),
            "ridge": None,
            "invariance": "logits",
            "device": "cpu",
            "batch_size": 16,
            "workers": 0,
            "fresh": False,
            "output": str(place / "results.h5"),
            "command": "sing-compute",
        }
        plan = make_plan(**settings | options)  # type: ignore[arg-type]
        run(plan, Progress())
        return plan.output

    return measured


def test_a_probe_turns_a_backbone_into_a_classifier_and_is_honest_about_its_accuracy(
    measure: Callable[..., Path], place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = measure(probe=True)
    with Store(output) as store:
        assert check(store)[0] == []
        facts, summary = store.attributes("models/vit"), store.summary("vit")
        assert store.array("classes/name").tolist() == list(CLASSES)
        assert (summary["rank"], summary["nullity"], summary["flips"]) == (2, WIDTH - 2, 0)
        assert summary["accuracy"] == 1.0
    assert facts["probe_images"] == len(CLASSES) * PER_CLASS
    assert 0.8 < facts["probe_accuracy"] <= 1.0
    assert facts["note"] == (
        "linear head fitted on the labels of 45 of these images, so that its accuracy here is not on new ones; "
        f"out of fold it is {facts['probe_accuracy']:.1%}"
    )
    said = capfd.readouterr().err
    assert f"vit: linear head fitted, {facts['probe_accuracy']:.1%} correct out of fold" in said
    assert f"vit: {facts['note']}" in said


def test_copies_do_not_help_a_probe_to_predict_their_originals(measure: Callable[..., Path], place: Path) -> None:
    """Labels that are drawn cannot be predicted: 1 in 3 is right. With copies in other folds nearly all would be."""
    rng = np.random.default_rng(3)
    shutil.rmtree(place / "tree")
    keys = []
    for number in range(3 * PER_CLASS):
        pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        for copy in range(4):
            key = f"{CLASSES[number % 3]}/{number:03d}_{copy}.png"
            (place / "tree" / key).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / "tree" / key)
            keys.append(key)
    save_embeddings(place / "images.npz", keys, rng.normal(size=(len(keys), 6)) + 1)
    with Store(measure(probe=True)) as store:
        assert store.attributes("images")["copies"] == 3 * len(keys) // 4
        assert store.attributes("models/vit")["probe_accuracy"] < 0.6


def test_a_run_that_was_stopped_goes_on_with_the_same_fitted_head(
    measure: Callable[..., Path], place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with Store(measure(probe=True, output=str(place / "whole.h5"))) as store:
        weight = store.attributes("models/vit")["state_sha256"]
    with monkeypatch.context() as patch:
        patch.setattr("sing_compute.pipeline.results.SingMeasurement", lambda *_, **__: pytest.fail("stopped here"))
        with pytest.raises(pytest.fail.Exception):
            measure(probe=True)
    assert (place / "results.h5.work" / "vit.probe").exists()
    monkeypatch.setattr(probing, "fit_probe", lambda *_, **__: pytest.fail("fitted again"))
    capfd.readouterr()
    with Store(measure(probe=True)) as store:
        assert store.attributes("models/vit")["state_sha256"] == weight
    assert "features for --probe" not in capfd.readouterr().err
    assert not (place / "results.h5.work").exists()


def test_a_head_that_was_fitted_before_an_image_was_replaced_is_not_believed(
    measure: Callable[..., Path], place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sing_compute.pipeline.results.SingMeasurement", lambda *_, **__: pytest.fail("stopped here"))
        with pytest.raises(pytest.fail.Exception):
            measure(probe=True)
    images = sorted((place / "tree").rglob("*.png"))
    images[0].write_bytes(images[-1].read_bytes() + b"longer")
    with pytest.raises(SingError, match=r"unfinished work of another command \(differs: models\)"):
        measure(probe=True)
    assert "features for --probe" in capfd.readouterr().err


def test_the_pass_of_a_probe_can_be_left(
    measure: Callable[..., Path], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(work: object) -> None:
        raise StoppedError(2)

    monkeypatch.setattr(probing.WorkFolder, "leave_if_asked", asked)
    with pytest.raises(StoppedError):
        measure(probe=True)
    assert not (place / "results.h5").exists()


def test_a_probe_needs_images_of_every_class(measure: Callable[..., Path], place: Path) -> None:
    (place / "names.txt").write_text("\n".join([*CLASSES, "dog", "elk"]))
    with pytest.raises(
        ImagesError,
        match=r"^--probe needs images of .*every class: 2 of the 5 classes have no image, the first is dog;",
    ):
        measure(probe=True, class_names=str(place / "names.txt"))
    assert not (place / "results.h5").exists()
    assert not (place / "results.h5.work").exists()


def test_a_probe_on_numbers_asks_for_names(measure: Callable[..., Path], place: Path) -> None:
    flat = {"images": str(place / "flat"), "labels": str(place / "labels.txt"), "probe": True}
    with pytest.raises(ImagesError, match=r"^--probe with numbers as labels: give --class-names FILE"):
        measure(**flat)
    with Store(measure(**flat, class_names=str(place / "names.txt"))) as store:
        assert store.summary("vit")["accuracy"] == 1.0


def test_a_head_file_and_a_label_file_go_the_whole_road(measure: Callable[..., Path], place: Path) -> None:
    output = measure(
        images=str(place / "flat"),
        labels=str(place / "labels.txt"),
        heads=[str(place / "head.safetensors")],
        class_names=str(place / "names.txt"),
    )
    with Store(output) as store:
        assert check(store)[0] == []
        assert store.summary("vit")["nullity"] == 2 * WIDTH - 3
        assert store.attributes("models/vit")["feature"] == "class token and mean patch token"
        assert np.diff(store.offsets).tolist() == [PER_CLASS] * 3
        assert store.array("images/key")[0] == "000.png"


def test_images_named_on_standard_input_give_what_their_folder_gives(
    measure: Callable[..., Path], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = {"heads": [str(place / "head.safetensors")], "class_names": str(place / "names.txt")}
    folder = measure(**head)
    names = [path.relative_to(place / "tree").as_posix() for path in (place / "tree").rglob("*.png")]
    monkeypatch.chdir(place / "tree")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(sorted(names, reverse=True)).encode())))
    listed = measure(**head, images="-", output=str(place / "listed.h5"))
    with Store(folder) as one, Store(listed) as other:
        assert check(other)[0] == []
        assert one.attributes("images") == other.attributes("images")
        for path in (
            "images/key",
            "images/class",
            "models/vit/images/attribute_score",
            "models/vit/images/image_score",
        ):
            assert one.array(path).tolist() == other.array(path).tolist()


def test_images_in_an_archive_are_measured_as_those_in_a_folder(measure: Callable[..., Path], place: Path) -> None:
    head = {"heads": [str(place / "head.safetensors")], "class_names": str(place / "names.txt")}
    with tarfile.open(place / "shard.tar", "w") as archive:
        archive.add(place / "tree", ".")
    with np.load(place / "images.npz") as stored:
        keys, vectors = [f"shard.tar/{key}" for key in stored["keys"]], stored["embeddings"]
    save_embeddings(place / "inside.npz", keys, vectors)
    packed = measure(
        **head, images=str(place / "shard.tar"), image_embeddings=str(place / "inside.npz"), output=str(place / "p.h5")
    )
    with Store(measure(**head)) as one, Store(packed) as other:
        assert check(other)[0] == []
        assert [f"shard.tar/{key}" for key in one.array("images/key")] == other.array("images/key").tolist()
        for path in ("images/class", "models/vit/images/prediction", "models/vit/images/confidence"):
            assert one.array(path).tolist() == other.array(path).tolist()


def test_a_probe_leaves_models_with_a_head_alone(measure: Callable[..., Path], place: Path) -> None:
    with Store(
        measure(probe=True, heads=[str(place / "head.safetensors")], class_names=str(place / "names.txt"))
    ) as store:
        assert "probe_accuracy" not in store.attributes("models/vit")


def classifier(labels: tuple[list[str], list[str] | None] | None, network: torch.nn.Module) -> Classifier:
    return Classifier("net", network, torch.Tensor, {}, labels)


def test_imagenette_stands_in_for_models_of_imagenet_only(
    place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sing_compute.pipeline.image_sources.imagenette", lambda: place / "tree")
    headed, other = HeadedBackbone(torch.nn.Identity()), HeadedBackbone(torch.nn.Identity())
    headed.put(torch.zeros(1000, 2), torch.zeros(1000), "here")
    other.put(torch.zeros(10, 2), torch.zeros(10), "here")
    known = classifier((imagenet_names(), imagenet_wnids()), torch.nn.Identity())
    assert len(imagenette_images([known, classifier(None, headed)], Progress())) == 45
    assert "images: none given, so Imagenette's 3,925 validation photographs" in capfd.readouterr().err
    monkeypatch.setattr("sing_compute.pipeline.image_sources.imagenette", lambda: pytest.fail("downloaded"))
    strangers = [
        *(classifier(labels, torch.nn.Identity()) for labels in (None, (["a"], None), (["a"], ["n00000001"]))),
        *(classifier(None, network) for network in (other, HeadedBackbone(torch.nn.Identity()))),
    ]
    for stranger in strangers:
        with pytest.raises(
            SingError, match=r"^--images is missing, and Imagenette, .* that net does not have: give --images$"
        ):
            imagenette_images([known, stranger], Progress())
