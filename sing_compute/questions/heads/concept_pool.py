"""Choose the concepts that heads are named with: those of the results file, a list of words, or vocabularies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.concepts.encoded_texts import encoded_texts
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.concepts.vocabulary import merge_vocabularies, read_vocabulary
from sing_compute.concepts.word_list import read_words, texts_sha256
from sing_compute.errors import SingError
from sing_compute.pipeline.clip_space import DEFAULT_VOCABULARY
from sing_compute.process.progress import Progress
from sing_compute.store import Store
from sing_compute.store.text import clean


@dataclass(frozen=True, slots=True)
class ConceptPool:
    """Concepts with their embeddings in one CLIP space."""

    names: Sequence[str]
    embeddings: Float[Tensor, "concept clip"]
    source: str
    """Where they come from, in words."""
    sha256: str
    """SHA-256 of the texts that the CLIP read, in their order."""


def concept_pool(
    space: OpenClipSpace,
    progress: Progress,
    *,
    store: Store | None,
    words: Path | None,
    vocabularies: Sequence[str],
    device: torch.device,
) -> ConceptPool:
    """Return the concepts that a user asks for; else those of the results file; else the built-in vocabulary.

    Args:
        space: The CLIP whose tower is named.
        progress: Is given a line about the concepts and about lines that were left out.
        store: The results file; None if there is none. Its embeddings are used if its CLIP is the same.
        words: A list of concepts.
        vocabularies: Built-in vocabularies or files, as `--concepts` of a run names them.
        device: Device of the CLIP.

    Raises:
        SingError: Both a list and vocabularies are given, or they cannot be read.
    """
    if words is not None and vocabularies:
        raise SingError("--words and --vocabulary exclude each other: give one list of concepts")
    if words is not None:
        found = read_words(words)
        if found.left_out:
            progress.say(f"{words}: left out {found.left_out}")
        return _encoded(space, found.words, found.words, str(words), progress, device)
    if not vocabularies and store is not None and "concepts/name" in store:
        names, prompts = (tuple(map(str, store.array(f"concepts/{part}"))) for part in ("name", "prompt"))
        source = f"the concepts of {store.path}"
        if is_clip_of(store, space):
            vectors = torch.from_numpy(store.array("clip/concept_embeddings"))
            if len(vectors) != len(names) or not vectors.isfinite().all():
                raise SingError(
                    f"{store.path}: clip/concept_embeddings is damaged; --words or --vocabulary names others"
                )
            progress.say(f"named with {source}: {len(names):,}")
            return ConceptPool(names, vectors, source, texts_sha256(prompts))
        return _encoded(space, names, prompts, f"{source}, in another CLIP", progress, device)
    vocabulary = merge_vocabularies([read_vocabulary(source) for source in vocabularies or (DEFAULT_VOCABULARY,)])
    if vocabulary.duplicates:
        progress.say(f"concepts: {len(vocabulary.duplicates):,} duplicates merged")
    source = f"vocabulary {', '.join(vocabularies or (DEFAULT_VOCABULARY,))}"
    return _encoded(space, vocabulary.names, vocabulary.prompts, source, progress, device)


def is_clip_of(store: Store, space: OpenClipSpace) -> bool:
    """Return True if the embeddings of a file are those of this CLIP: the same weights and activation."""
    facts, own = store.attributes("clip"), space.provenance
    return (
        facts.get("state_sha256") == own["state_sha256"]
        and facts.get("activation", own["activation"]) == (own["activation"])
    )


def _encoded(
    space: OpenClipSpace,
    names: Sequence[str],
    prompts: Sequence[str],
    source: str,
    progress: Progress,
    device: torch.device,
) -> ConceptPool:
    progress.say(f"named with {clean(source)}: {len(names):,}")
    with progress.task("concepts", len(prompts)) as advance:
        vectors = encoded_texts(space, prompts, device=device, advance=advance)
    return ConceptPool(names, vectors, clean(source), texts_sha256(prompts))
