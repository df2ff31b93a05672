"""Backbones without a head, in timm's own form, and the heads that make them classifiers."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from sing_compute.errors import HeadError, WeightsError
from sing_compute.fingerprints import file_sha256
from sing_compute.models.backbone import HeadedBackbone, read_head
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.models.head import find_head
from sing_compute.models.spec import ModelSpec
from sing_compute.models.timm_source import create_timm

WIDTH, CLASSES = 64, 5
FACTORY = """
import torch
from torch import nn

def features():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 12), nn.ReLU())
    network.transform = torch.Tensor
    return network

def maps():
    return nn.Conv2d(3, 12, 3)

def pairs():
    network = features()
    network.append(type("Pair", (nn.Module,), {"forward": lambda self, x: (x, x)})())
    return network
"""


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small vision transformer without a head, as timm's DINO weights come: a folder in the hub's own format."""
    folder = tmp_path_factory.mktemp("dino") / "small-vit"
    folder.mkdir()
    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=0, img_size=32)
    settings = {"input_size": [3, 32, 32], "num_classes": 0, "crop_pct": 1.0}
    config = {"architecture": "test_vit", "num_classes": 0, "model_args": {"img_size": 32}, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(network.state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "my_backbones.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_backbones"
    sys.modules.pop("my_backbones", None)


def head_file(folder: Path, dim: int, *, prefix: str = "", name: str = "head.safetensors", **other: Tensor) -> Path:
    torch.manual_seed(1)
    tensors = {f"{prefix}weight": torch.randn(CLASSES, dim), f"{prefix}bias": torch.randn(CLASSES), **other}
    path = folder / name
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save(tensors, path)
    return path


def load(spec: str, head: Path) -> Classifier:
    return load_classifier(ModelSpec.parse(spec, head=head))


def images() -> Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "prefix"), [("h.safetensors", ""), ("h.pt", "module.linear."), ("h.pth", "fc.")])
@torch.inference_mode()
def test_a_head_file_makes_a_backbone_a_classifier(name: str, prefix: str, backbone: Path, tmp_path: Path) -> None:
    path = head_file(tmp_path, WIDTH, prefix=prefix, name=name)
    classifier = load(f"local-dir:{backbone}", path)
    weight, bias = read_head(path)
    assert classifier.labels is None
    classifier.attach(images())
    features, logits = classifier(images())
    plain = timm.create_model(f"local-dir:{backbone}", pretrained=True).eval()(images())
    assert torch.allclose(features, plain, atol=1e-5)  # the order of sums differs: the network runs channels last
    assert torch.allclose(logits, features @ weight.T + bias, atol=1e-4)
    assert torch.equal(classifier.head[0], weight)
    facts = classifier.provenance
    assert (facts["head"], facts["head_file"], facts["head_sha256"]) == ("head", name, file_sha256(path))
    assert "feature" not in facts
    assert facts["input_size"] == "3x32x32"
    assert classifier.transform.transforms[1].size == [32, 32]


@torch.inference_mode()
def test_a_head_of_twice_the_width_reads_class_token_and_mean_patch_token(backbone: Path, tmp_path: Path) -> None:
    classifier = load(f"local-dir:{backbone}", head_file(tmp_path, 2 * WIDTH))
    classifier.attach(images())
    features, _ = classifier(images())
    tokens = timm.create_model(f"local-dir:{backbone}", pretrained=True).eval().forward_features(images())
    assert torch.allclose(features[:, :WIDTH], tokens[:, 0], atol=1e-6)
    assert torch.allclose(features[:, WIDTH:], tokens[:, 1:].mean(dim=1), atol=1e-6)
    assert classifier.provenance["feature"] == "class token and mean patch token"


@torch.inference_mode()
def test_register_tokens_are_no_patches() -> None:
    network = timm.create_model("test_vit", num_classes=0, img_size=32, reg_tokens=4)
    wrapped = HeadedBackbone(network.eval())
    wrapped.put(torch.eye(2 * WIDTH), torch.zeros(2 * WIDTH), "here")
    tokens = network.forward_features(images())
    assert torch.allclose(wrapped(images())[:, WIDTH:], tokens[:, 5:].mean(dim=1), atol=1e-6)


def test_the_precision_of_a_head_is_that_of_its_file(backbone: Path, tmp_path: Path) -> None:
    save_file(
        {"weight": torch.randn(CLASSES, WIDTH).half(), "bias": torch.zeros(CLASSES).half()}, tmp_path / "h.safetensors"
    )
    classifier = load(f"local-dir:{backbone}", tmp_path / "h.safetensors")
    classifier.attach(images())
    assert classifier.stored_dtype == torch.float16


