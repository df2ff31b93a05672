"""Find the files of a checkpoint: one file, or the shards that Hugging Face splits large checkpoints into."""

import hashlib
import re
import zipfile
from pathlib import Path

from sing_compute.errors import WeightsError
from sing_compute.fingerprints import file_sha256
from sing_compute.outside_files import read_json

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
"""Names of the file that says which shard holds which tensor."""
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<ending>\.safetensors|\.bin)")
_WAY_OUT = "give its Python class with --model module:factory, and its weights as a state dict"


def checkpoint_files(path: Path, *, option: str = "--weights") -> list[Path]:
    """Return the files of a checkpoint in the order of their names.

    Args:
        path: A file; the index of shards (`*.index.json`), one of the shards, or the folder that holds them.
        option: Option that gave the path, for messages.

    Raises:
        WeightsError: There is no such file, a shard is missing, or the file is a program (TorchScript, ONNX).
    """
    if path.is_dir():
        path = _checkpoint_of_folder(path, option)
    if not path.is_file():
        raise WeightsError(f"{option} {path}: no such file")
    if path.name.endswith(".index.json"):
        names = _indexed_names(path, option)
    elif found := _SHARD.fullmatch(path.name):
        numbers = range(1, int(found["count"]) + 1)
        names = [f"{found['stem']}-{number:05d}-of-{found['count']}{found['ending']}" for number in numbers]
    else:
        _refuse_programs(path, option)
        return [path]
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        raise WeightsError(
            f"{option} {path}: {len(missing)} of its {len(names)} files are missing, the first is {missing[0]}"
        )
    return [path.parent / name for name in names]


def checkpoint_sha256(path: Path) -> str:
    """Return the SHA-256 of a checkpoint file; of several files that of the list of theirs, one a line.

    Raises:
        WeightsError: As `checkpoint_files`.
        OSError: A file cannot be read.
    """
    files = checkpoint_files(path)
    if len(files) == 1:
        return file_sha256(files[0])
    return hashlib.sha256("".join(f"{file_sha256(file)}\n" for file in files).encode()).hexdigest()


def shards_of_folder(folder: Path) -> Path | None:
    """Return the index or first shard of a folder whose checkpoint is split; None for any other folder."""
    if (folder / "model.safetensors").is_file() or (folder / "pytorch_model.bin").is_file():
        return None
    indexes = [folder / name for name in INDEXES if (folder / name).is_file()]
    shards = sorted(file for file in folder.glob("*-of-*") if _SHARD.fullmatch(file.name))
    return next(iter([*indexes, *shards]), None)


def _checkpoint_of_folder(folder: Path, option: str) -> Path:
    found = shards_of_folder(folder)
    single = [folder / name for name in ("model.safetensors", "pytorch_model.bin") if (folder / name).is_file()]
    if found is None and not single:
        raise WeightsError(
            f"{option} {folder}: no such file; in this folder there is neither model.safetensors nor {INDEXES[0]}"
        )
    return found or single[0]


def _indexed_names(path: Path, option: str) -> list[str]:
    """Return the names of the shards of an index; they are in its own folder, wherever it claims them to be."""
    try:
        places = read_json(path)["weight_map"].values()
        return sorted({Path(str(place)).name for place in places})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{option} {path}: not an index of shards (it has no weight_map)") from error


def _refuse_programs(path: Path, option: str) -> None:
    """Refuse files that hold a program of the network: its layers, and so its head, cannot be reached."""
    with path.open("rb") as stream:
        start = stream.read(3)
    if path.suffix == ".onnx" or (start[:1] == b"\x08" and start[2:] == b"\x12" and 0 < start[1] < 32):
        raise WeightsError(f"{option} {path}: this is an ONNX file, a program without layers in Python; {_WAY_OUT}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError):
        return
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        raise WeightsError(
            f"{option} {path}: this is a TorchScript archive, a program without layers in Python; {_WAY_OUT}: "
            "torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt')"
        )
    if "archive_format" in names:
        raise WeightsError(
            f"{option} {path}: this is an archive of torch.export, a program without layers in Python; {_WAY_OUT}"
        )
