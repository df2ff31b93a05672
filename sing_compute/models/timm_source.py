"""Build a network by its timm name: from the hub, from the hub's cache, or from a folder in the hub's format."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sing_compute.errors import SingError, WeightsError
from sing_compute.foreign_code import error_text
from sing_compute.hubs import connection_problem, first_line, hub_access
from sing_compute.imagenet import imagenet_names, is_wnid, wnid_wordings
from sing_compute.models.checkpoint_files import checkpoint_files, shards_of_folder
from sing_compute.models.spec import ModelSpec
from sing_compute.models.weights import fit_names

_FILES = (".onnx", ".pt", ".pth", ".ts", ".torchscript", ".bin", ".safetensors", ".pt2", ".ckpt")
"""Endings of files that somebody may give as a model."""


def weights_source(spec: ModelSpec) -> Path | None:
    """Return the checkpoint that is read here: the user's file, or shards in a local folder, which timm does not read.

    Args:
        spec: The classifier that the user asked for.

    Raises:
        SingError: The name of the model is a file.
    """
    source, _, folder = spec.spec.partition(":")
    if Path(spec.spec).suffix in _FILES and Path(spec.spec).is_file():
        checkpoint_files(Path(spec.spec), option="--model")
        raise SingError(
            f"--model {spec.spec}: this is a file of weights; give --model ARCHITECTURE --weights {spec.spec}"
        )
    if spec.weights is None and source == "local-dir":
        return shards_of_folder(Path(folder))
    return spec.weights


def classes_of(state: Mapping[str, Tensor], network: nn.Module) -> int | None:
    """Return the number of classes of a checkpoint's head, if it is another one than the network's; else None.

    Args:
        state: Tensors of the checkpoint by name.
        network: timm's network; its configuration names the head.
    """
    named = network.pretrained_cfg.get("classifier")  # type: ignore[union-attr, operator]
    heads = [named] if isinstance(named, str) else list(named or ())
    found = fit_names(state, network)
    weights = [found[f"{head}.weight"] for head in heads if f"{head}.weight" in found]
    classes = len(weights[0]) if weights and weights[0].ndim else 0
    return classes if classes > 1 and classes != getattr(network, "num_classes", 0) else None


def create_timm(spec: ModelSpec, *, with_weights: bool = True, classes: int | None = None) -> nn.Module:
    """Build a timm network.

    Args:
        spec: The classifier that the user asked for.
        with_weights: True to load its published weights.
        classes: Number of outputs of its head; None for its own.

    Raises:
        SingError: Unknown name or tag, with similar names or the existing tags; or weights that cannot be loaded, with
            ways out.
    """
    import timm

    options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    if spec.image_size is not None:
        shape = (3, spec.image_size, spec.image_size)
        options |= {"img_size": spec.image_size, "pretrained_cfg_overlay": {"input_size": shape, "crop_pct": 0.875}}
    known = spec.spec.startswith("hf-hub:") or timm.is_model_pretrained(spec.spec)  # a misspelt name needs no hub
    try:
        with hub_access(wanted=known and with_weights and not spec.is_local):
            network: nn.Module = timm.create_model(spec.spec, pretrained=with_weights, **options)
    except Exception as error:  # hub, network and format errors come as many types
        raise _explain(spec, error) from error
    return network


def _explain(spec: ModelSpec, error: Exception) -> SingError:
    import timm

    architecture, _, tag = spec.spec.partition(".")
    if "Unknown model" in str(error):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=5, cutoff=0.6)
        hint = f"; near: {', '.join(near)}" if near else ""
        return SingError(f"unknown model {spec.spec!r}{hint}. Your own network: --model module:factory")
    if "Invalid pretrained tag" in str(error):
        tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
        has = f"has the tags: {', '.join(tags)}" if tags else "has no published weights: give --weights FILE"
        return SingError(f"--model {spec.spec}: no tag {tag!r}; {architecture} {has}")
    reason = connection_problem(error)
    if reason:
        return WeightsError(
            f"cannot get the weights of {spec.spec} ({reason}). Ways out: --weights FILE, --model local-dir:FOLDER, "
            "a cache filled elsewhere (HF_HOME=FOLDER HF_HUB_OFFLINE=1), a mirror (HF_ENDPOINT=URL)"
        )
    if isinstance(error, RuntimeError):
        return WeightsError(f"{spec.spec}: {error_text(error)}")
    return WeightsError(
        f"cannot get the weights of {spec.spec} ({first_line(error)[:160]}). "
        "Without a connection: --weights FILE, or local-dir:FOLDER"
    )


def timm_labels(network: nn.Module, config: dict[str, Any]) -> tuple[list[str], list[str] | None] | None:
    """Return the class names of a timm checkpoint: its own, or those of the ImageNet that its number of classes points to.

    Args:
        network: The network that timm built.
        config: Its pretrained configuration.

    Returns:
        Names, and WordNet ids where known, in logit order; None if nothing names the classes.
    """
    from timm.data import ImageNetInfo, infer_imagenet_subset

    own = config.get("label_names")
    if own:
        own = [str(name) for name in own]
        described = config.get("label_descriptions")
        words = described if isinstance(described, dict) else {}
        wnids = own if all(map(is_wnid, own)) else None
        return [str(words.get(name) or (wnid_wordings(name)[:1] or (name,))[0]) for name in own], wnids
    subset = infer_imagenet_subset(network)
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    wnids = [info.index_to_label_name(index) for index in range(info.num_classes())]
    if subset == "imagenet-1k":
        return imagenet_names(), wnids
    return [info.index_to_description(index).split(",")[0] for index in range(info.num_classes())], wnids
