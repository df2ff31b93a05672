import errno
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from roads import ASSETS, need
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from sing_compute.errors import TranslatorError
from sing_compute.translator.ridge import AffineTranslator
from sing_compute.translator.translator_file import ImportedTranslator, read_translator, save_translator

DIM, CLIP = 7, 5
SPACE = "ViT-B-32/openai"
W, B = torch.ones(CLIP, DIM), torch.ones(CLIP)


def layer(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(DIM, CLIP)


def saved(folder: Path, content: object, name: str = "best.pt") -> Path:
    torch.save(content, folder / name)
    return folder / name


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return OrderedDict((prefix + name, value) for name, value in state.items())


def read(path: Path, *, clip: str | None = SPACE, dim: int = DIM, clip_dim: int = CLIP) -> ImportedTranslator:
    return read_translator(path, clip=clip, dim=dim, clip_dim=clip_dim)


def refusal(path: Path, **options: object) -> str:
    """Return the message about a file, without its path: one printable line."""
    with pytest.raises(TranslatorError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


PLACES: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "the authors'": lambda state: OrderedDict(state),
    "of a DataParallel": lambda state: prefixed("module.", state),
    "without a first name": lambda state: prefixed(".", state),
    "of a compiled network": lambda state: prefixed("_orig_mod.", state),
    "deep in a network": lambda state: prefixed("model.translator.linear.", state),
    "of Lightning": lambda state: {"epoch": 3, "state_dict": prefixed("net.", state), "optimizer_states": [{"a": 1}]},
    "nested twice": lambda state: {"model": {"state_dict": state}},
    "of parameters": lambda state: {name: nn.Parameter(value) for name, value in state.items()},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("ending", [".pt", ".pth", ".ckpt"])
def test_a_checkpoint_translates_as_its_layer_did(place: str, ending: str, tmp_path: Path) -> None:
    source = layer()
    path = saved(tmp_path, PLACES[place](source.state_dict()), "best" + ending)
    imported = read(path)
    features = torch.randn(20, DIM)
    assert torch.allclose(imported.translator(features), source(features).double(), atol=1e-5)
    assert imported.translator.weight.dtype == imported.translator.bias.dtype == torch.float64
    assert (imported.clip, imported.model, imported.images) == (SPACE, "", None)
    assert imported.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_value_survives_whatever_its_precision(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {name: value.to(dtype) for name, value in layer().state_dict().items()}
    translator = read(saved(tmp_path, state)).translator
    assert torch.equal(translator.weight, state["weight"].double())
    assert torch.equal(translator.bias, state["bias"].double())


@pytest.mark.parametrize(("model", "dim"), [("densenet", 1024), ("efficientnet", 1280)])
def test_the_authors_own_translators_are_read(model: str, dim: int) -> None:
    need("sing_official")
    path = ASSETS / "sing_official" / "translators" / model / "best.pt"
    state = torch.load(path, weights_only=True)
    features = torch.rand(10, dim)
    imported = read(path, clip="ViT-L-14/openai", dim=dim, clip_dim=768)
    expected = nn.functional.linear(features, state["weight"], state["bias"])
    assert float((imported.translator(features) - expected).abs().max()) < 1e-4 * float(expected.abs().max())


def own(path: Path, *, clip: str = SPACE, model: str = "resnet50.tv_in1k", images: int = 10_000) -> AffineTranslator:
    """A translator written by us; its weight is a view that does not lie in one piece."""
    rng = torch.Generator().manual_seed(1)
    weight = torch.randn(2 * DIM, CLIP, dtype=torch.float64, generator=rng)[::2].T
    translator = AffineTranslator(weight, torch.randn(CLIP, dtype=torch.float64, generator=rng))
    save_translator(path, translator, model=model, clip=clip, images=images)
    return translator


def test_what_we_write_another_reader_reads_bit_for_bit_with_its_names(tmp_path: Path) -> None:
    path = tmp_path / "resnet50.safetensors"
    translator = own(path)
    header = json.loads((content := path.read_bytes())[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {"model": "resnet50.tv_in1k", "clip": SPACE, "images": "10000"}
    arrays = load_file(path)
    assert arrays.keys() == {"weight", "bias"}
    assert np.array_equal(arrays["weight"], translator.weight.numpy())
    assert np.array_equal(arrays["bias"], translator.bias.numpy())


@pytest.mark.parametrize("clip", [None, SPACE, f" {SPACE} "])
def test_what_we_write_we_read_bit_for_bit(clip: str | None, tmp_path: Path) -> None:
    translator = own(path := tmp_path / "own.safetensors")
    imported = read(path, clip=clip)
    assert torch.equal(imported.translator.weight, translator.weight)
    assert torch.equal(imported.translator.bias, translator.bias)
    assert (imported.clip, imported.model, imported.images) == (SPACE, "resnet50.tv_in1k", 10_000)


def test_a_file_and_a_caller_that_name_different_spaces_are_both_quoted(tmp_path: Path) -> None:
    own(tmp_path / "own.safetensors")
    assert refusal(tmp_path / "own.safetensors", clip="ViT-L-14/openai") == (
        "leads into the CLIP space ViT-B-32/openai, but ViT-L-14/openai was asked for; they must be one"
    )


@pytest.mark.parametrize("clip", [None, "", "  "])
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_a_space_that_nobody_names_is_asked_for(clip: str | None, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"best{ending}"
    if ending == ".pt":
        torch.save(layer().state_dict(), path)
    else:
        save_file({"weight": W.numpy(), "bias": B.numpy()}, path, {"clip": " \n", "images": "many"})
    assert refusal(path, clip=clip) == (
        "does not name its CLIP space; name it as --clip does (the SING authors' own: ViT-L-14/openai)"
    )


def test_names_out_of_a_file_hold_no_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "stranger.safetensors"
    save_file(
        {"weight": W.numpy(), "bias": B.numpy()},
        path,
        {"clip": "\x1b[2JViT\n", "model": "a\tb" + "c" * 9999, "images": "-3"},
    )
    imported = read(path, clip=None)
    assert (imported.clip, imported.model[:3], imported.images) == ("[2JViT", "abc", None)
    assert len(imported.model) <= 200


ONE_LAYER = "; a single affine layer is imported: one weight and one bias"
MISFIT = "wanted (5, 7) and (5,) for features of length 7 and embeddings of length 5; "
OF_THIS = "is it of this model and this CLIP?"
NOT_FINITE = " holds values that are not finite; export the translator again"
UNTRAINED = "the weight is all zero; was the translator trained before it was saved?"
ORDINARY = "; save it as ordinary floating point numbers"
NO_STATE = "holds no state dict (names to tensors); save weight and bias as .safetensors"


def holding_itself() -> dict[str, object]:
    content: dict[str, object] = {}
    content["model"] = content
    return content


REFUSED: dict[str, tuple[object, str]] = {
    "no bias": ({"a.weight": W}, f"holds a.weight (5, 7) and lacks a bias{ONE_LAYER}"),
    "nothing": ({}, f"holds nothing and lacks a weight and a bias{ONE_LAYER}"),
    "other names": ({"A": W, "a": B}, f"holds A (5, 7), a (5,) and lacks a weight and a bias{ONE_LAYER}"),
    "two layers' halves": ({"a.weight": W, "b.bias": B}, f"holds a.weight (5, 7), b.bias (5,){ONE_LAYER}"),
    "a scale beside it": (
        {"weight": W, "bias": B, "mean": torch.ones(DIM)},
        f"holds weight (5, 7), bias (5,), mean (7,){ONE_LAYER}",
    ),
    "an MLP whose last layer would fit": (
        nn.Sequential(nn.Linear(DIM, DIM), nn.LayerNorm(DIM), nn.GELU(), nn.Linear(DIM, CLIP)).state_dict(),
        f"holds 0.weight (7, 7), 0.bias (7,), 1.weight (7,), 1.bias (7,) and 2 more{ONE_LAYER}",
    ),
    "transposed": ({"weight": W.T, "bias": B}, f"weight (7, 5) and bias (5,), {MISFIT}transpose the weight"),
    "of another model": ({"weight": torch.ones(CLIP, 9), "bias": B}, f"weight (5, 9) and bias (5,), {MISFIT}{OF_THIS}"),
    "of another CLIP": ({"weight": W[:3], "bias": B[:3]}, f"weight (3, 7) and bias (3,), {MISFIT}{OF_THIS}"),
    "a bias too long": ({"weight": W, "bias": torch.ones(DIM)}, f"weight (5, 7) and bias (7,), {MISFIT}{OF_THIS}"),
    "flat": ({"weight": W.flatten(), "bias": B}, f"weight (35,) and bias (5,), {MISFIT}{OF_THIS}"),
    "nan": ({"weight": W * torch.nan, "bias": B}, f"the weight{NOT_FINITE}"),
    "infinite": ({"weight": W, "bias": B * torch.inf}, f"the bias{NOT_FINITE}"),
    "untrained": ({"weight": W * 0, "bias": B}, UNTRAINED),
    "whole numbers": ({"weight": W.int(), "bias": B}, f"the weight is int32, strided, cpu{ORDINARY}"),
    "sparse": ({"weight": W.to_sparse(), "bias": B}, f"the weight is float32, sparse_coo, cpu{ORDINARY}"),
    "without values": ({"weight": W, "bias": B.to("meta")}, f"the bias is float32, strided, meta{ORDINARY}"),
    "a list": ([W, B], NO_STATE),
    "a number beside them": ({"weight": W, "bias": B, "epoch": 3}, NO_STATE),
    "itself": (holding_itself(), NO_STATE),
    "a name that clears the screen": ({"\x1b[2J.weight": W}, f"holds [2J.weight (5, 7) and lacks a bias{ONE_LAYER}"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_is_no_single_affine_layer_is_refused(kind: str, tmp_path: Path) -> None:
    content, message = REFUSED[kind]
    assert refusal(saved(tmp_path, content)) == message


class Exploit:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


DAMAGED = "not a readable file of tensors (damaged, or it holds other objects than tensors); save weight and bias as .safetensors"


def test_a_checkpoint_that_would_run_code_or_is_a_pickled_layer_is_refused_unread(tmp_path: Path) -> None:
    assert refusal(saved(tmp_path, {"weight": Exploit(tmp_path / "ran"), "bias": B})) == DAMAGED
    assert not (tmp_path / "ran").exists()
    assert refusal(saved(tmp_path, layer())) == DAMAGED


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x05]\x94."])
def test_bytes_that_are_no_checkpoint_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(content)
    assert refusal(tmp_path / "best.pt") in (DAMAGED, NO_STATE)
    (tmp_path / "best.safetensors").write_bytes(content)
    assert refusal(tmp_path / "best.safetensors").startswith("not a readable file of tensors (")


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_a_damaged_file_is_read_or_refused_in_one_line(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"best{ending}"
    own(path) if ending == ".safetensors" else torch.save(layer().state_dict(), path)
    whole, rng, outcomes = path.read_bytes(), np.random.default_rng(0), []
    for trial in range(300):
        content = bytearray(whole)
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content if trial % 3 else content[: rng.integers(len(content))])
        try:
            outcomes.append(read(path).translator.weight.shape == (CLIP, DIM))
        except TranslatorError as error:
            outcomes.append(str(error).isprintable())
    assert all(outcomes)


def test_an_absent_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent.pt") == "no such file; give a translator's file"
    assert refusal(tmp_path) == "not a file; give a translator's file"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("t.pt", {}, "{path}: a translator is written as .safetensors; give the file that ending"),
        ("t.safetensors", {"clip": " "}, "{path}: nobody can use a translator whose CLIP space has no name; give one"),
        ("absent/t.safetensors", {}, "cannot write {path}: No such file or directory"),
        ("file/t.safetensors", {}, "cannot write {path}: Not a directory"),
        ("folder.safetensors", {}, "cannot write {path}: it is a folder"),
    ],
)
def test_what_cannot_be_written_is_said(name: str, options: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(TranslatorError) as caught:
        own(tmp_path / name, **options)
    assert str(caught.value) == message.format(path=tmp_path / name)
    assert {item.name for item in tmp_path.iterdir()} == {"file", "folder.safetensors"}


def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(path := tmp_path / "own.safetensors")
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TranslatorError, match=r"^cannot write .*own.safetensors: No space left on device$"):
        own(path, model="another")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_a_file_that_is_replaced_reads_the_old_one_to_its_end(tmp_path: Path) -> None:
    own(path := tmp_path / "own.safetensors")
    before = path.read_bytes()
    with path.open("rb") as reader:
        own(path, model="another")
        assert reader.read() == before
    assert read(path).model == "another"
