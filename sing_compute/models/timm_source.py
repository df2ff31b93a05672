"""Build a network by its timm name: from the hub, from the hub's cache, or from a folder in the hub's format."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sing_compute.errors import HeadError, SingError, WeightsError
from sing_compute.foreign_code import error_text
from sing_compute.hubs import connection_problem, first_line, hub_access
from sing_compute.imagenet import imagenet_names, is_wnid, wnid_wordings
from sing_compute.model_configs import check_config_file, check_described, check_folder
from sing_compute.models.backbone import HeadedBackbone
from sing_compute.models.checkpoint_files import checkpoint_files, shards_of_folder
from sing_compute.models.checkpoint_loading import load_weights, provenance, put_head
from sing_compute.models.chosen_head import choose_head
from sing_compute.models.classifier import Classifier
from sing_compute.models.preprocessing import timm_preprocessing
from sing_compute.models.spec import ModelSpec
from sing_compute.models.weights import fit_names, read_checkpoint

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


def _check_configuration(spec: ModelSpec, source: Path | None) -> None:
    """Check the configuration of a folder or repository before timm builds its network.

    Args:
        spec: The classifier that the user asked for.
        source: The user's file of weights; None for those of the folder or repository.

    Raises:
        SingError: It asks for code, or for a network that its weights could not fill.
    """
    import timm

    kind, _, place = spec.spec.partition(":")
    where = f"--model {spec.spec}"
    given = None if source is None else sum(path.stat().st_size for path in checkpoint_files(source))
    if kind == "local-dir":
        weights = check_folder(Path(place), where)
    elif kind == "hf-hub":
        try:
            with hub_access():
                weights = _check_repository(place, where, given)
        except SingError:
            raise
        except Exception as error:  # hub and network errors come as many types
            raise _explain(spec, error) from error
    else:
        return
    with hub_access(wanted=kind == "hf-hub"):
        check_described(lambda: timm.create_model(spec.spec, pretrained=False), where, weights=given or weights)


def _check_repository(place: str, where: str, given: int | None) -> int | None:
    """Check the configuration of a repository of the hub, and return the bytes of its weights, which are downloaded."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    name, _, revision = place.partition("@")
    config = hf_hub_download(name, "config.json", revision=revision or None)
    weights = given
    for file in () if given is not None else ("model.safetensors", "pytorch_model.bin"):  # in timm's order
        try:
            weights = Path(hf_hub_download(name, file, revision=revision or None)).stat().st_size
            break
        except EntryNotFoundError:  # perhaps there is none, or the cache alone is asked and does not hold it
            continue
    check_config_file(Path(config), where, weights=weights)
    return weights


def _explain(spec: ModelSpec, error: Exception) -> SingError:
    import timm

    architecture, _, tag = spec.spec.partition(".")
    if "/" in spec.spec and ":" not in spec.spec:
        return SingError(
            f"unknown model {spec.spec!r}: on the hub it is hf-hub:{spec.spec}, in a folder local-dir:{spec.spec}"
        )
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
        return unavailable(spec, reason)
    if isinstance(error, RuntimeError):
        return WeightsError(f"{spec.spec}: {error_text(error)}")
    return WeightsError(
        f"cannot get the weights of {spec.spec} ({first_line(error)[:160]}). "
        "Without a connection: --weights FILE, or local-dir:FOLDER"
    )


def unavailable(spec: ModelSpec, reason: str) -> WeightsError:
    """Return the error of a model that is not in the cache of a hub that cannot be reached, with the ways out.

    Args:
        spec: The classifier that the user asked for.
        reason: Why it cannot be had.
    """
    return WeightsError(
        f"cannot get the weights of {spec.spec} ({reason}). Ways out: --weights FILE, --model local-dir:FOLDER, "
        "a cache filled elsewhere (HF_HOME=FOLDER HF_HUB_OFFLINE=1), a mirror (HF_ENDPOINT=URL)"
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


def load_timm(spec: ModelSpec, *, probe: bool) -> Classifier:
    """Build a classifier of timm with its weights.

    Args:
        spec: The classifier that the user asked for.
        probe: Accept a backbone without a head.

    Raises:
        SingError: As `create_timm`; a checkpoint that does not fit; a backbone without a head, or a head too many.
    """
    source = weights_source(spec)
    _check_configuration(spec, source)
    checkpoint = None if source is None else read_checkpoint(source, ema=spec.ema)
    network = create_timm(spec, with_weights=source is None)
    usual = getattr(network, "num_classes", 0)
    own = classes_of(checkpoint.state, network) if checkpoint else None
    if own is not None:
        network = create_timm(spec, with_weights=False, classes=own)
    config = dict(network.pretrained_cfg)  # type: ignore[arg-type]
    loaded = load_weights(network, checkpoint, spec, source)
    if own is not None and source is not None:
        loaded.facts["classes_from"] = source.name
        loaded.remarks.append(f"{own} classes, as the head in {source}; {spec.spec} has {usual}")
    tag = config.get("tag")
    named = f"{config.get('architecture', spec.spec)}{f'.{tag}' if tag else ''}"
    doubt = "" if spec.weights is None else ", because a file of weights does not say its own"
    transform, preprocessing = timm_preprocessing(network, spec.transform, f"timm's configuration of {named}{doubt}")
    labels = timm_labels(network, config)
    classes = getattr(network, "num_classes", 0)
    if labels is not None and len(labels[0]) != classes:
        labels = None
    if spec.head is not None and classes:
        raise HeadError(
            f"{spec.name}: {spec.spec} has a head of its own ({classes} classes); --head is for backbones without"
        )
    if not classes:
        if spec.head is None and not probe:
            raise HeadError(
                f"{spec.name}: {spec.spec} is a backbone without a head; give --head FILE (weight and bias), "
                "or fit one on the labels with --probe"
            )
        network, labels = HeadedBackbone(network, tokens=spec.tokens), None
    facts = loaded.facts | put_head(network, spec, loaded.declared) | preprocessing
    facts["tag"] = named if spec.weights is None else "file"
    facts["origin"] = str(config.get("hf_hub_id") or config.get("url") or "")
    return Classifier(
        spec.name,
        network.eval(),
        transform,
        provenance(spec, network) | facts,
        labels,
        loaded.declared,
        True,
        remarks=loaded.remarks,
        chosen_head=choose_head(network, spec, classes),
    )
