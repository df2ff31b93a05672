"""Classifiers that a user's own factory gives."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sing_compute.errors import HeadError, SingError
from sing_compute.models.classifier import load_classifier
from sing_compute.models.spec import ModelSpec

FACTORIES = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8, 5)

    def forward(self, images):
        return self.fc(self.drop(self.stem(images).relu().mean(dim=(2, 3))))

def plain():
    return Net()

def to_square(image):
    return torch.full((3, 6, 6), image.width / 100)

def with_transform():
    network = Net()
    network.transform = to_square
    return network

def gives_a_list():
    return [Net()]

def raises():
    return Net().missing_layer

def leaves():
    import sys
    sys.exit(0)

def needs_an_argument(size):
    return Net()

NUMBER = 3
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name of an importable module of a user's own factories."""
    (tmp_path / "my_factories.py").write_text(FACTORIES)
    (tmp_path / "my_broken.py").write_text("def net(:\n")
    (tmp_path / "my_needy.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_factories"
    for name in ("my_factories", "my_broken", "my_needy"):
        sys.modules.pop(name, None)


@torch.inference_mode()
def test_a_checkpoint_of_doubles_in_a_float32_network_counts_as_float32(factories: str, tmp_path: Path) -> None:
    state = load_classifier(ModelSpec(name="net", spec=f"{factories}:plain")).network.double().state_dict()
    noisy = {name: value + 1e-12 * torch.rand_like(value) for name, value in state.items()}
    save_file(noisy, tmp_path / "net.safetensors")
    classifier = load_classifier(ModelSpec("net", f"{factories}:plain", tmp_path / "net.safetensors"))
    classifier.attach(torch.randn(3, 3, 8, 8))
    assert classifier.stored_dtype == torch.float32


@torch.inference_mode()
def test_a_factorys_network_is_evaluated_and_described(factories: str) -> None:
    classifier = load_classifier(ModelSpec.parse(f"{factories}:plain"))
    classifier.attach(torch.randn(3, 3, 8, 8))
    images = torch.randn(4, 3, 8, 8)
    features, logits = classifier(images)
    again, _ = classifier(images)
    weight, bias = classifier.head
    assert torch.equal(features, again)  # dropout is off
    assert torch.allclose(features @ weight.T + bias, logits, atol=1e-6)
    assert torch.equal(weight, classifier.network.fc.weight)
    assert classifier.provenance["tag"] == classifier.provenance["spec"] == f"{factories}:plain"
    assert classifier.labels is None


def test_a_factorys_own_transform_is_used_and_timms_usual_one_without_it(factories: str) -> None:
    image = Image.new("RGB", (50, 40))
    own = load_classifier(ModelSpec.parse(f"{factories}:with_transform")).transform(image)
    assert torch.equal(own, torch.full((3, 6, 6), 0.5))
    assert load_classifier(ModelSpec.parse(f"{factories}:plain")).transform(image).shape == (3, 224, 224)


def test_a_factory_is_found_in_the_folder_the_command_runs_in(
    factories: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry) != tmp_path])
    monkeypatch.chdir(tmp_path)
    assert load_classifier(ModelSpec.parse(f"{factories}:plain")).name == "plain"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "no_such_module:net",
            r"cannot import no_such_module \(ModuleNotFoundError: No module named 'no_such_module'\); run from its folder",
        ),
        (
            "my_needy:net",
            r"cannot import my_needy \(ModuleNotFoundError: .* 'a_package_that_is_not_there', at my_needy.py:1\)",
        ),
        (
            "my_broken:net",
            r"cannot import my_broken \(SyntaxError: invalid syntax \(my_broken.py, line 1\), at my_broken.py:1\)",
        ),
        (":net", r"cannot import  \("),
        ("my_factories:absent", r"my_factories has no function 'absent'"),
        ("my_factories:", r"my_factories has no function ''"),
        ("my_factories:NUMBER", r"my_factories has no function 'NUMBER'"),
        ("my_factories:gives_a_list", r"gives_a_list\(\) returned a list, not a torch.nn.Module"),
        (
            "my_factories:raises",
            r"raises\(\) failed \(AttributeError: .* no attribute 'missing_layer', at my_factories.py:31\)",
        ),
        (
            "my_factories:leaves",
            r"leaves\(\) failed \(SystemExit: 0, at my_factories.py:35\)",
        ),
        ("my_factories:needs_an_argument", r"needs_an_argument\(\) failed \(.*missing 1 required positional argument"),
    ],
)
@pytest.mark.usefixtures("factories")
def test_a_factory_that_gives_no_network_is_refused_in_one_line(spec: str, message: str) -> None:
    with pytest.raises(SingError, match=f"^--model {spec}: {message}") as caught:
        load_classifier(ModelSpec("net", spec))
    assert "\n" not in str(caught.value)


def test_a_head_error_names_the_model(factories: str) -> None:
    classifier = load_classifier(ModelSpec.parse(f"mine={factories}:plain"))
    with pytest.raises(HeadError, match=r"^mine: attach the head on a first batch before using it$"):
        classifier(torch.randn(1, 3, 8, 8))
    with pytest.raises(HeadError, match=r"^mine: attach the head on a first batch before asking for it$"):
        _ = classifier.head
    with pytest.raises(HeadError, match=r"^mine: the network's logits are not finite"):
        classifier.attach(torch.full((2, 3, 8, 8), torch.nan))
