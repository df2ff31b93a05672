"""Find which text of each attribute is true of each image, and which attribute each concept of a name belongs to."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from sing_compute.errors import ImagesError, SingError
from sing_compute.imagenet import folded
from sing_compute.images.class_labels import listed
from sing_compute.images.label_files import labels_of
from sing_compute.images.listing import ImageList
from sing_compute.linalg.angles import unit
from sing_compute.questions.heads.attribute_texts import Attributes
from sing_compute.store.text import clean

STAND_IN = "most similar text"
"""Source of the true text of images without a label: the text that the unedited network finds most similar."""
RULES = {"text": "text", "word": "words", "similar": "similarity"}
"""Why a concept belongs to an attribute: it is one of its texts; it contains one, or one contains it; its most similar text is.
As it is stored, and in a message."""


def true_texts(
    images: ImageList, attributes: Attributes, given: Sequence[str]
) -> tuple[Int64[np.ndarray, "image attribute"], list[str]]:
    """Return the true text of each attribute for each image, and where it comes from.

    Args:
        images: The images. Their folders are labels of an attribute if each folder's name is a text of it.
        attributes: The attributes.
        given: Label files, as `ATTRIBUTE=FILE`.

    Returns:
        Positions among the texts of each attribute, -1 where the image has no label; a source for each attribute.

    Raises:
        SingError: There is no such attribute, or a label file cannot be used.
    """
    truth = np.full((len(images), len(attributes.names)), -1)
    sources = [STAND_IN] * len(attributes.names)
    folders = images.labels.used_names
    for column, texts in enumerate(attributes.groups.values()):
        known = _positions(texts, attributes.prompts)
        if folders and all(folded(name) in known for name in folders):
            codes = np.array([known.get(folded(name), -1) for name in images.labels.names])
            truth[:, column] = codes[images.labels.codes]
            sources[column] = "folders of the images"
    order = sorted(range(len(images)), key=images.keys.raw)
    for entry in given:
        name, equals, file = entry.partition("=")
        if not equals or name not in attributes.names:
            raise SingError(
                f"--labels {clean(entry)}: write ATTRIBUTE=FILE; attributes: {clean(listed(attributes.names))}"
            )
        column = attributes.names.index(name)
        known = _positions(attributes.groups[name], attributes.prompts)
        labels, _ = labels_of(images.keys.take(np.array(order, dtype=np.int64)), Path(file))
        others = [label for label in labels.used_names if folded(label) not in known]
        if others:
            raise ImagesError(f"--labels {clean(entry)}: no texts of {clean(name)}: {clean(listed(others))}")
        truth[order, column] = [known[folded(label)] for label in labels]
        sources[column] = clean(f"labels of {file}")
    return truth, sources


def owners_of(
    words: Sequence[str],
    attributes: Attributes,
    texts: Float[Tensor, "text clip"],
    embed: Callable[[Sequence[str]], Float[Tensor, "word clip"]],
) -> tuple[list[int], list[str]]:
    """Return the attribute that each concept belongs to, and why (`RULES`).

    Args:
        words: The concepts.
        attributes: The attributes.
        texts: Embeddings of their texts.
        embed: Returns unit embeddings of concepts; it is called with those that no rule but similarity decides.
    """
    owner_of_text = attributes.owners
    known: dict[str, int] = {}
    for text, owner in zip(attributes.texts, owner_of_text, strict=True):
        known.setdefault(folded(text), owner)
        known.setdefault(folded(attributes.prompts[text]), owner)
    padded = [(f" {folded(text)} ", owner) for text, owner in zip(attributes.texts, owner_of_text, strict=True)]
    owners, rules = [-1] * len(words), ["similar"] * len(words)
    for position, word in enumerate(words):
        name = folded(word)
        if name in known:
            owners[position], rules[position] = known[name], "text"
            continue
        around = f" {name} "
        found = {owner for text, owner in padded if text in around or around in text}
        if len(found) == 1:
            owners[position], rules[position] = found.pop(), "word"
    rest = [position for position, owner in enumerate(owners) if owner < 0]
    if rest:
        mean = texts.double().mean(0)
        similar = unit(embed([words[position] for position in rest]).double() - mean) @ unit(texts.double() - mean).T
        for position, nearest in zip(rest, similar.argmax(1).tolist(), strict=True):
            owners[position] = owner_of_text[nearest]
    return owners, rules


def labelled_or_similar(
    truth: Int64[np.ndarray, "image attribute"], similar: Tensor
) -> Int64[Tensor, "image attribute"]:
    """Return the true texts, and for images without a label the most similar ones."""
    labels = torch.from_numpy(truth)
    return torch.where(labels < 0, similar.cpu(), labels)


def _positions(texts: Sequence[str], prompts: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, text in enumerate(texts):
        found.setdefault(folded(text), position)
        found.setdefault(folded(prompts[text]), position)
    return found
