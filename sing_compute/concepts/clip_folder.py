"""Write a CLIP whose weights were changed as a folder in the hub's format, which open_clip loads; read what was changed."""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sing_compute.atomic_write import sync_folder, text_file
from sing_compute.concepts.open_clip_space import SCHEMAS, OpenClipSpace
from sing_compute.errors import ConceptsError, SingError
from sing_compute.hubs import first_line, hub_access
from sing_compute.open_clip_import import import_open_clip

WEIGHTS = "open_clip_model.safetensors"
CONFIG = "open_clip_config.json"
NOTE = "sing_compute_edit"
"""Key of the note in the metadata of the weights."""
_OTHER_WEIGHTS = (
    ".safetensors",
    ".bin",
    ".pt",
    ".pth",
    ".npz",
    ".npy",
    ".msgpack",
    ".h5",
    ".ckpt",
    ".onnx",
    ".index.json",
)


def local_file(name: str) -> Path | None:
    """Return the file that holds the weights of a CLIP in a folder or file of the user; None for one from a hub.

    Args:
        name: The CLIP, as `OpenClipSpace` takes it.
    """
    if name.startswith("local-dir:"):
        import_open_clip()
        from open_clip.factory import _find_checkpoint_in_dir

        found = _find_checkpoint_in_dir(Path(name.partition(":")[2]))
        return Path(found) if found else None
    if name.startswith(SCHEMAS):
        return None
    pretrained = name.partition("/")[2]
    file = pretrained if Path(pretrained).is_file() else pretrained.rpartition("@")[0]
    return Path(file) if file and Path(file).is_file() else None


def checkpoint_file(name: str) -> Path | None:
    """Return the file that holds the weights of a CLIP here; None if there is none.

    Args:
        name: The CLIP, as `OpenClipSpace` takes it; it was loaded before, so a download is in the cache.
    """
    found = local_file(name)
    if found is not None or name.startswith("local-dir:"):
        return found
    open_clip = import_open_clip()

    try:
        with hub_access():
            if name.startswith("hf-hub:"):
                from open_clip.pretrained import download_pretrained_from_hf

                return Path(download_pretrained_from_hf(name.partition(":")[2]))
            architecture, _, pretrained = name.partition("/")
            config = open_clip.get_pretrained_cfg(architecture, pretrained)
            return Path(open_clip.download_pretrained(config)) if config else None
    except Exception:  # hub and network errors come as many types; the network itself is loaded already
        return None


def stored_tensors(name: str, space: OpenClipSpace) -> tuple[dict[str, Tensor], dict[str, str], bool]:
    """Return the tensors of a CLIP's file as the file holds them, with the names that open_clip gives them.

    Args:
        name: The CLIP, as `OpenClipSpace` takes it.
        space: The same, loaded and unchanged.

    Returns:
        The tensors in their own dtypes; the metadata of the file; and True if they are those of the file. They are those of the
        loaded network if the file has another layout, which open_clip converts.
    """
    own = space.network.state_dict()
    file = checkpoint_file(name)
    if file is not None:
        from open_clip.factory import load_state_dict

        metadata: dict[str, str] = {}
        with suppress(
            Exception
        ):  # whatever this file holds, open_clip has loaded it: then the network's tensors are used
            found = load_state_dict(str(file))
            if file.suffix == ".safetensors":
                metadata = _metadata(file)
            if set(found) == set(own) and all(found[key].shape == own[key].shape for key in own):
                return {key: found[key] for key in own}, metadata, True
    return {key: tensor.detach().cpu() for key, tensor in own.items()}, {}, False


