"""Load image classifiers of Hugging Face's transformers, from a folder or the hub, with their own image processor."""

import importlib.util
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from sing_compute.errors import HeadError, SingError, WeightsError
from sing_compute.foreign_code import error_text
from sing_compute.hubs import connection_problem, first_line, hub_access
from sing_compute.imagenet import ids_of_names, imagenet_names
from sing_compute.model_configs import check_described, check_folder, without_foreign_code
from sing_compute.models.checkpoint_files import checkpoint_files
from sing_compute.models.checkpoint_loading import Facts, LoadedWeights, describe_weights, provenance
from sing_compute.models.chosen_head import choose_head
from sing_compute.models.classifier import Classifier
from sing_compute.models.image_processor import ProcessorTransform
from sing_compute.models.preprocessing import Transform, check_replaces, own_preprocessing, timm_preprocessing
from sing_compute.models.spec import ModelSpec
from sing_compute.models.timm_source import unavailable
from sing_compute.models.weights import fit_names, read_checkpoint
from sing_compute.outside_files import read_json

CONFIG, PROCESSORS = "config.json", ("preprocessor_config.json", "processor_config.json")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
"""Files that hold or list the weights; the first that there is counts, as in transformers."""
_TASK = "ForImageClassification"
_PLACEHOLDER = re.compile(r"LABEL_\d+")
"""Names that transformers invents for classes without names."""
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder that transformers can load, and where on the hub it is from."""

    folder: Path
    config: dict[str, Any]
    """Content of its config.json."""
    origin: str = ""
    """ORG/REPO on the hub; empty for a folder of the user."""
    revision: str = ""
    """Commit on the hub."""


def transformers_repository(spec: ModelSpec) -> Repository | None:
    """Return where the files of a model are, if they are in the format of transformers; None if they are timm's.

    timm's config.json names an `architecture`; that of transformers has `architectures` or a `model_type`.

    Args:
        spec: The classifier that the user asked for.

    Raises:
        WeightsError: The hub cannot be reached, and its cache does not hold the model.
    """
    source, _, place = spec.spec.partition(":")
    if source == "local-dir":
        config = _read_config(Path(place) / CONFIG)
        return Repository(Path(place), config) if _is_of_transformers(config) else None
    if source != "hf-hub":
        return None
    name, _, revision = place.partition("@")
    with _explaining(spec), hub_access():
        path = _downloaded(name, CONFIG, revision or None)
    config = _read_config(path) if path else {}
    if path is None or not _is_of_transformers(config):
        return None
    return Repository(path.parent, config, name, path.parent.name)


def load_transformers(spec: ModelSpec, repository: Repository) -> Classifier:
    """Build a classifier of transformers with its weights and its image processor; code from the hub is never run.

    Args:
        spec: The classifier that the user asked for.
        repository: Where its files are.

    Raises:
        SingError: The library is not installed; this is no image classifier; weights are missing or do not fit; there is no
            image processor. One line says which, and what to do.
    """
    kinds = [str(kind) for kind in repository.config.get("architectures") or ()]
    named = ", ".join(kinds) or str(repository.config.get("model_type"))
    if importlib.util.find_spec("transformers") is None:
        raise SingError(
            f"--model {spec.spec}: this is a model of Hugging Face's transformers ({named}); it needs "
            "pip install 'sing-explorer[transformers]'"
        )
    if kinds and not any(_TASK in kind for kind in kinds):
        raise HeadError(
            f"--model {spec.spec}: {named} is no image classifier with a head (no ...{_TASK}); a backbone can be used by its "
            "timm name with --head FILE or --probe"
        )
    if spec.head is not None:
        raise HeadError(
            f"{spec.name}: {spec.spec} has a head of its own ({named}); --head is for backbones without one"
        )
    with _explaining(spec), hub_access(wanted=bool(repository.origin)), _quiet(), without_foreign_code():
        if repository.origin:
            _download_all(repository, with_weights=spec.weights is None)
        weights = check_folder(repository.folder, f"--model {spec.spec}")
        network, loaded = _network(spec, repository, weights)
        transform, preprocessing = _preprocessing(spec, repository)
    network = network.float().eval()
    config: Any = network.config
    facts: Facts = {"tag": repository.origin or type(network).__name__, "origin": repository.origin}
    facts |= {"architecture": type(network).__name__, "transformers_version": _version()}
    facts |= {"revision": repository.revision} if repository.revision else {}
    return Classifier(
        spec.name,
        network,
        transform,
        provenance(spec, network) | loaded.facts | facts | preprocessing,
        _labels(config),
        loaded.declared,
        remarks=loaded.remarks,
        chosen_head=choose_head(network, spec, int(config.num_labels)),
    )


def _network(spec: ModelSpec, repository: Repository, weights: int | None) -> tuple[nn.Module, LoadedWeights]:
    """Build the network, with its own weights or those of the user's file; every tensor must have been there."""
    from transformers import AutoConfig, AutoModelForImageClassification

    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    config = AutoConfig.from_pretrained(repository.folder, **options)
    if spec.weights is not None:
        weights = sum(path.stat().st_size for path in checkpoint_files(spec.weights))
    check_described(
        lambda: AutoModelForImageClassification.from_config(config, trust_remote_code=False),
        f"--model {spec.spec}",
        weights=weights,
    )
    kind, loaded = AutoModelForImageClassification, LoadedWeights()
    place: Path | None = repository.folder
    if spec.weights is not None:
        checkpoint = read_checkpoint(spec.weights, ema=spec.ema)
        empty: nn.Module = kind.from_config(config, trust_remote_code=False)
        state = fit_names(checkpoint.state, empty)
        loaded = describe_weights(checkpoint, state, spec, spec.weights)
        kind, place, options = type(empty), None, {"state_dict": state}
    elif not any((repository.folder / name).is_file() for name in WEIGHTS):
        raise WeightsError(f"--model {spec.spec}: there are no weights ({' or '.join(WEIGHTS[::2])}) in the folder")
    else:
        loaded.declared = _declared(repository.folder)
    # transformers loads, because it knows names that tensors had in its earlier versions; what it leaves out is refused here.
    network: nn.Module
    network, found = kind.from_pretrained(
        place,
        config=config,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        **{_dtype_option(): torch.float32},
        **options,
    )
    missing = sorted(name for name in found["missing_keys"] if not name.endswith("num_batches_tracked"))
    shaped = sorted(str(each[0]) for each in found["mismatched_keys"])
    lists = (("missing", missing), ("unexpected", sorted(found["unexpected_keys"])), ("of another shape", shaped))
    problems = [f"{title} {', '.join(names[:3])}{' ...' if names[3:] else ''}" for title, names in lists if names]
    if problems:
        source = spec.weights or f"--model {spec.spec}: the checkpoint"
        raise WeightsError(f"{source} does not fit {type(network).__name__}: {'; '.join(problems)}")
    return network, loaded


