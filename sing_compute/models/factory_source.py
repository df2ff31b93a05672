"""Build a network by a user's own function, `module:factory`, and guard what it raises or returns."""

import importlib
import inspect
import itertools
import os
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from sing_compute.errors import HeadError, SingError
from sing_compute.foreign_code import describe_error, guarding
from sing_compute.models.backbone import HeadedBackbone
from sing_compute.models.checkpoint_loading import load_weights, provenance, put_head
from sing_compute.models.chosen_head import choose_head
from sing_compute.models.classifier import Classifier
from sing_compute.models.head import logits_of
from sing_compute.models.preprocessing import check_replaces, own_preprocessing, timm_preprocessing
from sing_compute.models.spec import ModelSpec
from sing_compute.models.user_transform import grey_image, has_layer_transform, own_transform
from sing_compute.models.weights import read_checkpoint
from sing_compute.transform_results import image_tensor

WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def load_own(spec: ModelSpec) -> Classifier:
    """Build a classifier by a user's own function.

    Args:
        spec: The classifier that the user asked for.

    Raises:
        SingError: As `create_from_factory`; weights, head or preprocessing that do not fit the network.
    """
    network = create_from_factory(spec)
    given = spec.network.own_transform if spec.network is not None else None
    own = given or own_transform(network)
    if own is not None and check_replaces(spec, "a `transform` of its own"):
        own = None
    remarks: list[str] = []
    if own is not None:
        source = "the `transform` that was given" if given else "the network's own `transform`"
        transform, preprocessing = own, own_preprocessing(own, source)
    else:
        with guarding(f"--model {spec.spec}: timm cannot make a transform of its pretrained_cfg"):
            transform, preprocessing = timm_preprocessing(
                network,
                spec.transform,
                "timm's default, or the network's pretrained_cfg: it has no `transform` of its own",
            )
        if has_layer_transform(network) and spec.transform is None:
            shown = str(preprocessing["preprocessing"]).partition(", mean")[0]
            remarks.append(f"its layer `transform` is no preprocessing, so timm's is used: {shown}")
    lazy = set_lazy_layers(network, transform, spec)
    checkpoint = None
    if spec.weights is not None:
        checkpoint = read_checkpoint(spec.weights, ema=spec.ema, own=network.state_dict())
    loaded = load_weights(network, checkpoint, spec, spec.weights)
    if spec.head is not None:
        network = HeadedBackbone(network)
    facts = loaded.facts | put_head(network, spec, loaded.declared) | {"tag": spec.spec} | preprocessing
    if lazy and checkpoint is None:
        facts["note"] = "its lazy layers have random weights: no --weights were given that hold them"
    return Classifier(
        spec.name,
        network.eval(),
        transform,
        provenance(spec, network) | facts,
        declared=loaded.declared,
        remarks=remarks + loaded.remarks,
        chosen_head=choose_head(network, spec, None),
    )


def create_from_factory(spec: ModelSpec) -> nn.Module:
    """Import a user's module and call its function; or copy the network that the user has in memory.

    Args:
        spec: The classifier that the user asked for.

    Returns:
        The network in float32, whatever precision its parameters had, without the wrappers of DDP and torch.compile.

    Raises:
        SingError: The module cannot be imported, or the function fails or returns no usable network. One line names the
            user's own error and its place.
    """
    module_name, _, attribute = spec.spec.partition(":")
    if spec.network is not None:
        return _checked(spec.network.copied(), spec, attribute)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the user's own code may raise anything, and call sys.exit
        raise SingError(
            f"--model {spec.spec}: cannot import {module_name} ({describe_error(error)}); run from its folder or install it"
        ) from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        hint = f"; a model on the hub is hf-hub:{attribute}" if "/" in attribute else ""
        raise SingError(f"--model {spec.spec}: {module_name} has no function {attribute!r}{hint}")
    if isinstance(factory, nn.Module):
        network: object = factory
    else:
        with guarding(f"--model {spec.spec}: {attribute}() failed"):
            network = factory()
    return _checked(network, spec, attribute)


def _checked(network: object, spec: ModelSpec, attribute: str) -> nn.Module:
    transform = getattr(network, "transform", None)
    if isinstance(network, WRAPPERS):
        network = network.module
    network = getattr(network, "_orig_mod", network)  # of torch.compile: hooks are not called in compiled layers
    if inspect.isclass(network):
        raise SingError(
            f"--model {spec.spec}: {attribute}() returned the class {network.__name__}, not a network of it: return "
            f"{network.__name__}()"
        )
    if isinstance(network, torch.jit.ScriptModule):
        raise SingError(
            f"--model {spec.spec}: {attribute}() returned TorchScript, a program without layers in Python: return the "
            "network before torch.jit.script or torch.jit.trace; or its Python class, loaded with the state_dict() of the script"
        )
    if not isinstance(network, nn.Module):
        raise SingError(
            f"--model {spec.spec}: {attribute}() returned a {type(network).__name__}, not a torch.nn.Module"
        )
    if transform is not None and not hasattr(network, "transform"):
        network.transform = transform  # it was set on the wrapper
    tensors = itertools.chain(network.parameters(), network.buffers())
    if any(tensor.is_floating_point() and tensor.dtype != torch.float32 for tensor in tensors):
        network = network.float()
    return network


def set_lazy_layers(network: nn.Module, transform: Callable[[Any], Any], spec: ModelSpec) -> bool:
    """Give layers such as LazyLinear their size by one pass of a grey image; their weights are then the same in every run.

    Args:
        network: Is changed if it has such layers.
        transform: Its preprocessing.
        spec: Names the network in messages.

    Returns:
        True if the network had such layers.

    Raises:
        HeadError: The pass fails.
    """
    if not any(is_lazy(tensor) for tensor in itertools.chain(network.parameters(), network.buffers())):
        return False
    failed = f"--model {spec.spec}: the first pass, in which its lazy layers get their size, failed"
    with guarding(failed, HeadError), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        logits_of(network.eval()(image_tensor(transform(grey_image()))[None]))
    return True
