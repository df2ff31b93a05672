"""Decoders that fit, and those that do not: each misfit ends in one line."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from render_command import FEW, Command, refused

from sing_compute.rendering.decoder_files import find_decoder
from sing_compute.rendering.decoders import load_decoder


def changed(rendered_folder: Path, tmp_path: Path, change: Callable[[Path], object]) -> Path:
    """A copy of the decoder `stable` after a change."""
    copy = tmp_path / "decoder"
    shutil.copytree(rendered_folder / "stable", copy)
    change(copy)
    return copy


def edited(folder: Path, name: str, **values: object) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def other_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "image_encoder" / "model.safetensors"
    tensors = load_file(path)
    tensors["visual_projection.weight"] = tensors["visual_projection.weight"].flip(0).contiguous()
    save_file(tensors, path, {"format": "pt"})


def lost_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["conv_in.bias"]
    save_file(tensors, path, {"format": "pt"})


MISFITS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "dimensions": (
        lambda folder: edited(folder, "image_encoder/config.json", projection_dim=48),
        ("reads another CLIP than local-dir:clip", "dimensions 48, the file's 64"),
    ),
    "layers": (
        lambda folder: edited(folder, "image_encoder/config.json", num_hidden_layers=3),
        ("another CLIP", "layers 3"),
    ),
    "weights": (other_weights, ("another CLIP", "the weights of the image projection are not")),
    "pickle": (
        lambda folder: (folder / "unet/diffusion_pytorch_model.safetensors").rename(
            folder / "unet/diffusion_pytorch_model.bin"
        ),
        ("unet", "pickle (diffusion_pytorch_model.bin), which is never loaded"),
    ),
    "pipeline": (
        lambda folder: edited(folder, "model_index.json", _class_name="StableDiffusionPipeline"),
        ("is a StableDiffusionPipeline",),
    ),
    "code": (
        lambda folder: edited(folder, "model_index.json", unet=["my_unet", "MyUNet"]),
        ("its unet is a MyUNet, not a UNet2DConditionModel",),
    ),
    "scheduler": (
        lambda folder: edited(folder, "model_index.json", scheduler=["os", "system"]),
        ("its scheduler is a system, which is no scheduler of diffusers",),
    ),
    "remote code": (
        lambda folder: edited(folder, "text_encoder/config.json", trust_remote_code=True),
        ("trust_remote_code", "code of a repository is never run"),
    ),
    "a width": (
        lambda folder: edited(folder, "unet/config.json", sample_size=7),
        ("decoder cannot draw",),
    ),
    "memory": (
        lambda folder: edited(folder, "unet/config.json", cross_attention_dim=2**23),
        (", unet: its configuration describes more weights than its files",),
    ),
    "steps": (
        lambda folder: edited(folder, "scheduler/scheduler_config.json", num_train_timesteps=2**31),
        ("its configuration says num_train_timesteps 2.15e+09, more than 100,000",),
    ),
    "a part": (lambda folder: shutil.rmtree(folder / "vae"), ("its vae is missing",)),
    "a tensor": (lost_tensor, ("its unet has no weights for 1 tensors, such as conv_in.bias",)),
    "no JSON": (lambda folder: (folder / "model_index.json").write_text("{"), ("no pipeline of diffusers",)),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_a_decoder_that_does_not_fit_ends_in_one_line(
    rendered_folder: Path, results: Path, tmp_path: Path, command: Command, kind: str
) -> None:
    change, words = MISFITS[kind]
    before = results.read_bytes()
    refused(command("render", results, *FEW, "--decoder", changed(rendered_folder, tmp_path, change)), *words)
    assert results.read_bytes() == before


def test_a_missing_extra_ends_in_one_line(results: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "diffusers" else find(name, *rest)
    )
    refused(command("render", results, "--decoder", "x/y"), "diffusers", "pip install 'sing-explorer[render]'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--decoder", "no/such/folder"), "no such folder, and no ORG/REPO"),
        (("--decoder", "a/b", "--export", "x"), "--decoder and --export exclude each other"),
        (("--export", "no/such/x.safetensors"), "there is no folder no/such"),
        (("--images", "0", "--class", "cat"), "--images and --class exclude each other"),
        (("--images", "nothing.png"), "no image 'nothing.png'"),
        (("--class", "unicorn"), "no class 'unicorn'"),
        (("--also", "counterfactual"), "has no direction pairs: sing-compute directions"),
        (("--steer", " "), "nothing to steer toward"),
        (("--model", "second"), "no model 'second'"),
        (("--photos", "nowhere"), "is not on this machine: --photos DIR says"),
    ],
)
def test_mistakes_end_in_one_line(results: Path, command: Command, options: tuple[str, ...], words: str) -> None:
    refused(command("render", results, *options), words)
    assert not results.with_name("results.h5.work").exists()


def test_a_decoder_in_several_files_is_the_same_one(rendered_folder: Path, tmp_path: Path) -> None:
    from diffusers import UNet2DConditionModel

    def split(folder: Path) -> None:
        unet = UNet2DConditionModel.from_pretrained(folder / "unet")
        (folder / "unet/diffusion_pytorch_model.safetensors").unlink()
        unet.save_pretrained(folder / "unet", max_shard_size="60KB")

    options = {"steps": 1, "device": torch.device("cpu"), "memory": "normal", "where": "--decoder"}
    whole, parts = (
        find_decoder(str(rendered_folder / "stable")),
        find_decoder(str(changed(rendered_folder, tmp_path, split))),
    )
    assert len(parts.weights("unet")) > 1
    vector = torch.ones(1, 64)
    left, right = (np.asarray(load_decoder(files, **options).decode(vector, [0])[0]) for files in (whole, parts))
    assert (left == right).all()


def test_of_a_repository_only_configurations_and_safetensors_are_downloaded(
    rendered_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(
        repository: str, *, revision: str | None, allow_patterns: list[str], ignore_patterns: list[str]
    ) -> str:
        asked.append((repository, revision, allow_patterns))
        return str(rendered_folder / "karlo")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("sing_compute.hubs.why_unreachable", str)
    found = find_decoder("someone/karlo@main")
    assert (found.name, found.revision) == ("someone/karlo", "karlo")
    assert [each[:2] for each in asked] == [("someone/karlo", "main")] * 2
    assert asked[0][2] == ["model_index.json"]
    assert {pattern.rpartition(".")[2] for pattern in asked[1][2]} == {"json", "txt", "safetensors"}
