"""Name ImageNet's classes in every wording that timm, torchvision and OpenAI's CLIP ship."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from sing_compute.open_clip_import import import_open_clip

IMAGENET_CLASSES = 1000
_WNID = re.compile(r"n\d{8}", re.IGNORECASE)


def imagenet_names() -> list[str]:
    """Return the 1,000 ImageNet class names that CLIP prompts use, in the order of the sorted WordNet ids."""
    return [str(name) for name in import_open_clip().IMAGENET_CLASSNAMES]


@cache
def _wnids() -> tuple[str, ...]:
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    return tuple(info.index_to_label_name(index) for index in range(IMAGENET_CLASSES))


def imagenet_wnids() -> list[str]:
    """Return the 1,000 sorted WordNet ids of ImageNet."""
    return list(_wnids())


def is_wnid(text: str) -> bool:
    """Return True if a text has the form of a WordNet id: n and eight digits."""
    return _WNID.fullmatch(text.strip()) is not None


@cache
def _positions() -> dict[str, int]:
    return {wnid: index for index, wnid in enumerate(_wnids())}


@cache
def _descriptions() -> dict[str, str]:
    """Return the words of each WordNet id of ImageNet's 21,841 classes, several separated by commas."""
    from timm.data import ImageNetInfo

    described: dict[str, str] = ImageNetInfo("imagenet-22k").label_descriptions(as_dict=True)
    return described


@cache
def _torchvision_names() -> list[str]:
    from torchvision.models import ResNet18_Weights

    return [str(name) for name in ResNet18_Weights.IMAGENET1K_V1.meta["categories"]]


def wnid_wordings(wnid: str) -> tuple[str, ...]:
    """Return all names of a WordNet id: OpenAI's, torchvision's and each of WordNet's words; none for an unknown id.

    Args:
        wnid: n and eight digits, in any case.
    """
    key = wnid.strip().lower()
    described = _descriptions().get(key, "")
    words = [described, *(word.strip() for word in described.split(","))] if described else []
    position = _positions().get(key)
    if position is not None:
        words = [imagenet_names()[position], _torchvision_names()[position], *words]
    return tuple(dict.fromkeys(words))


def ids_of_names(names: Sequence[str]) -> list[str] | None:
    """Return the WordNet ids of ImageNet's 1,000 classes if these are their names, in any shipped wording; else None.

    Args:
        names: Class names in logit order.
    """
    if len(names) != IMAGENET_CLASSES:
        return None
    for name, wnid in zip(names, _wnids(), strict=True):
        if folded(name) not in {folded(wording) for wording in wnid_wordings(wnid)}:
            return None
    return imagenet_wnids()


def folded(text: str) -> str:
    """Return a name in the form in which names are compared: one way to write each letter, no case, single spaces."""
    composed = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return re.sub(r"[\s_-]+", " ", composed).strip()
