"""Loading classifiers. Every route ends in the same value: a network in evaluation mode, its head, its transform, its origin."""

import difflib
import importlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError, SingError, WeightsError
from sing_compute.fingerprints import file_sha256, state_sha256
from sing_compute.linalg.null_space import stored_precision
from sing_compute.models.head import FeatureTap, check_logits, find_head, head_parameters
from sing_compute.models.weights import load_strictly, read_state

TIMM_SOURCES = ("local-dir", "hf-hub")
WNID = re.compile(r"n\d{8}")
Transform = Callable[[Any], Tensor]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the user asked for: `[NAME=]SPEC`, with SPEC a timm name, `local-dir:FOLDER` or `module:factory`."""

    name: str
    spec: str
    weights: Path | None = None

    @classmethod
    def parse(cls, text: str, weights: Path | None = None) -> "ModelSpec":
        """Split an optional name off; without one the last part of the specification is the name.

        Raises:
            SingError: The name or the specification is empty.
        """
        name, separator, spec = text.partition("=")
        if not separator or ":" in name or "/" in name:
            spec = text
            source, _, rest = spec.rpartition(":")
            name = os.path.basename(os.path.abspath(rest) if source == "local-dir" else rest.rstrip("/")) or spec
        name = name.strip().replace("/", "_")
        if name in ("", ".", "..") or not spec:
            raise SingError(f"--model {text!r}: write NAME=SPEC or SPEC; SPEC is a timm name or module:factory")
        return cls(name, spec, weights)

    @property
    def is_factory(self) -> bool:
        """Whether this names a user's own `module:factory`."""
        source, separator, _ = self.spec.partition(":")
        return bool(separator) and source not in TIMM_SOURCES


@dataclass(slots=True)
class Classifier:
    """A network with a linear head. `attach` finds the head on a first batch; then calls give features and logits."""

    name: str
    network: nn.Module
    transform: Transform
    provenance: dict[str, str | int | float]
    labels: tuple[list[str], list[str] | None] | None = None
    """Class names and, where known, WordNet ids, as the checkpoint's own configuration tells them."""
    declared: dict[str, torch.dtype] = field(default_factory=dict)
    """Dtypes of the tensors in the checkpoint file, where one was read."""
    _tap: FeatureTap | None = None

    def attach(self, batch: Tensor) -> None:
        """Find the head on a batch of transformed images and record it.

        Raises:
            HeadError: No linear head explains the logits.
        """
        try:
            name, module = find_head(self.network, batch)
        except HeadError as error:
            raise HeadError(f"{self.name}: {error}") from error
        self._tap = FeatureTap(module)
        precision = stored_precision(module.weight.detach().flatten(1), self.declared.get(f"{name}.weight"))
        self.provenance |= {
            "head": name,
            "stored_precision": str(precision).removeprefix("torch."),
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "input_size": "x".join(str(side) for side in batch.shape[1:]),
        }

    @property
    def head(self) -> tuple[Float[Tensor, "classes dim"], Float[Tensor, " classes"]]:
        """Weight and bias of the head."""
        if self._tap is None:
            raise HeadError(f"{self.name}: attach the head on a first batch before asking for it")
        assert isinstance(self._tap.head, nn.Linear | nn.Conv2d)
        return head_parameters(self._tap.head)

    @property
    def stored_dtype(self) -> torch.dtype:
        """Precision the head's weight was stored in."""
        dtype = getattr(torch, str(self.provenance["stored_precision"]))
        assert isinstance(dtype, torch.dtype)
        return dtype

    def __call__(self, batch: Tensor) -> tuple[Float[Tensor, "image dim"], Float[Tensor, "image classes"]]:
        """Features at the head's input (float32) and the network's own logits."""
        if self._tap is None:
            raise HeadError(f"{self.name}: attach the head on a first batch before using it")
        logits = self.network(batch)
        check_logits(logits)
        return self._tap.take(), logits


def load_classifier(spec: ModelSpec) -> Classifier:
    """Build and load a classifier, in evaluation mode, in the precision of its parameters, on the CPU.

    Raises:
        SingError: Unknown model, factory or checkpoint; the message says which and what to do.
    """
    return _from_factory(spec) if spec.is_factory else _from_timm(spec)


