"""Turn a user's arrays, mappings and data sets into the sources of a plan."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sing_compute.concepts.stored_embeddings import StoredEmbeddings
from sing_compute.concepts.vocabulary import Vocabulary, vocabulary_of
from sing_compute.errors import ConceptsError, ImagesError, SingError, WeightsError
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.given_images import GivenImages, files_of, labels_in, names_of_classes, plain_label
from sing_compute.images.listing import ImageList
from sing_compute.models.backbone import HeadValues
from sing_compute.models.given_network import GivenNetwork
from sing_compute.models.spec import ModelSpec

Array = NDArray[Any] | Tensor
"""An array of numpy, or a tensor of torch on any device."""
Vectors = Mapping[str, Array] | tuple[Sequence[str], Array]
"""Vectors by name: a mapping, or names and a matrix with one row for each."""
Head = tuple[Array, Array | None] | nn.Linear
"""Weight (class, dim) and bias (class) of a linear head, None for no bias; or the layer."""


def array_of(value: object, name: str) -> NDArray[Any]:
    """Return the numbers of an array or tensor; half precisions of torch become float32.

    Args:
        value: An array, a tensor on any device, or nested lists.
        name: Name of the argument, for messages.

    Raises:
        SingError: It holds something else than numbers.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype == torch.bfloat16 else value
        found: NDArray[Any] = value.numpy()
        return found
    try:
        found = np.asarray(value)
    except ValueError as error:
        raise SingError(f"{name}: rows of different lengths; one array is needed") from error
    if found.dtype.kind not in "fiub":
        raise SingError(f"{name}: a {type(value).__name__} of type {found.dtype}; an array of numbers is needed")
    return found


def head_values(head: Head) -> HeadValues:
    """Return a head in the precision that it has.

    Args:
        head: Weight and bias, or a linear layer.

    Raises:
        WeightsError: It is neither, or it holds numbers that are not finite.
    """
    if isinstance(head, nn.Linear):
        head = (head.weight, head.bias)
    if not isinstance(head, tuple | list) or len(head) != 2:
        raise WeightsError(f"head: a {type(head).__name__}; give (weight, bias) or a torch.nn.Linear")
    weight = _tensor(head[0], "head")
    bias = torch.zeros(len(weight), dtype=weight.dtype) if head[1] is None else _tensor(head[1], "head")
    return HeadValues(weight, bias)


def _tensor(value: Array, name: str) -> Tensor:
    tensor = value.detach().cpu() if isinstance(value, Tensor) else torch.from_numpy(array_of(value, name).copy())
    if not tensor.is_floating_point() or not tensor.isfinite().all():
        raise WeightsError(
            f"{name}: {tuple(tensor.shape)} of type {tensor.dtype}; finite floating-point numbers are needed"
        )
    return tensor


def embeddings_of(vectors: Vectors, name: str, tag: str) -> StoredEmbeddings:
    """Return vectors by name.

    Args:
        vectors: A mapping, or names and a matrix.
        name: Name of the argument, for messages; it becomes the kind of the concepts.
        tag: Name of the CLIP that made them; may be empty.

    Raises:
        ConceptsError: The argument has another form, or its rows cannot be used.
    """
    if isinstance(vectors, Mapping):
        names, rows = list(vectors), [array_of(row, name) for row in vectors.values()]
        lengths = sorted({row.shape for row in rows})
        if len(lengths) != 1 or len(lengths[0]) != 1:
            raise ConceptsError(
                f"{name}: vectors of the shapes {lengths[:3]}; each name needs one vector of one length"
            )
        return StoredEmbeddings.of(name, names, np.stack(rows), tag)
    if not isinstance(vectors, tuple | list) or len(vectors) != 2:
        raise ConceptsError(f"{name}: a {type(vectors).__name__}; give a mapping of name to vector, or (names, matrix)")
    return StoredEmbeddings.of(name, [str(text) for text in vectors[0]], array_of(vectors[1], name), tag)


def source_of(vectors: Vectors | str | Path | None, name: str) -> StoredEmbeddings | str | None:
    """Return vectors, or the path of their file as text; None for none."""
    if vectors is None or isinstance(vectors, str | Path):
        return None if vectors is None else str(vectors)
    return embeddings_of(vectors, name, "")


def keys_of(keys: Sequence[str] | None, count: int) -> list[str]:
    """Return a key for each row: the user's, or its position with leading zeros."""
    if keys is not None:
        return [str(key) for key in keys]
    return [f"{row:0{len(str(max(count - 1, 0)))}d}" for row in range(count)]


def labels_of(labels: Sequence[Any] | Array) -> list[str]:
    """Return labels as text: class names, or positions among the logits.

    Args:
        labels: One for each row; numbers or names.

    Raises:
        ImagesError: A label is neither.
    """
    if isinstance(labels, Tensor | np.ndarray):
        labels = array_of(labels, "labels").tolist() if isinstance(labels, Tensor) else labels.tolist()
    plain = [plain_label(label) for label in labels]
    bad = next((label for label in plain if isinstance(label, bool) or not isinstance(label, int | str)), None)
    if bad is not None:
        raise ImagesError(f"labels: {bad!r} is neither a class name nor the position of a class among the logits")
    return [str(label) for label in plain]


