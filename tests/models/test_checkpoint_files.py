"""Checkpoints in the layouts that people have: shards, averaged weights, prefixes, other numbers of classes, programs."""

import hashlib
import json
import math
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from sing_compute.errors import SingError, WeightsError
from sing_compute.fingerprints import file_sha256, state_sha256
from sing_compute.models.checkpoint_files import checkpoint_sha256
from sing_compute.models.classifier import Classifier, load_classifier
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
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name of a module whose network has a part called `model`."""
    (tmp_path / "inner_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    yield "inner_nets:inner"
    sys.modules.pop("inner_nets", None)


def weights(classes: int = 1000, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(timm.create_model("test_resnet", num_classes=classes).state_dict())


def loaded(path: Path, ema: bool | None = None, spec: str = "test_resnet") -> Classifier:
    return load_classifier(ModelSpec("net", spec, path, ema=ema))


def sharded(folder: Path, state: dict[str, Tensor], parts: int = 3, *, index: bool = True) -> Path:
    folder.mkdir()
    names, places = sorted(state), {}
    size = math.ceil(len(names) / parts)
    for part in range(parts):
        file = f"model-{part + 1:05d}-of-{parts:05d}.safetensors"
        chosen = names[part * size : (part + 1) * size]
        save_file({name: state[name] for name in chosen}, folder / file)
        places |= dict.fromkeys(chosen, file)
    if index:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


@pytest.mark.parametrize(
    ("given", "index"),
    [
        ("", True),
        ("", False),
        ("model.safetensors.index.json", True),
        ("model-00002-of-00003.safetensors", True),
        ("model-00002-of-00003.safetensors", False),
    ],
)
def test_shards_are_one_checkpoint_by_their_folder_index_or_any_of_them(
    given: str, index: bool, tmp_path: Path
) -> None:
    state = weights()
    folder = sharded(tmp_path / "net", state, index=index)
    network = loaded(folder / given).network.state_dict()
    assert all(torch.equal(network[name], value) for name, value in state.items())
    listed = "".join(f"{file_sha256(file)}\n" for file in sorted(folder.glob("*.safetensors")))
    assert checkpoint_sha256(folder / given) == hashlib.sha256(listed.encode()).hexdigest()


def test_shards_in_a_local_folder_of_timm_are_read(tmp_path: Path) -> None:
    state = weights(classes=5)
    folder = sharded(tmp_path / "net", state)
    config = {"architecture": "test_resnet", "num_classes": 5, "pretrained_cfg": {"input_size": [3, 32, 32]}}
    (folder / "config.json").write_text(json.dumps(config))
    classifier = load_classifier(ModelSpec.parse(f"local-dir:{folder}"))
    network = classifier.network.state_dict()
    assert all(torch.equal(network[name], value) for name, value in state.items())
    assert "weights_file" not in classifier.provenance


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = sharded(tmp_path / "net", weights())
    (folder / "model-00002-of-00003.safetensors").unlink()
    message = r"^--weights .*net.*: 1 of its 3 files are missing, the first is model-00002-of-00003.safetensors$"
    with pytest.raises(WeightsError, match=message):
        loaded(folder)


def test_an_index_leads_to_no_file_outside_its_folder(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "secret.safetensors")
    (tmp_path / "net").mkdir()
    index = tmp_path / "net" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"fc.weight": "../secret.safetensors"}}))
    with pytest.raises(WeightsError, match=r"1 of its 1 files are missing, the first is secret.safetensors$"):
        loaded(index)


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"weight_map": 3}'])
def test_a_damaged_index_is_refused_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(WeightsError, match=r"not an index of shards \(it has no weight_map\)$"):
        loaded(tmp_path)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"in this folder there is neither model.safetensors nor model.safetensors.index"
    ):
        loaded(tmp_path)


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


def torchscript(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py", "version"):
            archive.writestr(f"net/{name}", b"x")


def onnx(path: Path) -> None:
    path.write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x052.1.0")


def exported(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/archive_format", b"pt2")


PROGRAMS = {
    "net.pt": (
        torchscript,
        r"this is a TorchScript archive, .* --model module:factory, .*torch.jit.load\(FILE\).state_dict",
    ),
    "net.onnx": (
        onnx,
        r"this is an ONNX file, .* give its Python class with --model module:factory, and its weights as",
    ),
    "renamed.pth": (onnx, r"this is an ONNX file, "),
    "net.pt2": (exported, r"this is an archive of torch.export, .* --model module:factory"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_refused_by_name_with_the_way_out(name: str, tmp_path: Path) -> None:
    write, message = PROGRAMS[name]
    write(tmp_path / name)
    with pytest.raises(WeightsError, match=rf"^--weights .*{name}: {message}") as caught:
        loaded(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match=rf"^--model .*{name}: {message}"):
        load_classifier(ModelSpec.parse(str(tmp_path / name)))


def test_a_real_torchscript_archive_is_known_as_one(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "net.pt"))
    with pytest.raises(WeightsError, match="this is a TorchScript archive"):
        read_checkpoint(tmp_path / "net.pt")


def test_a_file_of_weights_is_no_model(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "net.safetensors")
    path = tmp_path / "net.safetensors"
    with pytest.raises(
        SingError, match=rf"^--model {path}: this is a file of weights; give --model ARCHITECTURE --weights {path}$"
    ):
        load_classifier(ModelSpec.parse(str(path)))


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_state_dict_is_found_some_levels_deep(levels: int, tmp_path: Path) -> None:
    content: object = weights()
    for key in ("state_dict", "model", "net")[:levels]:
        content = {key: content, "epoch": 1}
    torch.save(content, tmp_path / "net.pt")
    found = read_checkpoint(tmp_path / "net.pt")
    assert found.key == "/".join(("net", "model", "state_dict")[3 - levels :])
    assert found.state.keys() == weights().keys()
