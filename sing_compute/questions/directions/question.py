"""The options of `sing-compute directions`, and what its results depend on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sing_compute import __version__
from sing_compute.directions.settings import Settings
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.questions.heads.concept_pool import ConceptPool
from sing_compute.sith.naming import Dictionary
from sing_compute.store import Store
from sing_compute.store.text import clean
from sing_compute.store.write import Attribute

AUTO = "auto"
_PLAN, _PLAN_VERSION = "directions", 1
"""Mark of the plan of a search in a work folder."""


@dataclass(frozen=True, slots=True)
class DirectionsQuestion:
    """The options of `sing-compute directions`."""

    model: str | None = None
    """None if the file holds one model."""
    count: int | None = None
    """Number of directions; None finds it."""
    maps: bool = False
    label: str | None = None
    """Class whose images are looked at: name, index or WordNet id; None for all."""
    sigmoid: bool = False
    restarts: int = 8
    seed: int = 0
    size: int = 5
    """Concepts of a name."""
    words: Path | None = None
    vocabularies: Sequence[str] = ()
    clip: str | None = None
    labels: Path | None = None
    """Table of known concepts of the images."""
    masks: Path | None = None
    """Folder of masks of known concepts."""
    step: float | None = None
    """Length of the paper's correction; None leaves it out."""
    rivals: bool = False
    """Other methods, too."""
    device: str = "cpu"
    fresh: bool = False
    command: str = ""


def plan_of(inputs: DirectionInputs, question: DirectionsQuestion, settings: Settings) -> dict[str, Any]:
    """Return everything that a search depends on, as values that JSON can hold.

    Args:
        inputs: Features and head.
        question: The options.
        settings: How directions are looked for.
    """
    head = inputs.head
    return {
        _PLAN: _PLAN_VERSION,
        "model": inputs.model,
        "features": _sha256(inputs.features.numpy(), inputs.pooled.numpy(), inputs.rows),
        "head": _sha256(head.weight.numpy(), head.bias.numpy()) + str(head.sigmoid),
        "count": question.count or AUTO,
        "seed": question.seed,
        "settings": _plain(asdict(settings)),
    }


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()}


def _sha256(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def facts_of(
    store: Store,
    question: DirectionsQuestion,
    settings: Settings,
    label: int | None,
    pool: ConceptPool | None,
    dictionary: Dictionary | None,
) -> dict[str, Attribute]:
    """Return what stored directions depend on, as attributes.

    Args:
        store: The results file.
        question: The options.
        settings: How directions were looked for.
        label: Class whose images were looked at; None for all.
        pool: The concepts of names; None without names.
        dictionary: The same as directions.
    """
    facts: dict[str, Attribute] = {
        "features": "spatial maps" if question.maps else "pooled features",
        "count": "chosen by the number that is found" if question.count is None else "given",
        "seed": question.seed,
        "sigmoid": question.sigmoid,
        "settings": ", ".join(f"{name}={value}" for name, value in _plain(asdict(settings)).items()),
        "version": __version__,
        "command": question.command,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if label is not None:
        facts["class"] = clean(str(store.class_names[label]))
    if pool is not None and dictionary is not None:
        facts |= {
            "pool": pool.source,
            "pool_sha256": pool.sha256,
            "pool_count": len(pool.names),
            "concepts": question.size,
        }
    return facts
