"""Scale singular values of a named tower, and write the CLIP with them as a folder that open_clip loads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from sing_compute import __version__
from sing_compute.concepts.clip_folder import check_place, note_of, stored_tensors, with_changes, write_clip
from sing_compute.concepts.encoded_texts import encoded_texts
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError, TowerError
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.choosing import (
    JUDGED,
    SHARE,
    chosen_factors,
    judged_factors,
    listed_words,
    task_factors,
)
from sing_compute.questions.heads.named_vectors import NamedVectors, read_vectors
from sing_compute.questions.heads.stored_tower import tower_clip, tower_place
from sing_compute.sith.editing import scale_vectors
from sing_compute.store import Store
from sing_compute.store.text import clean

STAND_IN = "--task goes by the similarity of texts in this CLIP, which stands in for the language model of the paper"


@dataclass(frozen=True, slots=True)
class EditQuestion:
    """The options of `sing-compute heads edit`."""

    tower: str | None = None
    clip: str | None = None
    layers: str | None = None
    size: int | None = None
    suppress: Sequence[str] = ()
    amplify: Sequence[str] = ()
    share: float = SHARE
    task: str | None = None
    scores: Path | None = None
    rule: Sequence[float] | None = None
    """Factors of the judgements 1 to 5."""
    fresh: bool = False
    command: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Factors of the singular values of some layers."""

    layers: Sequence[int]
    factors: Float[np.ndarray, "layer head vector"]
    real: Bool[np.ndarray, "layer head vector"]
    """True for vectors above rounding."""

    def text(self) -> str:
        """Return a line for each layer: how many of its vectors were changed, and how."""
        lines = []
        for number, factors, real in zip(self.layers, self.factors, self.real, strict=True):
            changed = factors[factors != 1]
            line = f"layer {number}: {len(changed):,} of {int(real.sum()):,} vectors changed"
            if len(changed):
                low, high = changed.min(), changed.max()
                line += f", factor {low:.4g}" if low == high else f", factors {low:.4g} to {high:.4g}"
            lines.append(line)
        total = int((self.factors != 1).sum())
        return "\n".join([*lines, f"{total:,} of {int(self.real.sum()):,} vectors changed"])


def edit_heads(path: Path, out: Path, question: EditQuestion, progress: Progress) -> Edit:
    """Write a CLIP whose singular values are scaled as a user asks; the CLIP and the results file stay as they are.

    Args:
        path: A results file with a named tower.
        out: The folder to write.
        question: What is asked for.
        progress: Is given lines about what is used.

    Raises:
        SingError: A mistake of the user; nothing is written.
    """
    if out.resolve() == path.resolve():
        raise SingError(f"-o {out}: the edit would write over its input; name another folder")
    ways = [bool(question.suppress or question.amplify), question.task is not None, question.scores is not None]
    if sum(ways) != 1:
        given = "exclude each other" if sum(ways) else "are the ways to choose vectors"
        raise SingError(f"--suppress and --amplify, --task, and --scores {given}: give one of them")
    if question.rule is not None and question.scores is None:
        raise SingError("--rule is for --scores: it gives the factors of the judgements 1 to 5")
    with Store(path) as store:
        vectors = read_vectors(store, question.tower, question.layers, question.size)
        if question.suppress or question.amplify:
            factors = chosen_factors(
                vectors, question.suppress, question.amplify, share=question.share, say=progress.say
            )
        elif question.scores is not None:
            factors = judged_factors(vectors, question.scores, question.rule or JUDGED)
        place = tower_place(store, vectors.tower, question.clip)
        check_place(out, place, fresh=question.fresh)
        space = tower_clip(store, vectors.tower, place, progress)
        if question.task is not None:
            progress.warn(STAND_IN)
            factors = task_factors(vectors, _likeness(store, vectors, space, question.task))
    if (factors == 1).all() and not (question.suppress or question.amplify):
        raise SingError("every vector keeps the factor 1: nothing is written")
    tensors, metadata, of_file = stored_tensors(place, space)
    if not of_file:
        progress.say(f"{place}: its file has another layout, so all tensors are written as open_clip loads them")
    by_layer = dict(zip(vectors.layers, torch.from_numpy(factors), strict=True))
    try:
        scale_vectors(space.visual, by_layer)
    except TowerError as error:
        raise TowerError(f"{place}: {error}") from error
    edit = Edit(vectors.layers, factors, vectors.real)
    note = _note(edit, vectors.tower, space, question, note_of(place))
    write_clip(out, place, space, with_changes(tensors, space.network), metadata, note)
    return edit


def _likeness(store: Store, vectors: NamedVectors, space: OpenClipSpace, task: str) -> Float[np.ndarray, " word"]:
    """Return the largest cosine of each word of a tower to a word of the task, both as the CLIP reads them."""
    prompts: dict[str, str] = {}
    if "concepts/name" in store:
        names = [clean(str(name)) for name in store.array("concepts/name")]
        prompts = dict(zip(names, map(str, store.array("concepts/prompt")), strict=True))
    device = torch.device("cpu")
    words, about = (
        encoded_texts(space, [prompts.get(word, word) for word in texts], device=device)
        for texts in (vectors.words, listed_words(task, "--task"))
    )
    found: Float[np.ndarray, " word"] = (words.double() @ about.double().T).max(1).values.numpy()
    return found


def _note(
    edit: Edit, tower: str, space: OpenClipSpace, question: EditQuestion, earlier: dict[str, Any] | None
) -> dict[str, Any]:
    """Return what was changed, as the written weights record it."""
    changed = np.argwhere(edit.factors != 1).tolist()
    return {
        "program": "sing-compute heads edit",
        "version": __version__,
        "command": question.command,
        "source": space.provenance["tag"],
        "source_state_sha256": space.provenance["state_sha256"],
        "tower": tower,
        "layers": list(edit.layers),
        "changed": [
            [edit.layers[layer], head, vector, float(edit.factors[layer, head, vector])]
            for layer, head, vector in changed
        ],
        **({"earlier": earlier} if earlier else {}),
    }
