"""Read a translator that was fitted elsewhere from a file, one affine layer, and write our own for others."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from sing_compute.array_files import load_tensors
from sing_compute.atomic_write import write_bytes
from sing_compute.errors import TranslatorError
from sing_compute.fingerprints import file_sha256
from sing_compute.outside_files import WEIGHTS, check_file
from sing_compute.translator.ridge import AffineTranslator

SUFFIX = ".safetensors"
"""Ending of our own files; a file with any other ending is read as a torch checkpoint."""
WRAPPERS = ("state_dict", "model_state_dict", "translator_state_dict", "model")
"""Keys under which checkpoints keep their tensors: those of the SING authors' loader, Lightning's first."""
WEIGHT, BIAS = "weight", "bias"
PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SHOWN = 4
"""Tensors named in a message."""
LONGEST_NAME = 200
"""Characters used of a name that a file gives."""


@dataclass(frozen=True, slots=True)
class ImportedTranslator:
    """An affine translator that was read from a file, and what the file says about it."""

    translator: AffineTranslator
    """The translator in float64, for any precision of the file."""
    clip: str
    """Name of its CLIP space, as `--clip` names it."""
    sha256: str
    """SHA-256 of the whole file."""
    model: str
    """Name of the model whose features it takes; empty where the file does not say."""
    images: int | None
    """Number of images it was fitted on; None where the file does not say."""


def read_translator(path: Path, *, clip: str | None, dim: int, clip_dim: int) -> ImportedTranslator:
    """Read T(f) = A f + a from a file of one weight and one bias: ours, or the SING authors' (a torch state dict).

    The names of both tensors may share any prefix (`module.`, `_orig_mod.`, `model.translator.linear.`), and the state
    dict may be nested under `state_dict` or the like, as in Lightning's checkpoints. A file with any other tensor is
    refused: T(f) would leave out what that tensor does. A .pt, .pth or .ckpt file is read without running code in it.

    Args:
        path: The file. The authors' is `translators/<model>/linear/best.pt` of their repository.
        clip: Name of the translator's CLIP space; None takes it from the file's metadata.
        dim: Length that the features must have.
        clip_dim: Length that the embeddings must have.

    Returns:
        The translator: weight (clip_dim, dim) and bias (clip_dim).

    Raises:
        TranslatorError: No such file, not a file of tensors, other tensors than one weight and one bias, wrong shapes,
            values that are not finite, a weight of zeros, or a CLIP space without a name or with two different ones.
    """
    if not path.is_file():
        raise TranslatorError(f"{path}: {'not a file' if path.exists() else 'no such file'}; give a translator's file")
    tensors, metadata = _read_safetensors(path) if path.suffix == SUFFIX else (_read_checkpoint(path), {})
    weight, bias = _affine_pair(path, tensors)
    if weight.shape != (clip_dim, dim) or bias.shape != (clip_dim,):
        transposed = weight.shape == (dim, clip_dim) and bias.shape == (clip_dim,)
        way_out = "transpose the weight" if transposed else "is it of this model and this CLIP?"
        raise TranslatorError(
            f"{path}: weight {tuple(weight.shape)} and bias {tuple(bias.shape)}, wanted {(clip_dim, dim)} and {(clip_dim,)} "
            f"for features of length {dim} and embeddings of length {clip_dim}; {way_out}"
        )
    weight, bias = weight.detach().double(), bias.detach().double()
    for name, values in ((WEIGHT, weight), (BIAS, bias)):
        if not values.isfinite().all():
            raise TranslatorError(f"{path}: the {name} holds values that are not finite; export the translator again")
    if not weight.any():
        raise TranslatorError(f"{path}: the weight is all zero; was the translator trained before it was saved?")
    named = {key: _printable(metadata.get(key, "")) for key in ("model", "clip", "images")}
    return ImportedTranslator(
        AffineTranslator(weight, bias),
        clip=_clip_space(path, named["clip"], (clip or "").strip()),
        sha256=file_sha256(path),
        model=named["model"],
        images=int(named["images"]) if named["images"].isdecimal() else None,
    )


def save_translator(path: Path, translator: AffineTranslator, *, model: str, clip: str, images: int) -> None:
    """Write a translator as safetensors: `weight` (clip, dim), `bias` (clip), metadata `model`, `clip` and `images`.

    The file is written in one step: until it is complete, an older file of this name stays. The values keep their
    precision.

    Args:
        path: The file to write; its name ends in .safetensors.
        translator: The translator to write.
        model: Name of the model whose features it takes.
        clip: Name of its CLIP space, as `--clip` names it.
        images: Number of images it was fitted on.

    Raises:
        TranslatorError: Another ending, no name of the CLIP space, or the file cannot be written.
    """
    if path.suffix != SUFFIX:
        raise TranslatorError(f"{path}: a translator is written as {SUFFIX}; give the file that ending")
    if not clip.strip():
        raise TranslatorError(f"{path}: nobody can use a translator whose CLIP space has no name; give one")
    tensors = {WEIGHT: translator.weight, BIAS: translator.bias}
    content: bytes = save(
        {name: values.detach().cpu().clone(memory_format=torch.contiguous_format) for name, values in tensors.items()},
        {"model": model, "clip": clip.strip(), "images": str(images)},
    )
    try:
        write_bytes(path, content)
    except OSError as error:
        raise TranslatorError(f"cannot write {path}: {error.strerror or error}") from error


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    try:
        check_file(path, most=WEIGHTS)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except Exception as error:  # SafetensorError, OSError, and whatever a later version adds
        raise _unreadable(path, (str(error).splitlines() or [type(error).__name__])[0]) from error


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a torch file that holds only tensors and plain containers."""
    try:
        content = load_tensors(path)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except Exception as error:  # a damaged or foreign pickle can raise anything
        raise _unreadable(path, "damaged, or it holds other objects than tensors") from error
    for _ in WRAPPERS:  # no further: a pickled dict can hold itself
        if isinstance(content, dict):
            content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise TranslatorError(f"{path}: holds no state dict (names to tensors); save weight and bias as {SUFFIX}")
    return content


