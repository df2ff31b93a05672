"""Name ImageNet's classes, as timm and open_clip ship them, and the classes of a timm checkpoint."""

import re
from typing import Any

from torch import nn

IMAGENET_CLASSES = 1000
_WNID = re.compile(r"n\d{8}")


def imagenet_names() -> list[str]:
    """Return the 1,000 ImageNet class names that CLIP prompts use, in the order of the sorted WordNet ids."""
    from open_clip import IMAGENET_CLASSNAMES

    return [str(name) for name in IMAGENET_CLASSNAMES]


def imagenet_wnids() -> list[str]:
    """Return the 1,000 sorted WordNet ids of ImageNet."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return [info.index_to_label_name(index) for index in range(IMAGENET_CLASSES)]


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
        described = config.get("label_descriptions") or {}
        names = [str(described.get(name, name)) if isinstance(described, dict) else name for name in own]
        return names, own if all(_WNID.fullmatch(name) for name in own) else None
    subset = infer_imagenet_subset(network)
    if subset is None:
        return None
    info = ImageNetInfo(subset)
    wnids = [info.index_to_label_name(index) for index in range(info.num_classes())]
    if subset == "imagenet-1k":
        return imagenet_names(), wnids
    return [info.index_to_description(index).split(",")[0] for index in range(info.num_classes())], wnids
