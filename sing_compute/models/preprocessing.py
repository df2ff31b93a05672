"""Decide how images become tensors for a network, and say why: timm's settings, a transform of its own, or `--transform`."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from sing_compute.errors import SingError
from sing_compute.models.checkpoint_loading import Facts
from sing_compute.models.spec import ModelSpec
from sing_compute.models.transform_option import LARGEST, TransformOption
from sing_compute.transform_results import preprocessing_text

Transform = Callable[[Any], Any]
_SHOWN = 300
"""Most characters of a transform's own description that are stored."""


def timm_settings(network: nn.Module | None, option: TransformOption | None) -> dict[str, Any]:
    """Return the settings of timm's preprocessing: the network's own, with those of `--transform` in their place.

    Args:
        network: Its `pretrained_cfg` is used if it has one; None for timm's defaults.
        option: The user's settings; None if there are none.

    Raises:
        SingError: The option does not fit the number of channels.
    """
    from timm.data import resolve_data_config

    own: dict[str, Any] = resolve_data_config(model=network or nn.Identity())
    settings = own if option is None else option.over(own)
    rows, columns = settings["input_size"][-2:]
    if max(rows, columns) > LARGEST:
        raise SingError(
            f"the network reads images of {rows:,} x {columns:,} pixels, more than {LARGEST:,}: give --transform size=N"
        )
    return settings


def timm_transform(settings: Mapping[str, Any]) -> Transform:
    """Return the transform that timm makes of settings, as in its evaluation of networks."""
    from timm.data import create_transform

    transform: Transform = create_transform(**settings, is_training=False)
    return transform


def timm_preprocessing(
    network: nn.Module | None, option: TransformOption | None, source: str
) -> tuple[Transform, Facts]:
    """Return timm's transform for a network, and how images become tensors and why, as it is stored.

    Args:
        network: Its `pretrained_cfg` is used if it has one.
        option: The user's settings; None if there are none.
        source: Where the settings of the network are from.

    Raises:
        SingError: The option does not fit the number of channels.
    """
    settings = timm_settings(network, option)
    crop, mode = settings["crop_pct"], settings.get("crop_mode") or "center"
    text = preprocessing_text(
        settings["input_size"],
        settings["interpolation"],
        crop if mode == "center" else f"{crop} ({mode})",
        settings["mean"],
        settings["std"],
    )
    facts: Facts = {"preprocessing": text, "preprocessing_from": source if option is None else option.source(source)}
    return timm_transform(settings), facts


def own_preprocessing(transform: object, source: str) -> Facts:
    """Return how a transform describes itself, and where it is from, as it is stored.

    Args:
        transform: Is described by its `repr`, of limited length.
        source: Where it is from.
    """
    shown = " ".join(repr(transform).split())
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
    return {"preprocessing": shown, "preprocessing_from": source}


def check_replaces(spec: ModelSpec, own: str) -> bool:
    """Return True if `--transform` replaces the transform that a network brings.

    Single settings cannot: such a transform is a program, and has no settings that could be exchanged one by one.

    Args:
        spec: The classifier that the user asked for.
        own: The transform that it brings, in words.

    Raises:
        SingError: The option names some settings only.
    """
    if spec.transform is None:
        return False
    if not spec.transform.is_whole:
        raise SingError(
            f"--transform {spec.transform.text}: {spec.name} has {own}, whose settings cannot be changed one by one; add "
            f"{spec.transform.missing} to replace it as a whole, or give '-' for this model"
        )
    return True