def with_changes(stored: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return all tensors of a network: unchanged ones as the file holds them, changed ones in the network's own precision.

    Args:
        stored: Tensors as the file holds them.
        network: The network, some of whose tensors were changed after it was loaded.
    """
    now = network.state_dict()
    return {
        name: tensor if torch.equal(tensor.to(now[name]), now[name]) else now[name].detach().cpu()
        for name, tensor in stored.items()
    }


def check_place(out: Path, source: str, *, fresh: bool) -> None:
    """Refuse a folder that cannot be written: that of the source, one that exists, or one that holds other things.

    Args:
        out: The folder.
        source: The CLIP that is edited, as `OpenClipSpace` takes it.
        fresh: Replace a folder that this program wrote.

    Raises:
        SingError: It cannot be written.
    """
    kind, _, place = source.partition(":")
    file = local_file(source)
    inputs = [Path(place)] if kind == "local-dir" else []
    inputs += [file, file.parent] if file is not None else []
    target = out.resolve()
    if any(target == path.resolve() for path in inputs):
        raise SingError(f"-o {out}: the edit would write over its input; name another folder")
    if any(target in path.resolve().parents for path in inputs):
        raise SingError(f"-o {out}: this folder holds the CLIP that is edited; name another one")
    if not out.exists() and not out.is_symlink():
        if not target.parent.is_dir():
            raise SingError(f"-o {out}: there is no folder {target.parent}")
        return
    if not fresh:
        raise SingError(f"{out} exists; --fresh replaces it")
    if out.is_symlink() or not out.is_dir() or note_of(f"local-dir:{out}") is None:
        raise SingError(f"-o {out}: this is no CLIP that `heads edit` wrote, so --fresh does not replace it")


def write_clip(
    out: Path,
    source: str,
    space: OpenClipSpace,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    note: Mapping[str, Any],
) -> None:
    """Write a folder that open_clip loads as `local-dir:FOLDER`. It gets its name when it is complete and on disk.

    Args:
        out: The folder; one that `check_place` allowed is replaced.
        source: The CLIP whose tensors were changed.
        space: The same, loaded.
        tensors: All tensors.
        metadata: Metadata of the source's file.
        note: What was changed; kept in the metadata of the weights.

    Raises:
        SingError: The folder cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    part = out.with_name(f".sing-{os.urandom(8).hex()}.tmp")
    try:
        part.mkdir()
        try:
            _write_rest(part, source, space)
            facts = {"format": "pt", **metadata, NOTE: json.dumps(note)}
            content = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
            save_file(content, part / WEIGHTS, metadata=facts)
            shutil.copymode(part / CONFIG, part / WEIGHTS)
            with (part / WEIGHTS).open("rb") as stream:
                os.fsync(stream.fileno())
            sync_folder(part)
            _put(part, out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except SafetensorError as error:
        raise SingError(f"cannot write {out}: {first_line(error)[:150]}") from error
    except OSError as error:
        raise SingError(f"cannot write {out}: {error.strerror or error}") from error


def note_of(name: str) -> dict[str, Any] | None:
    """Return what `heads edit` changed in a CLIP; None if it did not write this one.

    Args:
        name: The CLIP, as `OpenClipSpace` takes it.
    """
    file = local_file(name)
    if file is None or file.suffix != ".safetensors":
        return None
    try:
        note = json.loads(_metadata(file)[NOTE])
    except (KeyError, ValueError, OSError, ConceptsError):
        return None
    return note if isinstance(note, dict) else None


def _metadata(file: Path) -> dict[str, str]:
    from safetensors import safe_open

    try:
        with safe_open(file, "pt") as content:
            return dict(content.metadata() or {})
    except Exception as error:  # the reader's own error types
        raise ConceptsError(f"{file}: {first_line(error)[:150]}") from error


def _write_rest(folder: Path, source: str, space: OpenClipSpace) -> None:
    """Write everything but the weights: the source's own files, or the configuration that it was loaded with."""
    if source.startswith("local-dir:"):
        for path in sorted(Path(source.partition(":")[2]).iterdir()):
            if path.is_file() and not path.name.endswith(_OTHER_WEIGHTS) and not path.name.startswith("."):
                shutil.copyfile(path, folder / path.name)
        return
    open_clip = import_open_clip()

    name = source if source.startswith("hf-hub:") else source.partition("/")[0]
    with hub_access(wanted=source.startswith("hf-hub:")):
        config: dict[str, Any] = open_clip.get_model_config(name) or {}
    if space.provenance["activation"] == "QuickGELU":
        config["quick_gelu"] = True
    visual: Any = space.visual
    settings = {key: value for key, value in dict(visual.preprocess_cfg).items() if key != "size"}
    with text_file(folder / CONFIG) as stream:
        json.dump({"model_cfg": config, "preprocess_cfg": settings}, stream, indent=1)
    tokenizer: Any = getattr(space.tokenizer, "tokenizer", None)
    if hasattr(tokenizer, "save_pretrained"):
        tokenizer.save_pretrained(str(folder))


def _put(part: Path, out: Path) -> None:
    """Give the folder its name. One that is replaced is put away first, and comes back if that fails."""
    if not out.exists():
        part.rename(out)
    else:
        old = out.with_name(f".sing-{os.urandom(8).hex()}.tmp")
        out.rename(old)
        try:
            part.rename(out)
        except OSError:
            old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    sync_folder(out.resolve().parent)
