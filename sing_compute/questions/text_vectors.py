"""Compute vectors of new texts in the CLIP space of a results file, by the same CLIP or from stored embeddings."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.concepts.clip_folder import local_file
from sing_compute.concepts.open_clip_space import NamedByFile, OpenClipSpace
from sing_compute.concepts.stored_embeddings import StoredEmbeddings
from sing_compute.datafiles import data_path
from sing_compute.errors import ConceptsError, SingError, WeightsError
from sing_compute.fingerprints import tensors_sha256
from sing_compute.models.weights import read_state
from sing_compute.open_clip_import import import_open_clip
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
    """Return unit vectors of new texts in the CLIP space of a file, float32.

    Args:
        store: The file.
        keys: Keys of the texts in a file of stored embeddings.
        prompts: The texts as a CLIP network reads them.
        progress: Is given a line if a network is loaded.
        clip: Place of the file's CLIP, if it was moved after its run: `local-dir:FOLDER` or `ARCH/FILE`.
        embeddings: File of stored text embeddings, used instead of a CLIP network.

    Raises:
        SingError: The CLIP cannot be found or is another one, or the stored embeddings lack a text.
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
    network = load_clip(store, progress, clip=clip)
    return network.texts([[prompt] for prompt in prompts], device=torch.device("cpu"))


def load_clip(store: Store, progress: Progress, *, clip: str | None = None) -> OpenClipSpace:
    """Load the CLIP network of a file, on the CPU.

    Args:
        store: The file.
        progress: Is given a line about it.
        clip: Its place, as in `text_vectors`.

    Raises:
        SingError: It cannot be found or loaded, or it is another one.
    """
    facts = {name: clean(str(value)) for name, value in store.attributes("clip").items()}
    name = clip or clip_place(store, facts.get("tag", ""), facts.get("state_sha256", ""))
    progress.say(f"loading CLIP {name}")
    network = OpenClipSpace(name)
    if network.provenance["state_sha256"] != facts.get("state_sha256"):
        raise ConceptsError(f"{name} has other weights than the CLIP of {store.path} ({facts.get('tag', 'not named')})")
    activation = network.provenance["activation"]
    if facts.get("activation", activation) != activation:
        raise ConceptsError(
            f"{name} has the activation {activation}, the CLIP of {store.path} {facts['activation']}; name it as its run did"
        )
    return network


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


def clip_place(store: Store, tag: str, fingerprint: str) -> NamedByFile:
    """Return the name by which the CLIP of a file can be loaded here, if the user does not name it.

    A file may come from a stranger. So a tag of open_clip's own list is loaded from the cache alone. A folder or file of
    weights, which is searched where a run of the file, or the naming of one of its towers, had it, counts only if its tensors
    have the fingerprint that the file states; this is checked before anything is loaded. A repository of the hub never counts.

    Args:
        store: The file.
        tag: The CLIP, as the file records it.
        fingerprint: SHA-256 of its weights, as the file records it.

    Raises:
        ConceptsError: It is not where a run had it, is another one, or the user must name it.
    """
    open_clip = import_open_clip()

    architecture, _, pretrained = tag.partition("/")
    if tag.startswith("hf-hub:"):
        raise ConceptsError(f"{store.path} names a repository of a hub as its CLIP; to load it: --clip {tag}")
    if open_clip.get_pretrained_cfg(architecture, pretrained):
        return NamedByFile(tag)
    groups = [f"models/{model}" for model in store.models] + [f"towers/{tower}" for tower in store.members("tower")]
    names = [name for group in groups for name in _arguments(store, group)]
    own = f"local-dir:{data_path('demo/clip')}"
    if "--demo" in names:
        names.append(own)
    found = next((name for name in names if _tag(name) == tag and _exists(name)), None)
    if found is None:
        kind = "local-dir:FOLDER" if tag.startswith("local-dir:") else "ARCH/FILE"
        raise ConceptsError(
            f"{tag}, the CLIP of {store.path}, is not where its run had it: name its place with --clip {kind}"
        )
    if found != own and fingerprint not in _fingerprints(found):
        raise ConceptsError(
            f"{store.path} names {found} as its CLIP, whose stored weights do not have the file's fingerprint; if it is the "
            f"right one: --clip {found}"
        )
    return NamedByFile(found)


def _fingerprints(name: str) -> set[str]:
    """Return the fingerprints that a CLIP in a folder or file can have once it is loaded; none if its weights cannot be read."""
    file = local_file(name)
    if file is None:
        return set()
    try:
        tensors = {name.removeprefix("module."): tensor for name, tensor in read_state(file, option="--clip").items()}
    except WeightsError:
        return set()
    single = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
    return {tensors_sha256(tensors), tensors_sha256(single)}


def _arguments(store: Store, group: str) -> list[str]:
    """Return the arguments of the command that wrote a group, such as a model; of `--clip=NAME` the name."""
    try:
        arguments = shlex.split(clean(str(store.attributes(group).get("command", ""))))
    except ValueError:
        return []
    return [argument.removeprefix("--clip=") for argument in arguments]


def _tag(name: str) -> str:
    """Return the tag that a run records for this name of a CLIP."""
    kind, _, place = name.partition(":")
    if kind == "local-dir":
        return f"local-dir:{Path(place).resolve().name}"
    architecture, _, file = name.partition("/")
    return f"{architecture}/{Path(file).name}"


def _exists(name: str) -> bool:
    kind, _, place = name.partition(":")
    if kind == "local-dir":
        return Path(place).is_dir()
    file = name.partition("/")[2]
    return Path(file).is_file() or Path(file.rpartition("@")[0]).is_file()


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(repr(text) for text in texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")
