"""Vectors of texts that a results file does not hold: from the very CLIP that it was made with, or from stored embeddings."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.concepts.stored_embeddings import StoredEmbeddings
from sing_compute.datafiles import data_path
from sing_compute.errors import ConceptsError, SingError
from sing_compute.process.progress import Progress
from sing_compute.store import Store
from sing_compute.store.text import clean


def text_vectors(
    store: Store,
    keys: Sequence[str],
    prompts: Sequence[str],
    progress: Progress,
    *,
    clip: str | None = None,
    embeddings: Path | None = None,
) -> Float[Tensor, "text clip"]:
    """Unit vectors of new texts in the CLIP space of a file.

    Args:
        store: The file.
        keys: What the texts are called in a file of stored embeddings.
        prompts: The texts as a CLIP network reads them.
        progress: Where to say that a network is loaded.
        clip: Where the file's CLIP lies, if not where its run had it: `local-dir:FOLDER` or `ARCH/FILE`.
        embeddings: Stored text embeddings instead.

    Raises:
        SingError: The CLIP cannot be found, is another one, or the texts are not among the stored embeddings.
    """
    facts = {name: clean(str(value)) for name, value in store.attributes("clip").items()}
    if clip and embeddings:
        raise SingError("--clip and --embeddings exclude each other: two CLIP spaces never mix")
    if embeddings:
        return _stored(store, keys, embeddings, facts.get("tag", ""))
    if facts.get("source") == "stored embeddings":
        raise SingError(
            f"{store.path} was made from stored embeddings: give those of {_listed(keys)} with --embeddings FILE.npz"
        )
    name = clip or _place(store, facts.get("tag", ""))
    progress.say(f"loading CLIP {name}")
    network = OpenClipSpace(name)
    if network.provenance["state_sha256"] != facts.get("state_sha256"):
        raise ConceptsError(f"{name} has other weights than the CLIP of {store.path} ({facts.get('tag', 'not named')})")
    return network.texts([[prompt] for prompt in prompts], device=torch.device("cpu"))


def _stored(store: Store, keys: Sequence[str], path: Path, tag: str) -> Tensor:
    stored = StoredEmbeddings.read(path)
    clip = store.dataset("clip/class_embeddings").shape[1]
    if stored.vectors.shape[1] != clip:
        raise ConceptsError(
            f"{path} has {stored.vectors.shape[1]} dimensions, {store.path} has {clip}: use its own CLIP"
        )
    if stored.tag and tag not in ("", "stored embeddings", stored.tag):
        raise ConceptsError(f"{path} comes from {stored.tag}, {store.path} from {tag}: use one CLIP for all")
    return stored.lookup(keys, "texts")


def _place(store: Store, tag: str) -> str:
    """The name by which this CLIP can be loaded here. Folders and files lie where a run of the file had them."""
    import open_clip

    architecture, _, pretrained = tag.partition("/")
    if tag.startswith("hf-hub:") or open_clip.get_pretrained_cfg(architecture, pretrained):
        return tag
    words = [word for model in store.models for word in _words(store, model)]
    if "--demo" in words:
        words.append(f"local-dir:{data_path('demo/clip')}")
    found = next((word for word in words if _shown(word) == tag and _exists(word)), None)
    if found is None:
        kind = "local-dir:FOLDER" if tag.startswith("local-dir:") else "ARCH/FILE"
        raise ConceptsError(
            f"{tag}, the CLIP of {store.path}, does not lie where its run had it: say where with --clip {kind}"
        )
    return found


def _words(store: Store, model: str) -> list[str]:
    """The words of the command that measured a model; of `--clip=NAME` the name."""
    try:
        words = shlex.split(clean(str(store.attributes(f"models/{model}").get("command", ""))))
    except ValueError:
        return []
    return [word.removeprefix("--clip=") for word in words]


def _shown(word: str) -> str:
    """The tag that a run records for this name of a CLIP."""
    kind, _, place = word.partition(":")
    if kind == "local-dir":
        return f"local-dir:{Path(place).resolve().name}"
    architecture, _, file = word.partition("/")
    return f"{architecture}/{Path(file).name}"


def _exists(word: str) -> bool:
    kind, _, place = word.partition(":")
    return Path(place).is_dir() if kind == "local-dir" else Path(word.partition("/")[2]).is_file()


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(repr(text) for text in texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
