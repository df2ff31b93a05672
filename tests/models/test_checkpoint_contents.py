"""Contents of checkpoints as people have them: averaged weights, prefixes, nested dicts, other numbers of classes."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from small_checkpoints import loaded, weights
from torch import Tensor

from sing_compute.errors import WeightsError
from sing_compute.fingerprints import state_sha256
from sing_compute.models.classifier import load_classifier
from sing_compute.models.spec import ModelSpec
from sing_compute.models.weights import load_strictly, read_checkpoint, read_state

NETS = """
import torch
from torch import nn

class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU())
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(self.model(x))

def inner():
    torch.manual_seed(1)
    return Inner()

def with_ema():
    network = inner()
    network.ema = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU())
    return network
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name of a module whose network has a part called `model`."""
    (tmp_path / "inner_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    yield "inner_nets:inner"
    sys.modules.pop("inner_nets", None)


PLAIN, AVERAGED = 0, 1
LAYOUTS: dict[str, tuple[Callable[[dict[str, Tensor], dict[str, Tensor]], object], str, str]] = {
    "timm": (
        lambda plain, ema: {"epoch": 3, "state_dict": plain, "state_dict_ema": ema},
        "state_dict",
        "state_dict_ema",
    ),
    "torchvision": (
        lambda plain, ema: {
            "model": plain,
            "model_ema": {"n_averaged": torch.tensor(3), **{f"module.{name}": value for name, value in ema.items()}},
        },
        "model",
        "model_ema",
    ),
    "detectors": (
        lambda plain, ema: {"model": plain, "ema": {"module": ema, "updates": 12}},
        "model",
        "ema/module",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("ema", "taken"), [(None, AVERAGED), (True, AVERAGED), (False, PLAIN)])
def test_which_of_two_sets_of_weights_is_taken_is_chosen_said_and_recorded(
    layout: str, ema: bool | None, taken: int, tmp_path: Path
) -> None:
    sets = weights(seed=1), weights(seed=2)
    make, *keys = LAYOUTS[layout]
    torch.save(make(*sets), tmp_path / "net.pth")
    classifier = loaded(tmp_path / "net.pth", ema)
    assert torch.equal(classifier.network.conv1[0].weight, sets[taken]["conv1.0.weight"])
    assert not torch.equal(sets[0]["conv1.0.weight"], sets[1]["conv1.0.weight"])
    assert classifier.provenance["weights_key"] == keys[taken]
    way = "; --no-ema takes weights that are not averaged" if ema is None else ""
    other = keys[1 - taken]
    said = f"weights `{keys[taken]}` of {tmp_path / 'net.pth'}, which also holds `{other}`{way}"
    assert classifier.remarks == [said]


SIDE_BY_SIDE: dict[str, tuple[str, str, dict[str, Tensor], str, str]] = {
    "Lightning": ("model.", "ema_model.", {}, "state_dict/model", "state_dict/ema_model"),
    "Lightning with AveragedModel": (
        "model.",
        "ema_model.module.",
        {"ema_model.n_averaged": torch.tensor(3)},
        "state_dict/model",
        "state_dict/ema_model",
    ),
    "ema-pytorch": (
        "online_model.",
        "ema_model.",
        {"initted": torch.tensor(True), "step": torch.tensor(9)},
        "state_dict/online_model",
        "state_dict/ema_model",
    ),
    "only the averaged ones have a prefix": ("", "ema.", {}, "state_dict", "state_dict/ema"),
}
"""Prefixes of both sets, other tensors, and the keys of both."""


@pytest.mark.parametrize("layout", SIDE_BY_SIDE)
@pytest.mark.parametrize(("ema", "taken"), [(None, AVERAGED), (True, AVERAGED), (False, PLAIN)])
def test_two_sets_of_weights_side_by_side_in_one_state_dict_are_two_sets(
    layout: str, ema: bool | None, taken: int, tmp_path: Path
) -> None:
    sets = weights(seed=1), weights(seed=2)
    prefix, averaged, counters, *keys = SIDE_BY_SIDE[layout]
    state = {f"{prefix}{name}": value for name, value in sets[0].items()}
    state |= {f"{averaged}{name}": value for name, value in sets[1].items()} | counters
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "net.ckpt")
    classifier = loaded(tmp_path / "net.ckpt", ema)
    network = classifier.network.state_dict()
    assert all(torch.equal(network[name], value) for name, value in sets[taken].items())
    assert classifier.provenance["weights_key"] == keys[taken]
    way = "; --no-ema takes weights that are not averaged" if ema is None else ""
    said = f"weights `{keys[taken]}` of {tmp_path / 'net.ckpt'}, which also holds `{keys[1 - taken]}`{way}"
    assert classifier.remarks == [said]


def test_averaged_weights_alone_lose_their_prefix_and_are_no_others(tmp_path: Path) -> None:
    save_file({f"ema_model.{name}": value for name, value in weights().items()}, tmp_path / "net.safetensors")
    classifier = loaded(tmp_path / "net.safetensors")
    assert torch.equal(classifier.network.fc.weight, weights()["fc.weight"])
    assert (classifier.provenance["weights_key"], classifier.remarks) == ("ema_model", [])
    with pytest.raises(
        WeightsError, match=r"holds no other than averaged weights; it has ema_model: leave --no-ema out$"
    ):
        loaded(tmp_path / "net.safetensors", False)


def test_a_part_of_the_network_itself_that_is_called_ema_is_no_second_set(nets: str, tmp_path: Path) -> None:
    target = load_classifier(ModelSpec("net", f"{nets.partition(':')[0]}:with_ema")).network
    state = {name: torch.randn_like(value) for name, value in target.state_dict().items()}
    assert {"model.1.weight", "ema.1.weight"} <= state.keys()
    save_file(state, tmp_path / "net.safetensors")
    network = loaded(tmp_path / "net.safetensors", spec=f"{nets.partition(':')[0]}:with_ema").network.state_dict()
    assert all(torch.equal(network[name], value) for name, value in state.items())


def test_a_second_set_that_lacks_a_counterpart_stays_where_it_is(tmp_path: Path) -> None:
    state = {f"model.{name}": value for name, value in weights().items()}
    save_file(state | {"ema_model.neck.weight": torch.zeros(1)}, tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match=r"unexpected ema_model.neck.weight"):
        loaded(tmp_path / "net.safetensors")


def test_two_sets_of_weights_that_are_not_averaged_are_spoken_of(tmp_path: Path) -> None:
    sets = weights(seed=1), weights(seed=2)
    torch.save({"net": sets[0], "model": sets[1]}, tmp_path / "net.pth")
    classifier = loaded(tmp_path / "net.pth")
    assert torch.equal(classifier.network.conv1[0].weight, sets[1]["conv1.0.weight"])
    assert classifier.remarks == [f"weights `model` of {tmp_path / 'net.pth'}, which also holds `net`"]


@pytest.mark.parametrize(
    ("content", "ema", "message"),
    [
        ("state_dict", True, r"net.pth: holds no averaged weights; it has state_dict: leave --ema out$"),
        (
            "state_dict_ema",
            False,
            r"net.pth: holds no other than averaged weights; it has state_dict_ema: leave --no-ema out$",
        ),
    ],
)
def test_weights_that_a_checkpoint_lacks_are_not_replaced_by_others(
    content: str, ema: bool, message: str, tmp_path: Path
) -> None:
    torch.save({content: weights()}, tmp_path / "net.pth")
    with pytest.raises(WeightsError, match=message):
        loaded(tmp_path / "net.pth", ema)
    one = loaded(tmp_path / "net.pth")
    assert (one.provenance["weights_key"], one.remarks) == (content, [])


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "net.",
        "network.",
        "module._orig_mod.",
        "model.module.",
        "model._orig_mod.",
        "model.net.",
    ],
)
@pytest.mark.parametrize("ending", ["safetensors", "pth", "ckpt"])
def test_prefixes_of_wrappers_are_removed_in_every_format(prefix: str, ending: str, tmp_path: Path) -> None:
    state, path = weights(), tmp_path / f"net.{ending}"
    prefixed = {f"{prefix}{name}": value for name, value in state.items()}
    if ending == "safetensors":
        save_file(prefixed, path)
    else:
        torch.save(prefixed if ending == "pth" else {"state_dict": prefixed, "epoch": 1}, path)
    network = loaded(path).network.state_dict()
    assert all(torch.equal(network[name], value) for name, value in state.items())


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "network._orig_mod."])
def test_a_part_of_the_network_that_is_named_like_a_prefix_remains(prefix: str, nets: str, tmp_path: Path) -> None:
    target = load_classifier(ModelSpec("net", nets)).network
    state = {name: torch.randn_like(value) for name, value in target.state_dict().items()}
    assert "model.1.weight" in state
    save_file({f"{prefix}{name}": value for name, value in state.items()}, tmp_path / "net.safetensors")
    network = loaded(tmp_path / "net.safetensors", spec=nets).network.state_dict()
    assert all(torch.equal(network[name], value) for name, value in state.items())


def test_compiled_parts_of_a_network_have_their_own_names(nets: str, tmp_path: Path) -> None:
    target = load_classifier(ModelSpec("net", nets)).network
    before = state_sha256(target)
    state = {name.replace("model.", "model._orig_mod."): value + 1 for name, value in target.state_dict().items()}
    torch.save(state, tmp_path / "net.pt")
    load_strictly(target, read_state(tmp_path / "net.pt"), "net.pt")
    assert state_sha256(target) != before
    assert torch.equal(target.model[1].weight, state["model._orig_mod.1.weight"])


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_number_of_classes_is_that_of_the_checkpoints_head(name: str, prefix: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = timm.create_model(name, num_classes=6).eval()
    save_file({f"{prefix}{key}": value for key, value in plain.state_dict().items()}, tmp_path / "six.safetensors")
    classifier = loaded(tmp_path / "six.safetensors", spec=name)
    side = plain.pretrained_cfg["input_size"][1]
    images = torch.randn(3, 3, side, side)
    classifier.attach(images)
    with torch.inference_mode():
        features, logits = classifier(images)
        assert torch.allclose(logits, plain(images), atol=1e-5)
        assert torch.allclose(features @ classifier.head[0].T + classifier.head[1], plain(images), atol=1e-5)
    assert classifier.labels is None
    assert classifier.provenance["classes_from"] == "six.safetensors"
    assert classifier.remarks == [f"6 classes, as the head in {tmp_path / 'six.safetensors'}; {name} has 1000"]


def test_a_checkpoint_of_the_usual_number_of_classes_is_not_spoken_of(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "net.safetensors")
    classifier = loaded(tmp_path / "net.safetensors")
    assert classifier.remarks == []
    assert not {"classes_from", "weights_key"} & classifier.provenance.keys()


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_state_dict_is_found_some_levels_deep(levels: int, tmp_path: Path) -> None:
    content: object = weights()
    for key in ("state_dict", "model", "net")[:levels]:
        content = {key: content, "epoch": 1}
    torch.save(content, tmp_path / "net.pt")
    found = read_checkpoint(tmp_path / "net.pt")
    assert found.key == "/".join(("net", "model", "state_dict")[3 - levels :])
    assert found.state.keys() == weights().keys()
