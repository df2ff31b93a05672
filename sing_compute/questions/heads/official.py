"""Read what the authors' own code writes: decompositions of heads and dictionaries, as .pt files of weights only."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from jaxtyping import Float64, Int64
from torch import Tensor

from sing_compute.array_files import check_tensors, load_tensors
from sing_compute.concepts.vocabulary import read_text
from sing_compute.errors import SingError
from sing_compute.store.text import one_line

_NAME = re.compile(
    r"layer-(?P<layer>\d+)_(?P<side>left|right)[-_](?P<fold>nofoldln|foldln)_(?P<dictionary>.+)"
    r"_(?P<method>comp-[\d.]+|nnomp|omp|mp|top-?k|lasso[^_]*)_sparsity-(?P<size>\d+)\.pt"
)
NAME_FORM = "layer-LL_SIDE_FOLD_DICTIONARY_METHOD_sparsity-K.pt"
_SPELLINGS = {"omp": "nnomp", "topk": "top-k"}


@dataclass(frozen=True, slots=True)
class OfficialLayer:
    """One file of the authors' `decompose.py`: the positive pole of each vector as a mix of concepts."""

    path: Path
    layer: int
    side: str
    """`right`: what heads write; `left`: what they read."""
    folded: bool
    """The norm before the layer was folded in."""
    dictionary: str
    method: str
    """`comp`, `nnomp`, `top-k`, or another one as it is spelled."""
    coherence: float
    size: int
    picks: Int64[Tensor, "head vector pick"]
    """Lines of the dictionary, the largest coefficient first; a line with coefficient 0 means nothing."""
    coefficients: Float64[Tensor, "head vector pick"]


def official_files(paths: Sequence[Path]) -> list[Path]:
    """Return the decompositions among files and in folders, by name.

    Raises:
        SingError: There are none, or a file's name is of another form.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(each for each in path.glob("layer-*.pt") if _NAME.fullmatch(each.name))
        elif not path.is_file():
            raise SingError(f"{path}: no such file or folder")
        elif not _NAME.fullmatch(path.name):
            raise SingError(
                f"{path}: a decomposition is named {NAME_FORM}, such as layer-22_right_foldln_conceptnet_..."
            )
        else:
            found.append(path)
    if not found:
        raise SingError(f"{', '.join(map(str, paths))}: no decomposition; they are named {NAME_FORM}")
    return found


def read_official(path: Path, heads: int) -> OfficialLayer:
    """Read one decomposition, in either layout: (head * vector, K), or (head, vector, K).

    Args:
        path: The file; its name says what it holds.
        heads: Number of heads of each layer of the tower.

    Raises:
        SingError: It cannot be read, or does not hold coefficients and indices of these heads.
    """
    named = _NAME.fullmatch(path.name)
    assert named is not None
    content = _loaded(path)
    if not isinstance(content, Mapping) or not {"scores", "indices"} <= content.keys():
        raise SingError(f"{path}: no decomposition: it holds no `scores` and `indices`")
    scores, indices = content["scores"], content["indices"]
    if not isinstance(scores, Tensor) or not isinstance(indices, Tensor) or scores.shape != indices.shape:
        raise SingError(f"{path}: `scores` and `indices` are not of one shape")
    size = int(named["size"])
    if scores.ndim not in (2, 3) or scores.shape[-1] != size or not scores.numel():
        raise SingError(f"{path}: scores {tuple(scores.shape)}, but the name says {size} concepts a vector")
    whole = scores.shape[0] == heads if scores.ndim == 3 else scores.shape[0] % heads == 0
    if not whole:
        raise SingError(f"{path}: scores {tuple(scores.shape)} do not divide into the {heads} heads of this tower")
    scores = scores.double().reshape(heads, -1, size)
    if not scores.isfinite().all() or (scores < 0).any():
        raise SingError(f"{path}: a score is negative or not finite")
    if indices.is_floating_point() or (indices < 0).any():
        raise SingError(f"{path}: an index is negative or no whole number")
    method, _, weight = (
        named["method"].partition("-") if named["method"].startswith("comp") else (named["method"], "", "0")
    )
    return OfficialLayer(
        path,
        int(named["layer"]),
        named["side"],
        named["fold"] == "foldln",
        named["dictionary"],
        _SPELLINGS.get(method, method),
        float(weight),
        size,
        indices.long().reshape(heads, -1, size),
        scores,
    )


def together(layers: Sequence[OfficialLayer]) -> list[OfficialLayer]:
    """Return layers of one tower in their order.

    Raises:
        SingError: They were made differently, or a layer is there twice.
    """
    first = layers[0]
    for part in ("side", "folded", "dictionary", "method", "coherence", "size"):
        for other in layers[1:]:
            if getattr(other, part) != getattr(first, part):
                raise SingError(
                    f"{first.path.name} and {other.path.name} differ in {part} ({getattr(first, part)} and "
                    f"{getattr(other, part)}): take over one kind at a time"
                )
    ordered = sorted(layers, key=lambda layer: layer.layer)
    for one, other in pairwise(ordered):
        if one.layer == other.layer:
            raise SingError(f"{one.path} and {other.path} are of the same layer")
    return ordered


def dictionary_lines(path: Path, rows: int | None) -> list[str]:
    """Return the concepts of the authors' dictionary, one for each row of its embeddings.

    Their code counts lines in two ways: by newlines, and by everything that Python calls a line end, such as U+2028. The number
    of rows tells which was used; without it, the second, which their `encode_dictionary.py` uses.

    Args:
        path: The text file.
        rows: Number of rows of the embeddings; None if it is not known.

    Raises:
        SingError: The file cannot be read, or has another number of lines.
    """
    text = read_text(path, f"--words {path}")
    by_newline = text.split("\n")[: -1 if text.endswith("\n") else None]
    by_python = text.splitlines()
    for lines in (by_python, by_newline):
        if rows is None or len(lines) == rows:
            return [line.strip() for line in lines]
    raise SingError(f"--words {path}: {len(by_python):,} lines, but its embeddings have {rows:,} rows")


def read_dictionary(path: Path) -> Tensor:
    """Read the authors' embeddings of a dictionary, (concept, clip), float32.

    Raises:
        SingError: The file cannot be read or holds something else.
    """
    content = _loaded(path)
    if not isinstance(content, Tensor) or content.ndim != 2 or not content.is_floating_point():
        raise SingError(f"--embeddings {path}: wanted one matrix of numbers, a row for each concept")
    return content.float()


def _loaded(path: Path) -> Any:
    try:
        content = load_tensors(path)
        check_tensors(content if isinstance(content, dict) else {"": content})
        return content
    except Exception as error:  # the format's reader raises many types
        raise SingError(f"{path}: cannot be read as .pt of weights only: {one_line(error)[:150]}") from error
