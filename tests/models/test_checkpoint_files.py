"""Files of checkpoints: shards, and programs that are none."""

import hashlib
import json
import math
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_checkpoints import loaded, weights
from torch import Tensor

from sing_compute.errors import SingError, WeightsError
from sing_compute.fingerprints import file_sha256
from sing_compute.models.checkpoint_files import checkpoint_sha256
from sing_compute.models.classifier import load_classifier
from sing_compute.models.spec import ModelSpec
from sing_compute.models.weights import read_checkpoint


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