def _from_timm(spec: ModelSpec) -> Classifier:
    import timm
    from timm.data import create_transform, resolve_data_config

    try:
        network = timm.create_model(spec.spec, pretrained=spec.weights is None)
    except RuntimeError as error:
        if "Unknown model" not in str(error):
            raise WeightsError(f"{spec.spec}: {str(error).splitlines()[0]}") from error
        bare = spec.spec.partition(".")[0]
        near = difflib.get_close_matches(bare, timm.list_models(), n=5, cutoff=0.6)
        hint = f"; near: {', '.join(near)}" if near else ""
        raise SingError(f"unknown model {spec.spec!r}{hint}. Your own network: --model module:factory") from error
    except Exception as error:  # hub and network errors come as many types
        raise WeightsError(
            f"cannot get the weights of {spec.spec} ({_reason(error)[:160]}). "
            "Without a connection: --weights FILE, or local-dir:FOLDER"
        ) from error
    config = dict(network.pretrained_cfg)
    declared = _load_weights(network, spec)
    provenance = _provenance(spec, network)
    tag = config.get("tag")
    provenance["tag"] = (
        f"{config.get('architecture', spec.spec)}{f'.{tag}' if tag else ''}" if spec.weights is None else "file"
    )
    provenance["origin"] = str(config.get("hf_hub_id") or config.get("url") or "")
    return Classifier(
        name=spec.name,
        network=network.eval(),
        transform=create_transform(**resolve_data_config(model=network), is_training=False),
        provenance=provenance,
        labels=_timm_labels(network, config),
        declared=declared,
    )


def _from_factory(spec: ModelSpec) -> Classifier:
    from timm.data import create_transform, resolve_data_config

    module_name, _, attribute = spec.spec.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's own code may raise anything
        raise SingError(
            f"--model {spec.spec}: cannot import {module_name} ({_reason(error)}); run from its folder or install it"
        ) from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise SingError(f"--model {spec.spec}: {module_name} has no function {attribute!r}")
    try:
        network = factory()
    except Exception as error:
        raise SingError(f"--model {spec.spec}: {attribute}() failed ({_reason(error)}); --debug shows where") from error
    if not isinstance(network, nn.Module):
        raise SingError(
            f"--model {spec.spec}: {attribute}() returned a {type(network).__name__}, not a torch.nn.Module"
        )
    declared = _load_weights(network, spec)
    transform = getattr(network, "transform", None)
    if not callable(transform):
        transform = create_transform(**resolve_data_config(model=network), is_training=False)
    return Classifier(
        spec.name, network.eval(), transform, _provenance(spec, network) | {"tag": spec.spec}, declared=declared
    )


def _reason(error: Exception) -> str:
    """The first line of what went wrong; its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _load_weights(network: nn.Module, spec: ModelSpec) -> dict[str, torch.dtype]:
    if spec.weights is None:
        return {}
    state = read_state(spec.weights)
    load_strictly(network, state, str(spec.weights))
    return {name: tensor.dtype for name, tensor in state.items()}


def _provenance(spec: ModelSpec, network: nn.Module) -> dict[str, str | int | float]:
    record: dict[str, str | int | float] = {"spec": spec.spec, "state_sha256": state_sha256(network)}
    if spec.weights is not None:
        record |= {"weights_file": spec.weights.name, "weights_sha256": file_sha256(spec.weights)}
    return record


def _timm_labels(network: nn.Module, config: dict[str, Any]) -> tuple[list[str], list[str] | None] | None:
    """Class names of a timm checkpoint: its own, else ImageNet's where its size says which."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    own = config.get("label_names")
    if own:
        own = [str(name) for name in own]
        described = config.get("label_descriptions") or {}
        names = [str(described.get(name, name)) if isinstance(described, dict) else name for name in own]
        return names, own if all(WNID.fullmatch(name) for name in own) else None
    subset = infer_imagenet_subset(network)
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    wnids = [info.index_to_label_name(index) for index in range(info.num_classes())]
    if subset == "imagenet-1k":
        return imagenet_names(), wnids
    return [info.index_to_description(index).split(",")[0] for index in range(info.num_classes())], wnids


def imagenet_names() -> list[str]:
    """The 1,000 ImageNet class names that CLIP prompts use, in the order of the sorted WordNet ids."""
    from open_clip import IMAGENET_CLASSNAMES

    return [str(name) for name in IMAGENET_CLASSNAMES]


def imagenet_wnids() -> list[str]:
    """The 1,000 sorted WordNet ids of ImageNet."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return [info.index_to_label_name(index) for index in range(1000)]