def predicted_labels(features: NDArray[Any], head: HeadValues) -> tuple[list[str], str]:
    """Return the class that a head predicts for each row, for data without labels, and the remark that says so.

    Args:
        features: Features (row, dim).
        head: Weight (class, dim) and bias.
    """
    if features.ndim != 2 or head.weight.ndim != 2 or features.shape[1] != head.weight.shape[1]:
        return [], ""  # the plan says what does not fit
    logits = torch.from_numpy(features).float() @ head.weight.float().T + head.bias.float()
    note = (
        "no labels were given: the class that the head predicts stands for the true one, so the accuracy means nothing"
    )
    return [str(int(label)) for label in logits.argmax(1)], note


def model_of(name: str, model: nn.Module | str, transform: Callable[[Any], Any] | None) -> ModelSpec | str:
    """Return a network in memory as the model of a plan; of a named one the text that the command takes.

    Args:
        name: Its name in the results; empty for the name of its class, or of the model.
        model: The network or its name.
        transform: The preprocessing of a network in memory.

    Raises:
        SingError: It is neither, or a transform was given with a name.
    """
    if isinstance(model, nn.Module):
        return GivenNetwork(model, transform).spec(name or type(model).__name__)
    if not isinstance(model, str):
        hint = f"; call it: {model.__name__}()" if isinstance(model, type) else ""
        raise SingError(f"model: a {type(model).__name__}, not a torch.nn.Module or the name of a model{hint}")
    if transform is not None:
        raise SingError(f"transform is for a network in memory, and {model} is a name: leave it out")
    return f"{name}={model}" if name else model


def vocabularies_of(concepts: str | Path | Sequence[str]) -> tuple[str | Vocabulary, ...]:
    """Return a list of concepts as a vocabulary; one text is the name of a built-in vocabulary or a file.

    Raises:
        ConceptsError: A concept is no text, or empty.
    """
    if isinstance(concepts, str | Path):
        return (str(concepts),)
    return (vocabulary_of(concepts),) if len(concepts) else ()


def image_source(
    images: Any, labels: Sequence[Any] | Array | str | Path | None, keys: Sequence[str] | None
) -> tuple[str | ImageList, str | None]:
    """Return the images of a plan, and the path of their label file if there is one.

    Args:
        images: A source of `--images`, or a data set.
        labels: A label file for the one, a label for each item of the other.
        keys: A key for each item of a data set.

    Raises:
        SingError: Labels or keys are for the other kind of source, or the data set cannot be used.
    """
    file = str(labels) if isinstance(labels, str | Path) else None
    if not isinstance(images, str | Path):
        if file is not None:
            raise SingError("a label file is for a folder of images; give one label for each item of the Dataset")
        return images_of(images, labels, keys), None  # type: ignore[arg-type]
    if keys is not None:
        raise SingError("keys are for a Dataset; the key of an image in a folder is its path")
    if labels is not None and file is None:
        raise SingError("labels of a folder are in a file: give its path, or give the images as a Dataset")
    return str(images), file


def images_of(
    dataset: Any, labels: Sequence[Any] | Array | None = None, keys: Sequence[str] | None = None
) -> ImageList:
    """List the images of a data set.

    Args:
        dataset: Has a length and items (image, label).
        labels: A label for each item; None for those of the data set.
        keys: A key for each item; None for its path below the data set's folder, or its position.

    Raises:
        ImagesError: It is no data set, or an item has no label that can be understood.
    """
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise ImagesError(
            f"images: a {type(dataset).__name__}; give a folder, or a torch Dataset with a length and items (image, label)"
        )
    count = len(dataset)
    if not count:
        raise ImagesError("images: the data set is empty")
    files, names = files_of(dataset), names_of_classes(dataset)
    own = labels_in(dataset) if labels is None else None
    texts = labels_of(labels if own is None else own)  # type: ignore[arg-type]
    if own is not None and names:
        texts = [_class_name(text, names) for text in texts]
    known = keys_of(keys if keys is not None or files is None else files[1], count)
    for kind, found in (("labels", texts), ("keys", known)):
        if len(found) != count:
            raise ImagesError(f"{kind}: {len(found)} for {count} items of the data set; one for each is needed")
    if len(set(known)) < count:
        raise ImagesError(f"keys: {count - len(set(known))} occur more than once; they must be unique")
    items = GivenImages(dataset, np.arange(count, dtype=np.int64), own)
    root = files[0] if files is not None and keys is None else None
    return ImageList(root, Texts(known), Categorical.of(texts), items=items, class_names=names)


def _class_name(label: str, names: Sequence[str]) -> str:
    """Return the name of a class that a data set numbers in its own order."""
    if not label.isdecimal():
        return label
    if int(label) >= len(names):
        raise ImagesError(f"label {label} of the data set, which names {len(names)} classes: give labels=")
    return names[int(label)]
