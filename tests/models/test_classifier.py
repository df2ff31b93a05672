"""Classifiers by name and from folders: their weights, transforms and labels, and what is refused."""

import json
from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sing_compute.errors import SingError, WeightsError
from sing_compute.fingerprints import file_sha256
from sing_compute.imagenet import imagenet_names, imagenet_wnids
from sing_compute.models.classifier import load_classifier
from sing_compute.models.spec import ModelSpec

LABELS = ["ant", "bee", "cat", "dog", "elk"]


def local_folder(folder: Path, weights: dict[str, Tensor] | None, **extra: object) -> Path:
    """A tiny classifier in timm's own folder format."""
    settings = {"input_size": [3, 32, 32], "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "crop_pct": 1.0}
    config = {"architecture": "test_resnet", "num_classes": 5, "pretrained_cfg": settings, **extra}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    if weights is not None:
        save_file(weights, folder / "model.safetensors")
    return folder


def random_weights(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=5)
    nn.init.normal_(network.fc.weight)
    return {name: v.to(dtype) if v.is_floating_point() else v for name, v in network.state_dict().items()}


@pytest.mark.parametrize(
    ("text", "name", "spec", "is_factory"),
    [
        ("resnet50", "resnet50", "resnet50", False),
        ("resnet50.a1_in1k", "resnet50.a1_in1k", "resnet50.a1_in1k", False),
        ("mine=resnet50", "mine", "resnet50", False),
        ("pkg.mod:factory", "factory", "pkg.mod:factory", True),
        ("mine=pkg.mod:factory", "mine", "pkg.mod:factory", True),
        ("local-dir:/x/y", "y", "local-dir:/x/y", False),
        ("local-dir:/x/y/", "y", "local-dir:/x/y/", False),
        ("local-dir:/x/y=z", "y=z", "local-dir:/x/y=z", False),
        ("mine=local-dir:/x/y=z", "mine", "local-dir:/x/y=z", False),
        ("hf-hub:org/repo", "repo", "hf-hub:org/repo", False),
        ("mine=hf-hub:org/repo", "mine", "hf-hub:org/repo", False),
    ],
)
def test_a_model_is_named_by_the_user_or_by_the_last_part_of_its_specification(
    text: str, name: str, spec: str, is_factory: bool
) -> None:
    parsed = ModelSpec.parse(text)
    assert (parsed.name, parsed.spec, parsed.is_factory, parsed.weights) == (name, spec, is_factory, None)


@pytest.mark.parametrize("text", ["local-dir:.", "local-dir:./", "local-dir:../here"])
def test_a_folder_given_by_dots_goes_by_its_own_name(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert ModelSpec.parse(text).name == "here"


@pytest.mark.parametrize("text", ["", "=resnet50", "mine=", ".=resnet50", "..=resnet50"])
def test_a_model_without_a_usable_name_or_specification_is_refused(text: str) -> None:
    with pytest.raises(SingError, match="write NAME=SPEC or SPEC; SPEC is a timm name or module:factory"):
        ModelSpec.parse(text)


def test_a_local_folder_gives_its_own_weights_transform_and_labels(tmp_path: Path) -> None:
    weights = random_weights()
    folder = local_folder(tmp_path / "ants", weights, label_names=LABELS)
    classifier = load_classifier(ModelSpec.parse(f"local-dir:{folder}"))
    loaded = classifier.network.state_dict()
    assert classifier.name == "ants"
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())
    assert not classifier.network.training
    assert classifier.labels == (LABELS, None)
    grey = classifier.transform(Image.new("RGB", (50, 40), (51, 51, 51)))
    assert grey.shape == (3, 32, 32)
    assert torch.allclose(grey[:, 0, 0], torch.tensor([0.1 / 0.4, 0.0, -0.1 / 0.6]), atol=1e-6)


def test_how_images_become_tensors_is_kept_with_its_source(tmp_path: Path) -> None:
    folder = local_folder(tmp_path / "net", random_weights())
    own = load_classifier(ModelSpec.parse(f"local-dir:{folder}")).provenance
    assert own["preprocessing"] == "3x32x32, bicubic, crop 1.0, mean 0.1 0.2 0.3, std 0.4 0.5 0.6"
    assert own["preprocessing_from"] == "timm's configuration of test_resnet"
    elsewhere = load_classifier(ModelSpec.parse(f"local-dir:{folder}", weights=folder / "model.safetensors")).provenance
    assert elsewhere["preprocessing"] == own["preprocessing"]
    assert str(elsewhere["preprocessing_from"]).endswith(", because a file of weights does not say its own")


def test_described_labels_are_shown_by_their_description_and_wordnet_ids_are_kept(tmp_path: Path) -> None:
    wnids = [f"n0000000{index}" for index in range(5)]
    described = dict(zip(wnids, LABELS, strict=True)) | {wnids[4]: "elk, Cervus"}
    folder = local_folder(tmp_path / "net", random_weights(), label_names=wnids, label_descriptions=described)
    labels = load_classifier(ModelSpec.parse(f"local-dir:{folder}")).labels
    assert labels == ([*LABELS[:4], "elk, Cervus"], wnids)


def test_a_network_of_unknown_classes_tells_no_labels(tmp_path: Path) -> None:
    folder = local_folder(tmp_path / "net", random_weights())
    assert load_classifier(ModelSpec.parse(f"local-dir:{folder}")).labels is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@torch.inference_mode()
def test_the_precision_a_folder_was_stored_in_is_recognised_after_loading_into_float32(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    folder = local_folder(tmp_path / "net", random_weights(dtype))
    classifier = load_classifier(ModelSpec.parse(f"local-dir:{folder}"))
    classifier.attach(torch.randn(3, 3, 32, 32))
    assert classifier.head[0].dtype == torch.float32
    assert classifier.stored_dtype == dtype
    assert classifier.provenance["stored_precision"] == str(dtype).removeprefix("torch.")
    assert classifier.provenance["head"] == "fc"
    assert classifier.provenance["input_size"] == "3x32x32"
    assert classifier.provenance["parameters"] == sum(p.numel() for p in classifier.network.parameters())


def test_a_folder_without_weights_is_refused_never_a_random_network(tmp_path: Path) -> None:
    folder = local_folder(tmp_path / "net", None)
    with pytest.raises(WeightsError, match=r"No suitable checkpoints found") as caught:
        load_classifier(ModelSpec.parse(f"local-dir:{folder}"))
    assert "\n" not in str(caught.value)


def test_a_folder_with_another_networks_weights_is_refused(tmp_path: Path) -> None:
    weights = random_weights()
    weights["fc.weight"] = torch.zeros(7, 96)
    folder = local_folder(tmp_path / "net", weights)
    with pytest.raises(WeightsError, match=r"local-dir:.*/net: ") as caught:
        load_classifier(ModelSpec.parse(f"local-dir:{folder}"))
    assert "\n" not in str(caught.value)


def test_an_absent_folder_is_named_with_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"local-dir:.*/net \(Config file not found: .*--weights FILE, or local-dir:"
    ):
        load_classifier(ModelSpec.parse(f"local-dir:{tmp_path}/net"))


def test_a_timm_network_takes_a_checkpoint_file_in_place_of_the_hubs(tmp_path: Path) -> None:
    weights = {name: value for name, value in random_weights().items() if not name.startswith("fc.")}
    save_file(weights, tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match=r"net.safetensors does not fit ResNet: missing fc.bias, fc.weight$"):
        load_classifier(ModelSpec("net", "test_resnet", tmp_path / "net.safetensors"))
    whole = timm.create_model("test_resnet").state_dict()
    save_file(whole, tmp_path / "net.safetensors")
    classifier = load_classifier(ModelSpec("net", "test_resnet", tmp_path / "net.safetensors"))
    assert torch.equal(classifier.network.fc.weight, load_file(tmp_path / "net.safetensors")["fc.weight"])
    assert classifier.provenance["weights_sha256"] == file_sha256(tmp_path / "net.safetensors")
    assert classifier.provenance["weights_file"] == "net.safetensors"
    assert classifier.provenance["tag"] == "file"
    assert classifier.labels == (imagenet_names(), imagenet_wnids())


def test_imagenet_names_and_wordnet_ids_stand_in_the_same_order() -> None:
    table = dict(zip(imagenet_wnids(), imagenet_names(), strict=True))
    assert len(table) == 1000
    known = {"n01440764": "tench", "n02123045": "tabby cat", "n03445777": "golf ball", "n15075141": "toilet paper"}
    assert {wnid: table[wnid] for wnid in known} == known


@pytest.mark.parametrize(("wrong", "near"), [("resnet5O", "resnet50"), ("convnext_basse.fb_in1k", "convnext_base")])
def test_an_unknown_model_offers_near_names(wrong: str, near: str) -> None:
    with pytest.raises(SingError, match=f"^unknown model '{wrong}'; near: .*{near}.*--model module:factory$"):
        load_classifier(ModelSpec.parse(wrong))


@pytest.mark.parametrize("spec", ["google/vit-base", "json:google/vit-base"])
def test_a_name_of_the_hub_without_its_source_says_how_to_write_it(spec: str) -> None:
    with pytest.raises(SingError, match=r"on the hub (it )?is hf-hub:google/vit-base"):
        load_classifier(ModelSpec.parse(spec))


def test_an_unknown_model_far_from_all_names_offers_none() -> None:
    with pytest.raises(SingError, match=r"^unknown model '@@@'. Your own network"):
        load_classifier(ModelSpec.parse("@@@"))


def test_an_unknown_tag_of_a_known_model_is_named() -> None:
    with pytest.raises(
        SingError, match=r"^--model resnet50.nope: no tag 'nope'; resnet50 has the tags: a1_in1k, .*tv_in1k$"
    ):
        load_classifier(ModelSpec.parse("resnet50.nope"))


def test_a_timm_name_without_published_weights_is_refused_never_a_random_network() -> None:
    with pytest.raises(WeightsError, match=r"^efficientnet_b0_g8_gn: No pretrained weights exist"):
        load_classifier(ModelSpec.parse("efficientnet_b0_g8_gn"))


def test_without_a_connection_one_line_says_the_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    why = r"HF_HUB_OFFLINE is set, and it is not in the cache .+"
    with pytest.raises(
        WeightsError, match=rf"^cannot get the weights of test_resnet \({why}\)\. Ways out: --weights FILE, "
    ) as caught:
        load_classifier(ModelSpec.parse("test_resnet"))
    assert "\n" not in str(caught.value)
