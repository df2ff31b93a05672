"""Choose architectures so that every module of timm and every kind of network in it is there, each in its smallest size."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import timm
import torch
import torchvision
from torch import nn

VARIANTS = 2
"""Most architectures of one family of a module."""
TRIED = 3
"""Names of a family whose parameters are counted, in the order in which names say the size."""
SMALL = 30_000_000
"""Most parameters of an architecture that is not the smallest of its family."""
SIZES = [
    *(
        "atto",
        "femto",
        "pico",
        "zepto",
        "nano",
        "micro",
        "mini",
        "tiny",
        "xxxtiny",
        "xxtiny",
        "xtiny",
        "small",
        "medium",
    ),
    *("base", "large", "xlarge", "huge", "giant", "gigantic", "enormous", "xxs", "xs", "s", "m", "l", "xl", "xxl"),
]
"""Words for sizes, smallest first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An architecture to check."""

    name: str
    source: str
    """Module of timm, or `torchvision`."""
    build: Callable[[], nn.Module]
    parameters: int
    sides: tuple[int, ...] = ()
    """Sides of images that it takes; none if it takes any."""
    head: tuple[str, ...] = ()
    """Layers that the library's own configuration names as its head."""


def chosen(names: Sequence[str] = ()) -> Iterator[Choice]:
    """Give the architectures to check.

    Args:
        names: These; without any, those of every module of timm, and torchvision's.
    """
    if names:
        known = set(timm.list_models())
        yield from (timm_choice(name) if name in known else torchvision_choice(name) for name in names)
        return
    found = [choice for module in sorted(timm.list_modules()) for choice in _smallest(timm.list_models(module=module))]
    found += _smallest(torchvision.models.list_models(module=torchvision.models), torchvision_choice)
    yield from sorted(found, key=lambda choice: choice.parameters)  # a sweep that is stopped has seen most of them


def _smallest(names: Sequence[str], describe: Callable[[str], Choice] | None = None) -> Iterator[Choice]:
    """Give of each family the smallest architecture, and the smallest of its variants if it is small."""
    for variants in families(names).values():
        found = sorted(map(describe or timm_choice, variants[:TRIED]), key=lambda choice: choice.parameters)
        yield from (choice for place, choice in enumerate(found[:VARIANTS]) if not place or choice.parameters <= SMALL)


def families(names: Sequence[str]) -> dict[str, list[str]]:
    """Group architectures by the letters that their names begin with; one name of each variant, small sizes first.

    Names that differ only in words for sizes and in numbers are one variant.

    Args:
        names: Names of architectures.
    """
    variants: dict[str, dict[str, str]] = defaultdict(dict)
    for name in sorted(names, key=_size):
        family = re.match("[a-z]+", name)
        words = [word for word in re.sub(r"\d+", "", name).split("_") if word and word not in SIZES]
        variants[family[0] if family else name].setdefault("_".join(words), name)
    return {family: list(each.values()) for family, each in variants.items()}


def _size(name: str) -> tuple[int, list[int], str]:
    """Return a key by which names are in the order of size, as far as names say it."""
    sizes = [SIZES.index(word) for word in name.split("_") if word in SIZES]
    return min(sizes, default=SIZES.index("tiny")), [int(number) for number in re.findall(r"\d+", name)], name


def timm_choice(name: str) -> Choice:
    """Describe one of timm's architectures; its parameters are counted without making them."""
    config = timm.get_pretrained_cfg(name)
    height = config.input_size[-1] if config else 224
    sides = (height,) if config and config.fixed_input_size else ()
    head = config.classifier if config else None
    heads = (head,) if isinstance(head, str) else tuple(head or ())
    build = partial(timm.create_model, name)
    if config and not config.num_classes:  # a backbone, which gets a head of this size
        build = partial(timm.create_model, name, num_classes=1000)
    return Choice(name, timm_module(name), build, count_parameters(build), sides, heads)


def timm_module(name: str) -> str:
    """Return the module of timm that defines an architecture."""
    return timm.models.model_entrypoint(name).__module__.rpartition(".")[2]


def torchvision_choice(name: str) -> Choice:
    """Describe one of torchvision's architectures."""
    build = partial(torchvision.models.get_model, name, weights=None)
    sides = (224,) if name.startswith("vit") else ()
    return Choice(name, "torchvision", build, count_parameters(build), sides)


def count_parameters(build: Callable[[], nn.Module]) -> int:
    """Count the parameters of a network without their memory; 0 where it cannot be built so."""
    try:
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in build().parameters())
    except Exception:  # code that reads values while it builds; the network itself is built later
        return 0