@torch.inference_mode()
def test_a_users_own_backbone_takes_a_head_too(factories: str, tmp_path: Path) -> None:
    classifier = load(f"{factories}:features", head_file(tmp_path, 12))
    assert classifier.transform is torch.Tensor
    classifier.attach(images())
    assert classifier(images())[0].shape == (3, 12)


def test_a_backbone_alone_is_refused_with_the_way_out(backbone: Path) -> None:
    with pytest.raises(
        HeadError, match=r"^small-vit: local-dir:.* is a backbone without a head; give --head FILE \(weight and bias\)"
    ):
        load_classifier(ModelSpec.parse(f"local-dir:{backbone}"))


def test_a_head_of_another_size_names_both_sizes(backbone: Path, factories: str, tmp_path: Path) -> None:
    path = head_file(tmp_path, 100)
    for spec, name, dim in ((f"local-dir:{backbone}", "small-vit", WIDTH), (f"{factories}:features", "features", 12)):
        with pytest.raises(
            HeadError, match=rf"^{name}: the head of {path} reads 100 features, the network gives {dim}$"
        ):
            load(spec, path).attach(images())


@pytest.mark.parametrize(("factory", "what"), [("maps", r"a tensor of shape \(3, 12, 30, 30\)"), ("pairs", "a tuple")])
def test_a_network_of_no_single_feature_vector_takes_no_head(
    factory: str, what: str, factories: str, tmp_path: Path
) -> None:
    with pytest.raises(HeadError, match=rf"^{factory}: the network gives {what}, not one feature vector per image"):
        load(f"{factories}:{factory}", head_file(tmp_path, 12)).attach(images())


def test_a_model_with_a_head_of_its_own_takes_no_other(tmp_path: Path) -> None:
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "w.safetensors")
    spec = ModelSpec("net", "test_resnet", tmp_path / "w.safetensors", head_file(tmp_path, 96))
    with pytest.raises(HeadError, match=r"^net: test_resnet has a head of its own \(1000 classes\); --head is for"):
        load_classifier(spec)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"weight": torch.zeros(5, 8)}, r"needs the tensors weight \(classes x dim\) and bias, found weight$"),
        ({"a.weight": torch.zeros(5, 8), "b.bias": torch.zeros(5)}, r"found a.weight, b.bias$"),
        ({f"{i}.weight": torch.zeros(5, 8) for i in range(5)}, r"found 0.weight, 1.weight, 2.weight and 2 more$"),
        (
            {"weight": torch.zeros(5, 8), "bias": torch.zeros(8)},
            r"weight \(5, 8\) and bias \(8,\) do not go together; weight is classes x dim",
        ),
        ({"weight": torch.zeros(5), "bias": torch.zeros(5)}, r"weight \(5,\) and bias \(5,\) do not go together"),
    ],
)
def test_a_file_that_is_no_linear_head_is_refused(tensors: dict[str, Tensor], message: str, tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "h.safetensors")
    with pytest.raises(WeightsError, match=rf"^--head {tmp_path}/h.safetensors: .*{message}"):
        read_head(tmp_path / "h.safetensors")
    with pytest.raises(WeightsError, match=r"^--head /nope.pt: no such file$"):
        read_head(Path("/nope.pt"))


def test_a_distilled_transformer_is_refused_and_its_two_heads_are_named(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = timm.create_model(
        "deit_tiny_distilled_patch16_224", img_size=32, depth=1, embed_dim=48, num_classes=7
    ).eval()
    for head in (network.head, network.head_dist):
        torch.nn.init.normal_(head.weight)
    with pytest.raises(
        HeadError, match=r"VisionTransformerDistilled's logits; nearest: head(_dist)? \(.*, head"
    ) as caught:
        find_head(network, images())
    assert "averages two heads" in str(caught.value)
    network.set_distilled_training(True)
    network.train()
    with pytest.raises(HeadError, match=r"the network returns a tuple of 2, not one tensor of logits"):
        find_head(network, images())


def test_the_presets_size_changes_input_and_positions_of_a_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelSpec, "is_local", property(lambda self: True))
    made = create_timm(ModelSpec("net", "test_vit", weights=Path("unused"), image_size=64), with_weights=False)
    assert made.pretrained_cfg["input_size"] == (3, 64, 64)
    assert made.pretrained_cfg["crop_pct"] == 0.875
    assert made(torch.randn(1, 3, 64, 64)).shape == (1, 1000)
