"""Whole runs with a chosen preprocessing, a chosen head, and a network of transformers: what is said, stored and measured."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import two_headed
from ended_commands import Ended
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import transforms
from transformers import AutoImageProcessor, AutoModelForImageClassification
from transformers_folders import CLASSES, save
from user_folder import Place, make_inputs

from sing_compute.errors import SingError
from sing_compute.pipeline.results import Results
from sing_compute.store import Store

SETTINGS = "size=32,crop=0.8,interpolation=bilinear,mean=0.5,std=0.25"
Command = Callable[..., Ended]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    make_inputs(tmp_path)
    return Place(tmp_path)


def features(place: Place, spec: str, *extra: object) -> list[str]:
    """Options of a run that ends with the outputs of the network, which is faster."""
    line = [
        "--model",
        f"net={spec}",
        "--images",
        place.folder / "images",
        "--class-names",
        place.folder / "classes.txt",
    ]
    line += ["--only", "features", "-o", place.output, "--workers", 0, "--device", "cpu", *extra]
    return [str(part) for part in line]


def check_predictions(
    place: Place, pixels: Callable[[Image.Image], Tensor], logits: Callable[[Tensor], Tensor]
) -> None:
    """Compare the stored predictions and confidences with those of an independent pass."""
    with Store(place.output) as store:
        keys = store.array("images/key").tolist()
        stored = [store.array(f"models/net/images/{name}") for name in ("prediction", "confidence")]
    batch = torch.stack([pixels(Image.open(place.folder / "images" / key)) for key in keys])
    with torch.inference_mode():
        confidence, prediction = logits(batch).softmax(1).max(1)
    assert stored[0].tolist() == prediction.tolist()
    assert np.allclose(stored[1], confidence, atol=1e-5)


def facts_of(place: Place) -> dict[str, object]:
    with Store(place.output) as store:
        return dict(store.attributes("models/net"))


def test_chosen_preprocessing_is_said_stored_measured_and_found_again(place: Place, command: Command) -> None:
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=3).eval()
    nn.init.normal_(network.fc.weight)
    save_file(network.state_dict(), place.folder / "net.safetensors")
    extra = ["--weights", place.folder / "net.safetensors", "--transform", SETTINGS]
    ended = command(*features(place, "test_resnet", *extra))
    assert ended.code == 0, ended.err
    shown = "3x32x32, bilinear, crop 0.8, mean 0.5 0.5 0.5, std 0.25 0.25 0.25"
    assert f"net: images become {shown}; by option --transform\n" in ended.err
    facts = facts_of(place)
    assert (facts["preprocessing"], facts["preprocessing_from"], facts["transform"], facts["input_size"]) == (
        shown,
        "option --transform",
        SETTINGS,
        "3x32x32",
    )
    steps = [
        transforms.Resize(40),
        transforms.CenterCrop(32),
        transforms.ToTensor(),
        transforms.Normalize([0.5] * 3, [0.25] * 3),
    ]
    check_predictions(place, transforms.Compose(steps), network)
    photograph = place.folder / "images" / "ant" / "00.png"
    asked = command("image", place.output, "--path", photograph)
    assert asked.code == 0, asked.err
    with Store(place.output) as store:
        row = store.array("images/key").tolist().index("ant/00.png")
        assert f"{store.array('models/net/images/confidence')[row]:.1%}" in asked.out


def test_a_network_of_transformers_is_measured_with_its_own_pixels_and_names(place: Place, command: Command) -> None:
    folder = save(place.folder / "vit")
    line = place.arguments(f"net=local-dir:{folder}")
    at = line.index("--class-names")
    ended = command(*line[:at], *line[at + 2 :])  # the network itself names the classes
    assert ended.code == 0, ended.err
    assert "net: images become ViTImageProcessor(" in ended.err
    assert "Loading weights" not in ended.err
    processor, network = (
        AutoImageProcessor.from_pretrained(folder),
        AutoModelForImageClassification.from_pretrained(folder),
    )
    check_predictions(
        place,
        lambda image: processor(image, return_tensors="pt")["pixel_values"][0],
        lambda pixels: network(pixels).logits,
    )
    facts = facts_of(place)
    assert (facts["head"], facts["architecture"]) == ("classifier", "ViTForImageClassification")
    with Store(place.output) as store:
        assert store.class_names.tolist() == list(CLASSES)
    # transformers gives tensors other names than this folder does, so their fingerprint is not known before they are loaded
    question = ("image", place.output, "--path", place.folder / "images" / "ant" / "00.png")
    assert "--model net=local-dir:" in command(*question).error
    named = (*question, "--model", f"net=local-dir:{folder}")
    asked = command(*named)
    assert asked.code == 0, asked.err
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 10**6}))
    assert "its configuration says num_hidden_layers 1e+06, more than 1,000" in command(*named).error


def chosen(place: Place, name: str) -> Sequence[str]:
    return features(place, "two_headed:distilled", "--head-of", name)


def test_figures_of_a_chosen_head_are_its_own_and_the_table_says_so(place: Place, command: Command) -> None:
    ended = command(*chosen(place, "head_dist"))
    assert ended.code == 0, ended.err
    network = two_headed.distilled().eval()
    check_predictions(
        place, two_headed.TRANSFORM, lambda pixels: network.head_dist(network.forward_features(pixels)[:, 1])
    )
    warning = "predictions, accuracy and scores are those of its head head_dist (--head-of); the network's own answer is another"
    facts = facts_of(place)
    assert (facts["head"], facts["head_of"]) == ("head_dist", "head_dist")
    assert str(facts["warnings"]).startswith(warning)
    assert ended.err.count(f"net: {warning}") == 2  # at the start and at the end
    assert " ".join(ended.out.split()).count(f"WARNING, net: {warning}") == 1
    photograph = place.folder / "images" / "ant" / "00.png"
    asked = command("image", place.output, "--path", photograph, "--model", "net=two_headed:distilled")
    assert asked.code == 0, asked.err


def test_unfinished_work_of_another_head_or_preprocessing_is_not_continued(
    place: Place, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(results: Results) -> None:
        raise SingError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(Results, "write", stop)
        assert command(*chosen(place, "head_dist")).error == "planted"
    text = "size=32,crop=1,interpolation=bilinear,mean=0,std=0.5"
    for other in (chosen(place, "head"), [*chosen(place, "head_dist"), "--transform", text]):
        assert "holds unfinished work of another command (differs: models)" in command(*other).error
    ended = command(*chosen(place, "head_dist"))
    assert ended.code == 0, ended.err
    assert "going on: " in ended.err


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--transform", "size=0"], "--transform 'size=0': size=0: a side has 1 to 4096 pixels"),
        (
            ["--transform", "-", "--transform", "-"],
            "1 --model but 2 --transform: give one for all, or one for each, in order",
        ),
        (
            ["--head-of", "a", "--head-of", "b"],
            "1 --model but 2 --head-of: give one for each, in order, '-' for a network of",
        ),
    ],
)
def test_settings_that_do_not_fit_are_one_line(extra: list[str], message: str, place: Place, command: Command) -> None:
    assert command(*place.arguments("net=two_headed:distilled", extra=extra)).error.startswith(message)
