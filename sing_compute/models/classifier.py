"""Load classifiers. Whatever the source, the result is a network in evaluation mode with its head, transform and provenance."""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError, SingError
from sing_compute.fingerprints import file_sha256, state_sha256
from sing_compute.hubs import first_line
from sing_compute.linalg.null_space import stored_precision
from sing_compute.models.backbone import HeadedBackbone, read_head
from sing_compute.models.head import FeatureTap, check_logits, find_head, head_parameters
from sing_compute.models.map_search import find_map
from sing_compute.models.spatial_map import MapTap, even_positions
from sing_compute.models.spec import ModelSpec
from sing_compute.models.timm_source import create_timm, timm_labels
from sing_compute.models.weights import load_strictly, read_state
from sing_compute.precision import FLOAT32, computing_in

Transform = Callable[[Any], Tensor]


@dataclass(slots=True)
class Classifier:
    """A network with a linear head. `attach` finds the head on a first batch; after that, a call gives features and logits."""

    name: str
    network: nn.Module
    transform: Transform
    """Makes a tensor (channel, height, width) of a PIL image."""
    provenance: dict[str, str | int | float]
    """Origin and fingerprints, as they are stored with the results."""
    labels: tuple[list[str], list[str] | None] | None = None
    """Class names and, where known, WordNet ids in logit order, from the checkpoint's own configuration."""
    declared: dict[str, torch.dtype] = field(default_factory=dict)
    """Dtype of each tensor in the checkpoint file, if one was read."""
    concurrent: bool = False
    """True if several threads may call the network at once. A user's own network may keep values between its layers."""
    map_tap: MapTap | None = None
    """Hook that keeps the last spatial map of each forward pass; None where no maps are stored."""
    _tap: FeatureTap | None = None

    @property
    def headless(self) -> bool:
        """True if the network has no head yet, because one will be fitted."""
        return isinstance(self.network, HeadedBackbone) and self.network.head is None

    def attach(self, batch: Tensor, *, map_side: int | None = None) -> None:
        """Find the head by running a batch, and record it in the provenance; on request also the last spatial map before it.

        Args:
            batch: Transformed images (image, channel, height, width), on the network's device.
            map_side: Rows and columns of the stored positions of a map; None to store no maps.

        Raises:
            HeadError: No linear head gives the network's logits, or it has no spatial map before its head.
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
        if map_side is not None:
            try:
                place = find_map(self.network, module, name, batch)
            except HeadError as error:
                raise HeadError(f"{self.name}: {error}") from error
            tapped = self.network.get_submodule(place.module)
            self.map_tap = MapTap(tapped, place, even_positions(place, map_side))

    @property
    def head(self) -> tuple[Float[Tensor, "classes dim"], Float[Tensor, " classes"]]:
        """Weight and bias of the head, after `attach` has found it."""
        if self._tap is None:
            raise HeadError(f"{self.name}: attach the head on a first batch before asking for it")
        assert isinstance(self._tap.head, nn.Linear | nn.Conv2d)
        return head_parameters(self._tap.head)

    @property
    def stored_dtype(self) -> torch.dtype:
        """Precision that the head's weight was stored in."""
        dtype = getattr(torch, str(self.provenance["stored_precision"]))
        assert isinstance(dtype, torch.dtype)
        return dtype

    def __call__(
        self, batch: Tensor, precision: str = FLOAT32
    ) -> tuple[Float[Tensor, "image dim"], Float[Tensor, "image classes"]]:
        """Return features at the head's input and logits, both float32.

        Args:
            batch: Transformed images (image, channel, height, width), on the network's device.
            precision: Arithmetic inside the network. In float32 the logits are the network's own, otherwise W f + b.

        Raises:
            HeadError: `attach` has not been called, or the network returned something else than logits.
        """
        if self._tap is None:
            raise HeadError(f"{self.name}: attach the head on a first batch before using it")
        with computing_in(precision, batch.device):
            logits = self.network(batch)
        check_logits(logits)
        features = self._tap.take()
        if precision != FLOAT32:
            weight, bias = self.head
            logits = features @ weight.float().T + bias.float()
        return features, logits.float()


def load_classifier(spec: ModelSpec, *, probe: bool = False) -> Classifier:
    """Build a classifier and load its weights: on the CPU, in evaluation mode, in the precision of its parameters.

    Args:
        spec: The classifier that the user asked for.
        probe: Accept a backbone without a head; the result is then `headless` until a head has been fitted.

    Raises:
        SingError: Unknown model, function or checkpoint; a backbone without a head; or a head for a network that has
            one. The message says which, and what to do.
    """
    if spec.features is not None:
        from sing_compute.models.stored_features import load_stored

        return load_stored(spec)[0]
    return _from_factory(spec) if spec.is_factory else _from_timm(spec, probe=probe)


def _from_timm(spec: ModelSpec, *, probe: bool) -> Classifier:
    from timm.data import create_transform, resolve_data_config

    network = create_timm(spec)
    config = dict(network.pretrained_cfg)  # type: ignore[arg-type]
    declared = _load_weights(network, spec)
    transform = create_transform(**resolve_data_config(model=network), is_training=False)
    labels = timm_labels(network, config)
    classes = getattr(network, "num_classes", 0)
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
    facts = _put_head(network, spec, declared)
    tag = config.get("tag")
    facts["tag"] = (
        f"{config.get('architecture', spec.spec)}{f'.{tag}' if tag else ''}" if spec.weights is None else "file"
    )
    facts["origin"] = str(config.get("hf_hub_id") or config.get("url") or "")
    return Classifier(spec.name, network.eval(), transform, _provenance(spec, network) | facts, labels, declared, True)


def _from_factory(spec: ModelSpec) -> Classifier:
    from timm.data import create_transform, resolve_data_config

    module_name, _, attribute = spec.spec.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the user's own code may raise anything
        raise SingError(
            f"--model {spec.spec}: cannot import {module_name} ({first_line(error)}); run from its folder or install it"
        ) from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise SingError(f"--model {spec.spec}: {module_name} has no function {attribute!r}")
    try:
        network = factory()
    except Exception as error:
        raise SingError(
            f"--model {spec.spec}: {attribute}() failed ({first_line(error)}); --debug shows where"
        ) from error
    if not isinstance(network, nn.Module):
        raise SingError(
            f"--model {spec.spec}: {attribute}() returned a {type(network).__name__}, not a torch.nn.Module"
        )
    declared = _load_weights(network, spec)
    transform = getattr(network, "transform", None)
    if not callable(transform):
        transform = create_transform(**resolve_data_config(model=network), is_training=False)
    if spec.head is not None:
        network = HeadedBackbone(network)
    facts = _put_head(network, spec, declared) | {"tag": spec.spec}
    return Classifier(spec.name, network.eval(), transform, _provenance(spec, network) | facts, declared=declared)


def _put_head(network: nn.Module, spec: ModelSpec, declared: dict[str, torch.dtype]) -> dict[str, str | int | float]:
    """Put the head from the user's file on the network, if there is one, and return its part of the provenance."""
    if spec.head is None:
        return {}
    assert isinstance(network, HeadedBackbone)
    weight, bias = read_head(spec.head)
    network.put(weight, bias, str(spec.head))
    declared["head.weight"] = weight.dtype
    facts: dict[str, str | int | float] = {"head_file": spec.head.name, "head_sha256": file_sha256(spec.head)}
    return facts | ({"feature": "class token and mean patch token"} if network.uses_tokens else {})


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
    return record | ({"note": spec.note} if spec.note else {})