def _unreadable(path: Path, reason: str) -> TranslatorError:
    return TranslatorError(f"{path}: not a readable file of tensors ({reason}); save weight and bias as {SUFFIX}")


def _affine_pair(path: Path, tensors: Mapping[str, Tensor]) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return weight and bias, which must be the only tensors of a file."""
    prefixes = {name.rpartition(".")[0] for name in tensors}
    leaves = sorted(name.rpartition(".")[2] for name in tensors)
    if leaves != [BIAS, WEIGHT] or len(prefixes) > 1:
        shown = ", ".join(f"{_printable(name)} {tuple(values.shape)}" for name, values in list(tensors.items())[:SHOWN])
        more = f" and {len(tensors) - SHOWN} more" if len(tensors) > SHOWN else ""
        missing = [name for name in (WEIGHT, BIAS) if name not in leaves]
        lacks = f" and lacks a {' and a '.join(missing)}" if missing else ""
        raise TranslatorError(
            f"{path}: holds {shown or 'nothing'}{more}{lacks}; a single affine layer is imported: one weight and one bias"
        )
    pair = {name.rpartition(".")[2]: values for name, values in tensors.items()}
    for name, values in pair.items():
        if values.dtype not in PRECISIONS or values.layout != torch.strided or values.device.type != "cpu":
            kind = f"{values.dtype}, {values.layout}, {values.device.type}".replace("torch.", "")
            raise TranslatorError(f"{path}: the {name} is {kind}; save it as ordinary floating point numbers")
    return pair[WEIGHT], pair[BIAS]


def _printable(text: str) -> str:
    """Return a name from an untrusted file without line breaks and control characters, cut to `LONGEST_NAME`."""
    return "".join(character for character in text[:LONGEST_NAME] if character.isprintable()).strip()


def _clip_space(path: Path, named: str, wanted: str) -> str:
    """Return the name of the CLIP space, which the file and the caller must agree on."""
    if named and wanted and named != wanted:
        raise TranslatorError(
            f"{path}: leads into the CLIP space {named}, but {wanted} was asked for; they must be one"
        )
    if not named and not wanted:
        raise TranslatorError(
            f"{path}: does not name its CLIP space; name it as --clip does (the SING authors' own: ViT-L-14/openai)"
        )
    return named or wanted