def _preprocessing(spec: ModelSpec, repository: Repository) -> tuple[Transform, Facts]:
    """Return the model's own image processor, or the user's settings in its place."""
    from transformers import AutoImageProcessor

    names = [name for name in PROCESSORS if (repository.folder / name).is_file()]
    if not names and (spec.transform is None or not spec.transform.is_whole):
        raise WeightsError(
            f"--model {spec.spec}: there is no {PROCESSORS[0]}, so it is not known how images become tensors; give --transform "
            "with size, crop, interpolation, mean and std"
        )
    if not names or check_replaces(spec, f"an image processor ({names[0]})"):
        return timm_preprocessing(None, spec.transform, "")
    processor = AutoImageProcessor.from_pretrained(repository.folder, trust_remote_code=False, local_files_only=True)
    transform = ProcessorTransform(processor)
    return transform, own_preprocessing(transform, f"the image processor of transformers in its {names[0]}")


def _labels(config: Any) -> tuple[list[str], list[str] | None] | None:
    """Return the class names of a configuration, ImageNet's in the wording of all other models; None for placeholders."""
    by_index = {int(index): str(name) for index, name in (config.id2label or {}).items()}
    names = [by_index.get(index, "LABEL_0") for index in range(int(config.num_labels))]
    if any(_PLACEHOLDER.fullmatch(name) for name in names):
        return None
    wnids = ids_of_names(names)
    return (imagenet_names(), wnids) if wnids else (names, None)


def _declared(folder: Path) -> dict[str, torch.dtype]:
    """Return the dtype of each tensor in the safetensors files of a folder, from their headers; empty for other files."""
    declared: dict[str, torch.dtype] = {}
    for path in checkpoint_files(folder, option="--model"):
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 -- not a dict
            declared |= {name: _DTYPES[kind] for name, kind in kinds.items() if kind in _DTYPES}
    return declared


def _download_all(repository: Repository, *, with_weights: bool) -> None:
    """Download what is needed beside config.json, all of one commit."""

    def get(name: str) -> Path | None:
        return _downloaded(repository.origin, name, repository.revision)

    for name in PROCESSORS:
        get(name)
    index = next(filter(None, map(get, WEIGHTS)), None) if with_weights else None
    if index is not None and index.suffix == ".json":
        for shard in sorted(set(read_json(index)["weight_map"].values())):
            get(str(shard))


def _downloaded(repository: str, name: str, revision: str | None) -> Path | None:
    """Return a file of the hub or its cache; None if the repository has no such file."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except LocalEntryNotFoundError:
        if name in (*PROCESSORS, *WEIGHTS[:-1]):  # perhaps there is none; the last of them says so
            return None
        raise
    except EntryNotFoundError:
        return None


def _read_config(path: Path) -> dict[str, Any]:
    """Return the content of a config.json; empty if it cannot be read, which is left to timm to explain."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_of_transformers(config: dict[str, Any]) -> bool:
    return bool(config.get("architectures") or config.get("model_type"))


def _version() -> str:
    import transformers

    return str(transformers.__version__)


def _dtype_option() -> str:
    """Return the name of the option that sets the precision: it was changed in transformers 4.56."""
    major, minor = (int(part) for part in _version().split(".")[:2])
    return "dtype" if (major, minor) >= (4, 56) else "torch_dtype"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the reports and progress bars of transformers: what matters of them is checked and said here."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        restore: Callable[[], None] = logging.enable_progress_bar if bars else logging.disable_progress_bar
        restore()


@contextmanager
def _explaining(spec: ModelSpec) -> Iterator[None]:
    """Turn the errors of transformers and of the hub into one line."""
    try:
        yield
    except SingError:
        raise
    except Exception as error:  # hub, network and format errors come as many types
        if reason := connection_problem(error):
            raise unavailable(spec, reason) from error
        if "trust_remote_code" in str(error):
            raise WeightsError(
                f"--model {spec.spec}: it needs Python code of its repository, which is never run; give a module:factory that "
                "builds it"
            ) from error
        raise WeightsError(f"--model {spec.spec}: {error_text(error) or first_line(error)}") from error
