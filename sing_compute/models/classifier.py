"""Load classifiers. Whatever the source, the result is a network in evaluation mode with its head, transform and provenance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError
from sing_compute.fingerprints import state_sha256
from sing_compute.foreign_code import guarding
from sing_compute.linalg.null_space import stored_precision
from sing_compute.models.backbone import HeadedBackbone, head_facts, read_head
from sing_compute.models.checkpoint_files import checkpoint_sha256
from sing_compute.models.factory_source import create_from_factory, set_lazy_layers
from sing_compute.models.function_check import CHANNELS_LAST, check_function, lay_out
from sing_compute.models.head import FeatureTap, find_head, head_parameters, logits_of
from sing_compute.models.map_search import find_map
from sing_compute.models.spatial_map import MapTap, even_positions
from sing_compute.models.spec import ModelSpec
from sing_compute.models.timm_source import classes_of, create_timm, timm_labels, weights_source
from sing_compute.models.user_transform import has_layer_transform, own_transform
from sing_compute.models.weights import Checkpoint, fit_names, load_strictly, read_checkpoint
from sing_compute.precision import FLOAT32, computing_in
from sing_compute.transform_results import preprocessing_text

Transform = Callable[[Any], Any]


@dataclass(slots=True)
class Classifier:
    """A network with a linear head. `attach` finds the head on a first batch; after that, a call gives features and logits."""

    name: str
    network: nn.Module
    transform: Transform
    """Makes a tensor (channel, height, width) of a PIL image; a user's own may return it in another form (`image_tensor`)."""
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
    memory_format: str = CHANNELS_LAST
    """Order of an image's values in memory in which the network runs, a key of `MEMORY_FORMATS`; `attach` chooses it."""
    remarks: list[str] = field(default_factory=list)
    """Lines that are said at the start: choices that were made for the user."""
    _tap: FeatureTap | None = None

    @property
    def headless(self) -> bool:
        """True if the network has no head yet, because one will be fitted."""
        return isinstance(self.network, HeadedBackbone) and self.network.head is None

    def attach(self, batch: Tensor, *, map_side: int | None = None) -> None:
        """Check that the network is a function of one image, and find its head, on a batch; on request also its last map.

        Head and memory format are recorded in the provenance.

        Args:
            batch: Transformed images (image, channel, height, width), on the network's device.
            map_side: Rows and columns of the stored positions of a map; None to store no maps.

        Raises:
            HeadError: The network fails or is no function of one image, no linear head gives its logits, or it has no spatial
                map before its head.
        """
        try:
            self.memory_format, logits = check_function(self.network, batch)
            batch = lay_out(batch, self.memory_format)
            name, module = find_head(self.network, batch, expected=logits)
        except HeadError as error:
            raise HeadError(f"{self.name}: {error}") from error
        self._tap = FeatureTap(module)
        precision = stored_precision(module.weight.detach().flatten(1), self.declared.get(f"{name}.weight"))
        self.provenance |= {
            "head": name,
            "memory_format": self.memory_format,
            "stored_precision": str(precision).removeprefix("torch."),
            "parameters": sum(parameter.numel() for parameter in self.network.parameters()),
            "input_size": "x".join(str(side) for side in batch.shape[1:]),
        }
        if map_side is not None:
            try:
                with guarding("the network failed while its spatial map was searched", HeadError):
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
            HeadError: `attach` has not been called, or the network failed or returned something else than logits.
        """
        if self._tap is None:
            raise HeadError(f"{self.name}: attach the head on a first batch before using it")
        with guarding(f"{self.name}: the network failed", HeadError), computing_in(precision, batch.device):
            output = self.network(lay_out(batch, self.memory_format))
        logits = logits_of(output)
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

    source = weights_source(spec)
    checkpoint = None if source is None else read_checkpoint(source, ema=spec.ema)
    network = create_timm(spec, with_weights=source is None)
    usual = getattr(network, "num_classes", 0)
    own = classes_of(checkpoint.state, network) if checkpoint else None
    if own is not None:
        network = create_timm(spec, with_weights=False, classes=own)
    config = dict(network.pretrained_cfg)  # type: ignore[arg-type]
    loaded = _load_weights(network, checkpoint, spec, source)
    if own is not None and source is not None:
        loaded.facts["classes_from"] = source.name
        loaded.remarks.append(f"{own} classes, as the head in {source}; {spec.spec} has {usual}")
    settings = resolve_data_config(model=network)
    transform = create_transform(**settings, is_training=False)
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
    facts = loaded.facts | _put_head(network, spec, loaded.declared)
    tag = config.get("tag")
    facts["tag"] = (
        f"{config.get('architecture', spec.spec)}{f'.{tag}' if tag else ''}" if spec.weights is None else "file"
    )
    named = f"{config.get('architecture', spec.spec)}{f'.{tag}' if tag else ''}"
    doubt = "" if spec.weights is None else ", because a file of weights does not say its own"
    facts |= _preprocessing(settings, f"timm's configuration of {named}{doubt}")
    facts["origin"] = str(config.get("hf_hub_id") or config.get("url") or "")
    provenance = _provenance(spec, network) | facts
    return Classifier(
        spec.name, network.eval(), transform, provenance, labels, loaded.declared, True, remarks=loaded.remarks
    )


def _from_factory(spec: ModelSpec) -> Classifier:
    from timm.data import create_transform, resolve_data_config

    network = create_from_factory(spec)
    given = spec.network.own_transform if spec.network is not None else None
    transform = given or own_transform(network)
    remarks: list[str] = []
    settings: dict[str, Any] = {}
    if transform is None:
        with guarding(f"--model {spec.spec}: timm cannot make a transform of its pretrained_cfg"):
            settings = resolve_data_config(model=network)
            transform = create_transform(**settings, is_training=False)
        if has_layer_transform(network):
            size = "x".join(str(side) for side in settings["input_size"])
            remarks.append(
                f"its layer `transform` is no preprocessing, so timm's is used: {size}, {settings['interpolation']}, crop "
                f"{settings['crop_pct']}"
            )
    lazy = set_lazy_layers(network, transform, spec)
    checkpoint = None if spec.weights is None else read_checkpoint(spec.weights, ema=spec.ema)
    loaded = _load_weights(network, checkpoint, spec, spec.weights)
    if spec.head is not None:
        network = HeadedBackbone(network)
    facts = loaded.facts | _put_head(network, spec, loaded.declared) | {"tag": spec.spec}
    if settings:
        facts |= _preprocessing(
            settings, "timm's default, or the network's pretrained_cfg: it has no `transform` of its own"
        )
    else:
        shown = " ".join(repr(transform).split())
        facts["preprocessing"] = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
        facts["preprocessing_from"] = "the `transform` that was given" if given else "the network's own `transform`"
    if lazy and checkpoint is None:
        facts["note"] = "its lazy layers have random weights: no --weights were given that hold them"
    provenance = _provenance(spec, network) | facts
    return Classifier(
        spec.name, network.eval(), transform, provenance, declared=loaded.declared, remarks=remarks + loaded.remarks
    )


_SHOWN = 300
"""Most characters of a transform's own description that are stored."""


