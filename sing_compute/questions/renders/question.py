"""The options of `sing-compute render`, and what its pictures depend on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sing_compute import __version__
from sing_compute.atomic_write import refusal
from sing_compute.errors import SingError
from sing_compute.questions.stored_model import StoredModel
from sing_compute.rendering.decoders import Memory
from sing_compute.rendering.jpegs import QUALITY
from sing_compute.scores.steering import TABLE_ANGLE
from sing_compute.store import Store
from sing_compute.store.text import clean
from sing_compute.store.write import Attribute

OTHERS = ("centred", "random", "null", "principal", "counterfactual")
"""Kinds of embeddings that `--also` adds; `--steer` adds steered ones."""
_PLAN, _PLAN_VERSION = "render", 1


@dataclass(frozen=True, slots=True)
class RenderQuestion:
    """The options of `sing-compute render`."""

    model: str | None = None
    """None if the file holds one model."""
    images: Sequence[str] = ()
    """Keys or rows; none: the `top` by `by`."""
    label: str | None = None
    """Class whose images are chosen from; None for all."""
    top: int = 8
    by: str = "as"
    """`as` or `is`: largest |AS|, or largest IS."""
    limit: int = 100
    """Most images of one call."""
    also: Sequence[str] = ()
    """Some of `OTHERS`."""
    steer: str | None = None
    """Class, concept or text toward which images are steered."""
    angle: float = TABLE_ANGLE
    decoder: str | None = None
    from_images: Path | None = None
    """Folder of pictures that were decoded elsewhere."""
    export: Path | None = None
    photographs: Path | None = None
    """Folder of the images; None for that of the run."""
    steps: int | None = None
    seeds: int = 4
    batch: int = 8
    norm: float | None = None
    """Length of the embeddings that are decoded; None measures it."""
    memory: Memory = "normal"
    device: str = "auto"
    clip: str | None = None
    fresh: bool = False
    """Delete unfinished work of another command."""
    force: bool = False
    """Replace the file of `export`."""
    command: str = ""

    def check(self) -> None:
        """Refuse options that exclude each other, and an `export` that cannot be written, before any work.

        Raises:
            SingError: Two options do, and the message names them; or there is no folder for the file, or it must not be replaced.
        """
        sources = {"--decoder": self.decoder, "--from-images": self.from_images, "--export": self.export}
        given = [name for name, value in sources.items() if value is not None]
        if len(given) > 1:
            raise SingError(f"{' and '.join(given)} exclude each other: pictures come from one place")
        if self.images and self.label is not None:
            raise SingError(
                "--images and --class exclude each other: name images, or let the largest of a class be chosen"
            )
        if self.export is None:
            return
        if problem := refusal(self.export, force=self.force):
            raise SingError(problem)


def plan_of(
    model: StoredModel,
    question: RenderQuestion,
    keys: Sequence[str],
    kinds: Sequence[Sequence[str]],
    decoder: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything that pictures depend on, as values that JSON can hold.

    Args:
        model: The model.
        question: The options.
        keys: The images.
        kinds: Kinds of the embeddings of each.
        decoder: What is known of the decoder.
    """
    store, base = model.store, f"models/{model.name}/"
    digest = hashlib.sha256()
    for path in ("head/weight", "translator/fold_weight", "translator/fold_bias"):
        digest.update(np.ascontiguousarray(store.array(base + path)).data)
    return {
        _PLAN: _PLAN_VERSION,
        "model": model.name,
        "measured": digest.hexdigest(),
        "images": list(keys),
        "kinds": [list(each) for each in kinds],
        "steer": [question.steer, question.angle] if question.steer else None,
        "seeds": question.seeds,
        "norm": question.norm,
        "clip": str(store.attributes("clip").get("state_sha256", "")),
        "jpeg": QUALITY,
        "decoder": dict(decoder),
    }


def facts_of(question: RenderQuestion, source: str, found: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Return what stored pictures depend on, as attributes.

    Args:
        question: The options.
        source: Where the pictures come from.
        found: What is known of the decoder and the embeddings.
    """
    chosen = "named" if question.images else f"the {question.top} largest by {'|AS|' if question.by == 'as' else 'IS'}"
    if question.label is not None and not question.images:
        chosen += f" of the class {clean(question.label)}"
    facts: dict[str, Attribute] = {"source": source, "images": chosen, "jpeg_quality": QUALITY, **found}
    if question.steer is not None:
        facts |= {"steer": clean(question.steer), "steer_angle": question.angle}
    return facts | {
        "version": __version__,
        "command": question.command,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def the_model(store: Store, wanted: str | None) -> str:
    """Return the model that is meant: the named one, or the only one.

    Raises:
        SingError: There are several, or none.
    """
    if wanted is not None:
        return store.model(wanted)
    if len(store.models) == 1:
        return store.models[0]
    if not store.models:
        raise SingError(f"{store.path} holds no classifiers, so there are no features to draw")
    names = ", ".join(map(clean, store.models))
    raise SingError(f"{store.path} holds {len(store.models)} models: name one with --model: {names}")
