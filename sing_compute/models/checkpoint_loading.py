"""Load a checkpoint file into a network, put a head on it, and record where both are from. Shared by all sources of networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from sing_compute.fingerprints import state_sha256
from sing_compute.models.backbone import HeadedBackbone, head_facts, read_head
from sing_compute.models.checkpoint_files import checkpoint_sha256
from sing_compute.models.spec import ModelSpec
from sing_compute.models.weights import Checkpoint, fit_names, load_strictly

Facts = dict[str, str | int | float]
"""Origin and fingerprints of a classifier, as they are stored with the results."""


@dataclass(slots=True)
class LoadedWeights:
    """Description of the weights that a network has got."""

    declared: dict[str, torch.dtype] = field(default_factory=dict)
    """Dtype of each tensor in the checkpoint file, by the network's name of it."""
    facts: Facts = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    """Lines that are said at the start of the run."""


def load_weights(
    network: nn.Module, checkpoint: Checkpoint | None, spec: ModelSpec, source: Path | None
) -> LoadedWeights:
    """Load a checkpoint into a network.

    Args:
        network: Gets the tensors.
        checkpoint: The weights; None to leave the network as it is.
        spec: The classifier that the user asked for.
        source: File of the checkpoint, for messages.

    Raises:
        WeightsError: The tensors are not those of the network.
    """
    if checkpoint is None:
        return LoadedWeights()
    state = fit_names(checkpoint.state, network)
    load_strictly(network, state, str(source))
    return describe_weights(checkpoint, state, spec, source)


def describe_weights(
    checkpoint: Checkpoint, state: Mapping[str, Tensor], spec: ModelSpec, source: Path | None
) -> LoadedWeights:
    """Return what is recorded and said of the weights of a checkpoint.

    Args:
        checkpoint: As it was read.
        state: Its tensors by the network's names.
        spec: The classifier that the user asked for.
        source: File of the checkpoint, for messages.
    """
    loaded = LoadedWeights({name: tensor.dtype for name, tensor in state.items()})
    if checkpoint.key:
        loaded.facts["weights_key"] = checkpoint.key
    if checkpoint.others:
        others = ", ".join(f"`{key}`" for key in checkpoint.others)
        way = "; --no-ema takes weights that are not averaged" if checkpoint.averaged and spec.ema is None else ""
        loaded.remarks.append(f"weights `{checkpoint.key}` of {source}, which also holds {others}{way}")
    return loaded


def put_head(network: nn.Module, spec: ModelSpec, declared: dict[str, torch.dtype]) -> Facts:
    """Put the user's head on a backbone, and return its part of the provenance; empty where the user gave none.

    Args:
        network: A `HeadedBackbone` if the user gave a head.
        spec: Names the file, or has the values.
        declared: Gets the dtype of the head as it was given.

    Raises:
        WeightsError: The file is no linear head.
    """
    if spec.head is None:
        return {}
    assert isinstance(network, HeadedBackbone)
    weight, bias = read_head(spec.head)
    network.put(weight, bias, str(spec.head) if isinstance(spec.head, Path) else "head=")
    declared["head.weight"] = weight.dtype
    return head_facts(spec.head) | ({"feature": "class token and mean patch token"} if network.uses_tokens else {})


def provenance(spec: ModelSpec, network: nn.Module) -> Facts:
    """Return what every classifier records: the options as they were typed, and the fingerprints of its weights.

    Args:
        spec: The classifier that the user asked for.
        network: The network with its weights.
    """
    record: Facts = {"spec": spec.spec, "state_sha256": state_sha256(network)}
    if spec.weights is not None:
        record |= {"weights_file": spec.weights.name, "weights_sha256": checkpoint_sha256(spec.weights)}
    if spec.transform is not None:
        record["transform"] = spec.transform.text
    if spec.head_of:
        record["head_of"] = spec.head_of
    return record | ({"note": spec.note} if spec.note else {})
