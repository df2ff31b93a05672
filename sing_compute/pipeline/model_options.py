"""Read the options that say which models a run has, and from which files."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from sing_compute.errors import SingError
from sing_compute.models.backbone import HeadSource, HeadValues
from sing_compute.models.spec import DINOV2, PRESETS, ModelSpec
from sing_compute.models.transform_option import TransformOption

HeadOption = str | HeadValues
"""Argument of `--head`: a file, '-' for none, or the values themselves."""


def chosen_models(
    models: Sequence[str | ModelSpec],
    weights: Sequence[str],
    heads: Sequence[HeadOption],
    preset: str | None,
    *,
    probe: bool,
    ema: bool | None,
    transforms: Sequence[str] = (),
    heads_of: Sequence[str] = (),
) -> tuple[list[ModelSpec], tuple[str, ...]]:
    """Return the models of a preset and the user's own, with their files; and remarks for the user about them."""
    if ema is not None and all(file == "-" for file in weights):
        raise SingError(
            f"--{'' if ema else 'no-'}ema chooses among the weights of a checkpoint: give it with --weights FILE"
        )
    if weights and len(weights) != len(models):
        raise SingError(
            f"{len(models)} --model but {len(weights)} --weights: give one for each, in order, '-' for its own weights"
        )
    first: list[HeadOption] = []
    if preset and len(heads) == len(models) + 1:
        first, heads = [heads[0]], heads[1:]
    if heads and len(heads) != len(models):
        more = f", or {len(models) + 1} with that of {DINOV2.name} first" if preset else ""
        raise SingError(
            f"{len(models)} --model but {len(heads)} --head: give one for each, in order, '-' for a head of its own{more}"
        )
    own = [
        _model(model, file, _head(head))
        for model, file, head in zip(models, weights or ["-"] * len(models), heads or ["-"] * len(models), strict=True)
    ]
    own = [
        dataclasses.replace(spec, ema=ema if spec.weights else None, transform=transform, head_of=head_of)
        for spec, transform, head_of in zip(
            own, _transforms(transforms, len(models)), _heads_of(heads_of, len(models)), strict=True
        )
    ]
    if preset is None:
        return own, ()
    head = _head(first[0]) if first else None
    if head is not None or probe:
        return [dataclasses.replace(spec, head=head) if spec is DINOV2 else spec for spec in PRESETS[preset]] + own, ()
    remark = (
        f"--preset {preset}: {DINOV2.name} is left out, timm has its backbone without a head; add --head FILE "
        "(Meta's dinov2_vitl14_linear_head.pth) or --probe"
    )
    return [spec for spec in PRESETS[preset] if spec is not DINOV2] + own, (remark,)


def refuse_with_features(others: Mapping[str, object]) -> None:
    """Refuse options that need a network or images, in a run on features."""
    surplus = [name for name, value in others.items() if value]
    if surplus:
        raise SingError(f"--features need no network and no images: leave {', '.join(surplus)} out")


def feature_models(
    features: Sequence[str | ModelSpec], heads: Sequence[HeadOption]
) -> tuple[list[ModelSpec], tuple[str, ...]]:
    """Return the model of each file of features, with its head; there are no remarks about them."""
    given = [head for head in map(_head, heads) if head is not None]
    if len(heads) != len(features) or len(given) < len(heads):
        raise SingError(f"{len(features)} --features but {len(heads)} --head: give the head of each, in order")
    return [
        dataclasses.replace(text, head=head) if isinstance(text, ModelSpec) else ModelSpec.of_features(text, head)
        for text, head in zip(features, given, strict=True)
    ], ()


def translator_files(texts: Sequence[str], names: Sequence[str]) -> tuple[tuple[str, Path] | None, ...]:
    """Read `[CLIP=]FILE` for each model; '-' to fit one."""
    if texts and len(texts) != len(names):
        raise SingError(
            f"{len(names)} models but {len(texts)} --translator: give one for each, in order, '-' to have it fitted"
        )
    parts = [None if text == "-" else text.rpartition("=")[::2] for text in texts or ["-"] * len(names)]
    return tuple(None if part is None else (part[0], Path(part[1])) for part in parts)


def _transforms(texts: Sequence[str], models: int) -> list[TransformOption | None]:
    """Return the settings of `--transform` for each `--model`: one for all, or one for each."""
    if texts and not models:
        raise SingError("--transform is for --model: the classifiers of --preset bring their own preprocessing")
    if len(texts) == 1:
        texts = list(texts) * models
    if texts and len(texts) != models:
        raise SingError(
            f"{models} --model but {len(texts)} --transform: give one for all, or one for each, in order, '-' for its own"
        )
    return [None if text == "-" else TransformOption.parse(text) for text in texts or ["-"] * models]


def _heads_of(names: Sequence[str], models: int) -> list[str]:
    """Return the chosen head of each `--model`; empty for the network's own answer."""
    if names and len(names) != models:
        raise SingError(
            f"{models} --model but {len(names)} --head-of: give one for each, in order, '-' for a network of one head"
        )
    return ["" if name == "-" else name for name in names or ["-"] * models]


def _model(model: str | ModelSpec, weights: str, head: HeadSource | None) -> ModelSpec:
    """Return the model of a specification, with its files; a model in memory has no file of weights."""
    if isinstance(model, ModelSpec):
        return dataclasses.replace(model, head=head)
    return ModelSpec.parse(model, None if weights == "-" else Path(weights), head)


def _head(option: HeadOption) -> HeadSource | None:
    if not isinstance(option, str):
        return option
    return None if option == "-" else Path(option)
