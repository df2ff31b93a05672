"""Find the files of a decoder in diffusers' own format, in a folder or on the hub, and check them before anything is loaded.

Only classes of diffusers and transformers that this module lists are ever built, each from its configuration and its safetensors
files. Code of a folder or repository, custom pipelines and pickles are never read.
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sing_compute.errors import SingError
from sing_compute.fingerprints import file_sha256
from sing_compute.hubs import connection_problem, first_line, hub_access
from sing_compute.model_configs import check_folder
from sing_compute.outside_files import read_json

KARLO, STABLE = "UnCLIPImageVariationPipeline", "StableUnCLIPImg2ImgPipeline"
"""The pipelines whose decoders are known."""
INDEX = "model_index.json"
_COMPONENTS = {
    KARLO: (
        "decoder",
        "text_encoder",
        "tokenizer",
        "text_proj",
        "feature_extractor",
        "image_encoder",
        "super_res_first",
        "super_res_last",
        "decoder_scheduler",
        "super_res_scheduler",
    ),
    STABLE: (
        "feature_extractor",
        "image_encoder",
        "image_normalizer",
        "image_noising_scheduler",
        "tokenizer",
        "text_encoder",
        "unet",
        "scheduler",
        "vae",
    ),
}
"""The parts of each pipeline."""
_NO_WEIGHTS = ("tokenizer", "feature_extractor")
_STEMS = ("diffusion_pytorch_model", "model")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_PATTERNS = ("*.json", "*.txt", "*.safetensors")
_IGNORED = ("*.fp16.*", "*.bf16.*", "*.non_ema.*", "*.flax.*")
_EXTRA = "pip install 'sing-explorer[render]'"
_LIBRARIES = ("diffusers", "transformers", "accelerate")


@dataclass(frozen=True, slots=True)
class DecoderFiles:
    """A folder with the parts of a decoder."""

    folder: Path
    pipeline: str
    """Class of its pipeline, one of `KARLO` and `STABLE`."""
    classes: dict[str, str]
    """Name of the class of each part, as the folder declares it."""
    name: str
    """The folder's own name, or ORG/REPO."""
    revision: str = ""
    """Commit on the hub; empty for a folder of the user."""

    def weights(self, part: str) -> list[Path]:
        """Return the safetensors files of a part, in the order of their names; none for a part without weights.

        Args:
            part: Name of the part: `decoder`, `unet`, ...
        """
        for stem in _STEMS:
            index, single = (self.folder / part / f"{stem}.safetensors{end}" for end in (".index.json", ""))
            if single.is_file():
                return [single]
            if index.is_file():
                names = sorted({Path(str(name)).name for name in read_json(index)["weight_map"].values()})
                return [index.parent / name for name in names]
        return []

    def config(self, part: str) -> dict[str, Any]:
        """Return the configuration of a part; empty if it has none."""
        path = self.folder / part / "config.json"
        found = read_json(path) if path.is_file() else {}
        return found if isinstance(found, dict) else {}

    @property
    def size(self) -> int:
        """Bytes of all weights."""
        return sum(path.stat().st_size for part in self.classes for path in self.weights(part))

    def sha256(self) -> str:
        """Return the SHA-256 of the list of all weights and configurations: a line `SHA256  PART/FILE` for each, by name."""
        files = [path for part in self.classes for path in self.weights(part)]
        files += [path for part in self.classes for path in (self.folder / part).glob("*.json")]
        names = {path.relative_to(self.folder).as_posix(): path for path in files}
        lines = [f"{file_sha256(path)}  {name}\n" for name, path in sorted(names.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def need_extra() -> None:
    """Check that the libraries of the optional extra are installed.

    Raises:
        SingError: One is not; the message says how to install them.
    """
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise SingError(f"--decoder needs {', '.join(missing)}: {_EXTRA}")


def find_decoder(name: str) -> DecoderFiles:
    """Find a decoder and check its files; nothing is loaded.

    Args:
        name: A folder in diffusers' own format, or `ORG/REPO` or `ORG/REPO@REVISION` of the hub.

    Raises:
        SingError: There is none, it is another pipeline, a part is missing or unknown, or its weights are pickles alone.
    """
    need_extra()
    folder, revision = Path(name), ""
    where = f"--decoder {name}"
    if not folder.is_dir():
        if folder.exists() or not _REPOSITORY.fullmatch(name):
            raise SingError(f"{where}: no such folder, and no ORG/REPO of a hub")
        folder = _downloaded(name, where, [INDEX])
        pipeline, classes = _declared(folder, where)
        folder = _downloaded(name, where, [f"{part}/{pattern}" for part in classes for pattern in _PATTERNS] + [INDEX])
        revision, own = folder.name, name.partition("@")[0]
    else:
        pipeline, classes = _declared(folder, where)
        own = folder.resolve().name
    found = DecoderFiles(folder, pipeline, classes, own, revision)
    with explaining(where):
        for part, kind in classes.items():
            _check_part(found, part, kind, where)
    return found


def _declared(folder: Path, where: str) -> tuple[str, dict[str, str]]:
    """Return the pipeline that a folder declares, and the class of each of its parts."""
    try:
        content = read_json(folder / INDEX)
        pipeline = str(content["_class_name"])
        parts = {part: content.get(part) for part in _COMPONENTS.get(pipeline, ())}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SingError(f"{where}: no pipeline of diffusers (it has no readable {INDEX})") from error
    if pipeline not in _COMPONENTS:
        raise SingError(f"{where} is a {pipeline[:60]}; pictures of embeddings are decoded by {KARLO} or {STABLE}")
    classes = {}
    for part, entry in parts.items():
        if not isinstance(entry, list) or len(entry) != 2 or not all(isinstance(each, str) for each in entry):
            raise SingError(f"{where}: {INDEX} names no class for its {part}")
        classes[part] = entry[1]
    return pipeline, classes


def _check_part(files: DecoderFiles, part: str, kind: str, where: str) -> None:
    """Check one part of a decoder: it is there, its files are regular, and its weights are safetensors."""
    folder = files.folder / part
    if not folder.is_dir():
        raise SingError(f"{where}: its {part} is missing")
    check_folder(folder, f"{where}, {part}")
    if part in _NO_WEIGHTS or part.endswith("scheduler"):
        return
    weights = files.weights(part)
    absent = [path.name for path in weights if not path.is_file()]
    if not weights or absent:
        pickles = [path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt")]
        if pickles:
            raise SingError(
                f"{where}: the weights of its {part} are a pickle ({pickles[0]}), which is never loaded; "
                "save it as safetensors: PIPELINE.save_pretrained(FOLDER, safe_serialization=True)"
            )
        raise SingError(f"{where}: its {part} ({kind}) has no weights{f': {absent[0]} is missing' if absent else ''}")


def _downloaded(name: str, where: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    repository, _, revision = name.partition("@")
    try:
        with hub_access():
            return Path(
                snapshot_download(
                    repository, revision=revision or None, allow_patterns=patterns, ignore_patterns=list(_IGNORED)
                )
            )
    except Exception as error:  # hub and network errors come as many types
        reason = connection_problem(error) or first_line(error)[:200]
        raise SingError(f"{where}: cannot be downloaded ({reason}); copy it here and give --decoder FOLDER") from error


@contextmanager
def explaining(where: str) -> Iterator[None]:
    """Turn the errors of files, diffusers and transformers into one line.

    Args:
        where: Names the decoder in the message.
    """
    try:
        yield
    except SingError:
        raise
    except Exception as error:  # configurations and weights of others lead to many types
        raise SingError(f"{where}: {type(error).__name__}: {first_line(error)[:300]}") from error