def _preprocessing(settings: Mapping[str, Any], source: str) -> dict[str, str | int | float]:
    """Return how images become tensors, and where that is from, as they are stored.

    Args:
        settings: timm's, by its names.
        source: Where they are from.
    """
    text = preprocessing_text(
        settings["input_size"], settings["interpolation"], settings["crop_pct"], settings["mean"], settings["std"]
    )
    return {"preprocessing": text, "preprocessing_from": source}


def _put_head(network: nn.Module, spec: ModelSpec, declared: dict[str, torch.dtype]) -> dict[str, str | int | float]:
    """Put the head from the user's file on the network, if there is one, and return its part of the provenance."""
    if spec.head is None:
        return {}
    assert isinstance(network, HeadedBackbone)
    weight, bias = read_head(spec.head)
    network.put(weight, bias, str(spec.head) if isinstance(spec.head, Path) else "head=")
    declared["head.weight"] = weight.dtype
    return head_facts(spec.head) | ({"feature": "class token and mean patch token"} if network.uses_tokens else {})


@dataclass(slots=True)
class _Loaded:
    """Description of the weights of a checkpoint file that a network has got."""

    declared: dict[str, torch.dtype] = field(default_factory=dict)
    facts: dict[str, str | int | float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def _load_weights(network: nn.Module, checkpoint: Checkpoint | None, spec: ModelSpec, source: Path | None) -> _Loaded:
    if checkpoint is None:
        return _Loaded()
    state = fit_names(checkpoint.state, network)
    load_strictly(network, state, str(source))
    loaded = _Loaded({name: tensor.dtype for name, tensor in state.items()})
    if checkpoint.key:
        loaded.facts["weights_key"] = checkpoint.key
    if checkpoint.others:
        others = ", ".join(f"`{key}`" for key in checkpoint.others)
        way = "; --no-ema takes weights that are not averaged" if checkpoint.averaged and spec.ema is None else ""
        loaded.remarks.append(f"weights `{checkpoint.key}` of {source}, which also holds {others}{way}")
    return loaded


def _provenance(spec: ModelSpec, network: nn.Module) -> dict[str, str | int | float]:
    record: dict[str, str | int | float] = {"spec": spec.spec, "state_sha256": state_sha256(network)}
    if spec.weights is not None:
        record |= {"weights_file": spec.weights.name, "weights_sha256": checkpoint_sha256(spec.weights)}
    return record | ({"note": spec.note} if spec.note else {})
