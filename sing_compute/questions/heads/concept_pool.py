"""Choose the concepts that directions are named with: those of the results file, a list of words, or vocabularies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.atomic_write import write_failure
from sing_compute.concepts.encoded_texts import encoded_texts
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.concepts.vocabulary import merge_vocabularies, read_vocabulary
from sing_compute.concepts.word_list import read_words, texts_sha256
from sing_compute.errors import ConceptsError, SingError
from sing_compute.pipeline.clip_space import DEFAULT_VOCABULARY
from sing_compute.process.progress import Progress
from sing_compute.questions.text_vectors import load_clip
from sing_compute.sith.naming import Dictionary
from sing_compute.store import Store
from sing_compute.store.text import clean

MOST_SIZE = 200
"""Largest number of concepts of one mix."""
_MAPPED = 50_000_000
"""Numbers of a vocabulary from which on it is mapped into memory."""
_PART = 2**14


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
        if is_clip_of(store, space):
            return own_pool(store, progress)
        names, prompts = (tuple(map(str, store.array(f"concepts/{part}"))) for part in ("name", "prompt"))
        source = f"the concepts of {store.path}"
        return _encoded(space, names, prompts, f"{source}, in another CLIP", progress, device)
    vocabulary = merge_vocabularies([read_vocabulary(source) for source in vocabularies or (DEFAULT_VOCABULARY,)])
    if vocabulary.duplicates:
        progress.say(f"concepts: {len(vocabulary.duplicates):,} duplicates merged")
    source = f"vocabulary {', '.join(vocabularies or (DEFAULT_VOCABULARY,))}"
    return _encoded(space, vocabulary.names, vocabulary.prompts, source, progress, device)


def own_pool(store: Store, progress: Progress) -> ConceptPool:
    """Return the concepts of a results file with their stored embeddings; no CLIP is loaded.

    Args:
        store: The results file.
        progress: Is given a line about them.

    Raises:
        SingError: The file holds no concepts, or damaged embeddings.
    """
    if "concepts/name" not in store:
        raise SingError(f"{store.path} holds no concepts: it was made without an analysis")
    names, prompts = (tuple(map(str, store.array(f"concepts/{part}"))) for part in ("name", "prompt"))
    vectors = torch.from_numpy(store.array("clip/concept_embeddings"))
    if len(vectors) != len(names) or not vectors.isfinite().all():
        raise SingError(f"{store.path}: clip/concept_embeddings is damaged; --words or --vocabulary names others")
    source = f"the concepts of {store.path}"
    progress.say(f"named with {source}: {len(names):,}")
    return ConceptPool(names, vectors, source, texts_sha256(prompts))


def pool_of_file(
    store: Store, progress: Progress, *, words: Path | None, vocabularies: Sequence[str], clip: str | None
) -> ConceptPool:
    """Return the concepts of a results file with their stored embeddings, or others embedded by its CLIP.

    Args:
        store: The results file.
        progress: Is given a line about the concepts.
        words: A list of concepts.
        vocabularies: Built-in vocabularies or files, as `--concepts` of a run names them.
        clip: Where to find the file's CLIP; None: where its run had it.

    Raises:
        SingError: The file has no concepts, or its CLIP cannot be had.
    """
    if words is None and not vocabularies:
        if clip:
            raise SingError(
                "--clip is for --words or --vocabulary: the concepts of the file have stored embeddings, leave it out"
            )
        return own_pool(store, progress)
    if store.attributes("clip").get("source") == "stored embeddings":
        raise SingError(
            f"{store.path} was made from stored embeddings, so its CLIP is not known: leave out --words and --vocabulary, and "
            "its own concepts are used; sing-compute concepts --embeddings adds others"
        )
    space, cpu = load_clip(store, progress, clip=clip), torch.device("cpu")
    return concept_pool(space, progress, store=None, words=words, vocabularies=vocabularies, device=cpu)


def checked_sizes(sizes: Sequence[int]) -> list[int]:
    """Return numbers of concepts in ascending order, each once.

    Raises:
        SingError: There are none, or one is not from 1 to `MOST_SIZE`.
    """
    found = sorted(set(sizes))
    if not found or found[0] < 1 or found[-1] > MOST_SIZE:
        raise SingError(f"--sizes: numbers of concepts from 1 to {MOST_SIZE}, such as 5 or 5,10,20")
    return found


def read_sizes(text: str) -> list[int]:
    """Read numbers of concepts from a text such as `5,10,20`.

    Raises:
        SingError: A part of it is no number.
    """
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise SingError(f"--sizes {clean(text)!r}: write numbers of concepts, such as 5 or 5,10,20") from None


def dictionary_of(
    pool: ConceptPool,
    sizes: Sequence[int],
    size: int,
    progress: Progress,
    *,
    what: str,
    folder: Path | None = None,
    option: str = "--sizes",
) -> Dictionary:
    """Return the centred concepts, and refuse more picks than there are different ones.

    Args:
        pool: The concepts.
        sizes: Numbers of concepts K, ascending.
        size: Dimension of the space that is named.
        progress: Is given a line about concepts of the same direction.
        what: Noun for that space in messages.
        folder: Folder for a large vocabulary, which is mapped from a file; None keeps it in memory.
        option: Option that gave the sizes, for messages.

    Raises:
        ConceptsError: An embedding is not finite or of another size, or there are too few concepts.
    """
    if pool.embeddings.shape[1] != size:
        raise ConceptsError(f"{pool.source}: embeddings of {pool.embeddings.shape[1]} numbers, {what} has {size}")
    lengths = pool.embeddings.norm(dim=1)
    if not (lengths.isfinite() & (lengths > 0)).all():
        raise ConceptsError(f"{pool.source}: an embedding is zero or not finite")
    if sizes[-1] > len(pool.names):
        raise ConceptsError(f"{option} {sizes[-1]}: {pool.source} has only {len(pool.names):,} concepts")
    dictionary = _centred(pool.embeddings, folder)
    same = int((~dictionary.usable).sum())
    if len(pool.names) < 2 or not all(part.isfinite().all() for part in torch.split(dictionary.atoms, _PART)):
        raise ConceptsError(f"{pool.source}: names need at least two concepts that the CLIP tells apart")
    if same:
        progress.say(f"{same:,} concepts have the direction of an earlier one for this CLIP, and are not picked")
    if sizes[-1] > len(pool.names) - same:
        raise ConceptsError(
            f"{option} {sizes[-1]}: {pool.source} has only {len(pool.names) - same:,} different concepts"
        )
    return dictionary


def _centred(embeddings: Tensor, folder: Path | None) -> Dictionary:
    """Return centred concepts; those of a large vocabulary are mapped from a file, which goes when the process ends."""
    if folder is None or embeddings.numel() < _MAPPED:
        return Dictionary.of_texts(embeddings)
    file = folder / "concepts.tmp"
    try:
        return Dictionary.of_texts(embeddings, map_file=file)
    except OSError as error:
        raise SingError(write_failure(file, error)) from error
    finally:
        file.unlink(missing_ok=True)  # the map stays


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
