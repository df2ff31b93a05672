"""Image classifiers of Hugging Face's transformers: their logits, pixels, names and weights, and what is refused."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants as constants
import pytest
import torch
from roads import clip_folder
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoImageProcessor, AutoModelForImageClassification
from transformers_folders import CLASSES, SIDE, families, loaded, photographs, save

from sing_compute import hubs
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import HeadError, SingError, WeightsError
from sing_compute.imagenet import imagenet_names, imagenet_wnids, wnid_wordings
from sing_compute.models.classifier import load_classifier
from sing_compute.models.spec import ModelSpec
from sing_compute.transform_results import image_tensor

NETWORK_OF = {"deit with teacher": "cls_classifier"}
"""Families of two heads, and the one that is asked for."""


@pytest.mark.parametrize("family", list(families()))
@torch.inference_mode()
def test_pixels_and_logits_are_those_of_transformers_itself(family: str, folders: Path) -> None:
    folder = save(folders / family, family)
    classifier = loaded(folder, head_of=NETWORK_OF.get(family, ""))
    processor = AutoImageProcessor.from_pretrained(folder)
    theirs = processor(photographs(), return_tensors="pt")["pixel_values"]
    pixels = torch.stack([image_tensor(classifier.transform(image)) for image in photographs()])
    assert pixels.dtype == torch.float32
    assert torch.equal(pixels, theirs)

    reference = AutoModelForImageClassification.from_pretrained(folder).double().eval()
    output = reference(pixel_values=theirs.double())
    logits = output["cls_logits" if family in NETWORK_OF else "logits"]
    classifier.attach(pixels)
    features, answer = classifier(pixels)
    weight, bias = classifier.head
    spread = float(logits.amax() - logits.amin())
    assert spread > 0.1
    assert (answer - logits).abs().max() < 1e-5 * spread
    assert (features.double() @ weight.double().T + bias.double() - logits).abs().max() < 1e-5 * spread
    assert classifier.labels == (list(CLASSES), None)
    assert bool(classifier.warnings) is (family in NETWORK_OF)


@torch.inference_mode()
def test_the_head_of_dinov2_reads_class_token_and_mean_patch_token(folders: Path) -> None:
    folder = save(folders / "dino", "dinov2 with registers")
    classifier = loaded(folder)
    pixels = torch.stack([image_tensor(classifier.transform(image)) for image in photographs()])
    classifier.attach(pixels)
    backbone = AutoModelForImageClassification.from_pretrained(folder).base_model.eval()
    tokens = backbone(pixels).last_hidden_state
    registers = backbone.config.num_register_tokens
    expected = torch.cat([tokens[:, 0], tokens[:, 1 + registers :].mean(dim=1)], dim=1)
    assert torch.allclose(classifier(pixels)[0], expected, atol=1e-5)


def test_provenance_names_network_processor_and_library(vit: Path) -> None:
    facts = loaded(vit).provenance
    assert facts["tag"] == facts["architecture"] == "ViTForImageClassification"
    assert facts["preprocessing_from"] == "the image processor of transformers in its preprocessor_config.json"
    shown = str(facts["preprocessing"])
    assert shown.startswith("ViTImageProcessor(")
    assert "size={'height': 32, 'width': 32}" in shown
    assert "image_mean=[0.5, 0.5, 0.5]" in shown
    assert str(facts["transformers_version"]) == __import__("transformers").__version__


def state(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("kind", ["shards", "half", "bin"])
def test_weights_are_read_from_every_kind_of_file(kind: str, folders: Path, vit: Path) -> None:
    options = {"shards": {"max_shard_size": "8KB"}, "half": {"dtype": torch.float16}}.get(kind, {})
    folder = save(folders / f"vit {kind}", **options)
    if kind == "bin":
        torch.save(state(folder), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    assert (len(list(folder.glob("*.safetensors"))) > 2) is (kind == "shards")
    classifier = loaded(folder)
    expected = {name: value.half().float() if kind == "half" else value for name, value in state(vit).items()}
    found = loaded(changed(vit, folder.parent / f"expected {kind}", lambda _: expected)).network.state_dict()
    same = classifier.network.state_dict()
    assert all(torch.equal(found[name], value) for name, value in same.items())
    assert torch.equal(same["classifier.weight"], expected["classifier.weight"])
    assert {value.dtype for value in same.values()} == {torch.float32}
    classifier.attach(torch.randn(3, 3, SIDE, SIDE))
    assert classifier.stored_dtype == (torch.float16 if kind == "half" else torch.float32)


def test_a_file_of_weights_takes_the_place_of_the_folders_own(vit: Path, tmp_path: Path) -> None:
    other = {name: value + 1 for name, value in state(vit).items()}
    save_file({f"module.{name}": value for name, value in other.items()}, tmp_path / "other.safetensors")
    classifier = loaded(vit, weights=tmp_path / "other.safetensors")
    expected = loaded(changed(vit, tmp_path / "expected", lambda _: other)).network.state_dict()
    found = classifier.network.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert not torch.equal(found["classifier.weight"], state(vit)["classifier.weight"])
    assert classifier.provenance["weights_file"] == "other.safetensors"
    save_file({name: v for name, v in other.items() if "classifier" not in name}, tmp_path / "body.safetensors")
    with pytest.raises(
        WeightsError, match=r"body.safetensors does not fit ViT.*: missing classifier.bias, classifier.weight$"
    ):
        loaded(vit, weights=tmp_path / "body.safetensors")


def changed(folder: Path, target: Path, change: Any) -> Path:
    """Copy a folder with other weights."""
    target.mkdir()
    for path in folder.glob("*.json"):
        (target / path.name).write_bytes(path.read_bytes())
    save_file(change(state(folder)), target / "model.safetensors")
    return target


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {k: v for k, v in s.items() if k != "classifier.bias"},
            r"the checkpoint does not fit ViTForImageClassification: missing classifier.bias$",
        ),
        (lambda s: s | {"neck.weight": torch.zeros(2)}, r"unexpected neck.weight$"),
        (lambda s: s | {"classifier.weight": torch.zeros(7, 24)}, r"of another shape classifier.weight$"),
        (lambda s: {"x": torch.zeros(1)}, r"missing classifier.bias, classifier.weight, .* \.\.\.; unexpected x$"),
    ],
)
def test_weights_that_do_not_fit_are_refused_never_a_random_head(
    change: Any, message: str, vit: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = changed(vit, tmp_path / "net", change)
    with pytest.raises(WeightsError, match=message) as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def rewritten(folder: Path, target: Path, name: str, **entries: object) -> Path:
    """Copy a folder in which entries of a JSON file are others."""
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    content = json.loads((target / name).read_text()) | entries
    (target / name).write_text(json.dumps(content))
    return target


def test_a_backbone_is_refused_by_its_name(vit: Path, tmp_path: Path) -> None:
    folder = rewritten(vit, tmp_path / "net", "config.json", architectures=["ViTModel"])
    with pytest.raises(
        HeadError, match=r"ViTModel is no image classifier with a head \(no ...ForImageClassification\); a back"
    ):
        loaded(folder)


def test_code_of_a_repository_is_never_run(vit: Path, tmp_path: Path) -> None:
    folder = rewritten(vit, tmp_path / "net", "config.json", model_type="own", auto_map={"AutoConfig": "own.Config"})
    (folder / "own.py").write_text("import pathlib; pathlib.Path('ran').touch()\nclass Config: pass\n")
    with pytest.raises(
        WeightsError, match=r"needs Python code of its repository, which is never run; give a module:factory"
    ):
        loaded(folder)
    assert not Path("ran").exists()


def test_a_folder_without_weights_is_refused(vit: Path, tmp_path: Path) -> None:
    folder = rewritten(vit, tmp_path / "net", "config.json")
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        WeightsError, match=r"there are no weights \(model.safetensors or pytorch_model.bin\) in the folder$"
    ):
        loaded(folder)


def test_a_damaged_description_is_one_line(vit: Path, tmp_path: Path) -> None:
    folder = rewritten(vit, tmp_path / "net", "config.json", hidden_size="wide")
    with pytest.raises(WeightsError, match=r"^--model local-dir:.*net: ") as caught:
        loaded(folder)
    assert "\n" not in str(caught.value)


def test_placeholders_are_no_class_names(folders: Path) -> None:
    assert loaded(save(folders / "unnamed", names=("", "", "", ""))).labels is None


def test_imagenets_names_are_those_of_all_other_models(folders: Path) -> None:
    names = tuple(max(wnid_wordings(wnid), key=len) for wnid in imagenet_wnids())
    assert names[0] == "tench, Tinca tinca"
    assert loaded(save(folders / "imagenet", names=names)).labels == (imagenet_names(), imagenet_wnids())


def test_without_the_library_one_line_says_what_to_install(vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        SingError,
        match=r"this is a model of Hugging Face's transformers \(ViTForImageClassification\); it needs pip install "
        r"'sing-explorer\[transformers\]'$",
    ):
        loaded(vit)


def test_a_name_on_the_hub_is_loaded_from_its_cache(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hubs, "why_unreachable", lambda: pytest.fail("nobody is asked"))
    spec = ModelSpec.parse("hf-hub:somebody/small-vit")
    with pytest.raises(
        WeightsError, match=r"^cannot get the weights of hf-hub:somebody/small-vit \(HF_HUB_OFFLINE is set"
    ):
        load_classifier(spec)
    snapshot = tmp_path / "models--somebody--small-vit" / "snapshots" / ("0" * 40)
    (snapshot.parents[1] / "refs").mkdir(parents=True)
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    snapshot.mkdir(parents=True)
    for path in vit.glob("*.json"):
        (snapshot / path.name).write_bytes(path.read_bytes())
    with pytest.raises(
        WeightsError, match=r"\(HF_HUB_OFFLINE is set, and it is not in the cache .*\)\. Ways out: --weights"
    ):
        load_classifier(spec)
    (snapshot / "model.safetensors").write_bytes((vit / "model.safetensors").read_bytes())
    classifier = load_classifier(spec)
    assert classifier.name == "small-vit"
    assert torch.equal(classifier.network.state_dict()["classifier.weight"], state(vit)["classifier.weight"])
    facts = classifier.provenance
    assert (facts["tag"], facts["origin"], facts["revision"]) == ("somebody/small-vit", "somebody/small-vit", "0" * 40)
    assert logging.root.manager.disable == logging.NOTSET
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kwargs", [{}, {"trust_remote_code": True}, {"tokenizer_file": "x"}], ids=str)
def test_code_of_a_clips_tokenizer_is_never_run_and_nobody_is_asked(
    kwargs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "clip"
    clip_folder(folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] |= {"hf_tokenizer_name": "someone/else", "tokenizer_kwargs": kwargs}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    facts = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts))
    monkeypatch.setattr("builtins.input", lambda text: pytest.fail("the user is asked"))
    with pytest.raises(SingError, match="code") as refused:
        OpenClipSpace(f"local-dir:{folder}")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()
