"""Configurations of somebody else that describe a network larger than any weights of theirs: refused before memory is taken."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from roads import clip_folder
from safetensors.torch import save_file
from torch import nn
from transformers_folders import loaded, save

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError
from sing_compute.model_configs import check_config, check_described
from sing_compute.models.classifier import load_classifier
from sing_compute.models.spec import ModelSpec

REFUSED = r"its configuration describes more weights than its files of [\d.]+ [KM]B can hold$"


@pytest.fixture(autouse=True)
def _nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail if a parameter of more than 64 MB gets values."""

    def look(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        assert parameter is None or parameter.is_meta or parameter.numel() < 2**24, f"{type(module).__name__}.{name}"

    hook = nn.modules.module.register_module_parameter_registration_hook(look)
    yield
    hook.remove()


def timm_folder(folder: Path, **config: Any) -> Path:
    """A small vision transformer in the hub's format, whose configuration says something else."""
    folder.mkdir(parents=True)
    settings = {"input_size": [3, 32, 32], "num_classes": 4}
    facts = {"architecture": "test_vit", "num_classes": 4, "model_args": {"img_size": 32}, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(facts | config))
    network = timm.create_model("test_vit", num_classes=4, img_size=32)
    save_file(network.state_dict(), folder / "model.safetensors")
    return folder


LARGE: list[dict[str, Any]] = [
    {"model_args": {"img_size": 4096, "patch_size": 1}},
    {"architecture": "vit_giant_patch14_clip_224"},
    {"architecture": "swin_tiny_patch4_window7_224", "model_args": {"img_size": 4096, "window_size": 512}},
]


@pytest.mark.parametrize("config", LARGE, ids=str)
def test_a_folder_of_timm(config: dict[str, Any], tmp_path: Path) -> None:
    folder = timm_folder(tmp_path / "net", **config)
    with pytest.raises(SingError, match=f"^--model local-dir:{folder}: {REFUSED}"):
        load_classifier(ModelSpec("net", f"local-dir:{folder}"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (LARGE[0], REFUSED),
        (
            {"pretrained_cfg": {"input_size": [3, 20_000, 20_000]}},
            r"its configuration says input_size 2e\+04, more than 4,096",
        ),
        ({"model_args": {"layers": [10**6] * 4}}, r"its configuration says layers 1e\+06, more than 1,000"),
    ],
    ids=str,
)
def test_a_repository_of_timm(
    config: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--somebody--net"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    timm_folder(repository / "snapshots" / ("0" * 40), **config)
    with pytest.raises(SingError, match=f"^--model hf-hub:somebody/net: {said}"):
        load_classifier(ModelSpec("net", "hf-hub:somebody/net"))
    assert logging.root.manager.disable == logging.NOTSET


def test_a_sound_repository_of_timm_is_loaded_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--somebody--net"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    timm_folder(repository / "snapshots" / ("0" * 40))
    network = load_classifier(ModelSpec("net", "hf-hub:somebody/net")).network
    assert network.num_classes == 4
    assert not any(parameter.is_meta for parameter in network.parameters())


def test_a_folder_of_transformers(tmp_path: Path) -> None:
    folder = save(tmp_path / "net")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"image_size": 4096, "patch_size": 1}))
    with pytest.raises(SingError, match=f"^--model local-dir:{folder}: {REFUSED}"):
        loaded(folder)


def test_a_folder_of_open_clip(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    clip_folder(folder)
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"] |= {"image_size": 4096, "patch_size": 1}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(SingError, match=f"^--clip local-dir:{folder}: {REFUSED}"):
        OpenClipSpace(f"local-dir:{folder}")


def test_a_network_is_refused_by_its_numbers_alone() -> None:
    check_described(lambda: nn.Linear(2**13, 2**13, bias=False), "net", weights=2**26)
    with pytest.raises(SingError, match=r"^net: .* than its files of 64 MB can hold$"):
        check_described(lambda: nn.Linear(2**13, 2**13), "net", weights=2**26)
    check_described(lambda: nn.Linear(2**13, 2**13), "net", weights=2**27)
    with pytest.raises(SingError, match=r"^net: .* more weights than 8,589,934,592 numbers$"):
        check_described(lambda: nn.Linear(2**17, 2**17), "net", weights=None)
    built = nn.Linear(2, 2)
    assert not built.weight.is_meta
    check_described(
        lambda: nn.Linear(int(torch.ones(1).sum()), 2), "net", weights=1
    )  # it needs values: left to its library


def test_a_network_that_never_ends_is_stopped() -> None:
    def endless() -> nn.Module:
        parts = nn.ModuleList()
        while True:
            parts.append(nn.Linear(2**13, 2**13))

    with pytest.raises(SingError, match="describes more weights"):
        check_described(endless, "net", weights=None)


def test_numbers_of_a_decoder_that_take_memory_without_weights() -> None:
    for name, most in (("num_train_timesteps", "100,000"), ("sample_size", "4,096")):
        check_config({name: 1000}, "net")
        with pytest.raises(SingError, match=f"says {name} 2.15e\\+09, more than {most}"):
            check_config({name: 2**31}, "net")
