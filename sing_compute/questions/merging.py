"""Join results files of the same images, classes, concepts and CLIP into one."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.errors import SingError, StoreError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.compact_text import Categorical
from sing_compute.measuring.comparison import compare_models
from sing_compute.pipeline.clip_space import ClassTable
from sing_compute.pipeline.comparability import MeasuredImages, TextInputs, stored_figures
from sing_compute.pipeline.map_files import copy_map_file, remove_unused_map_files
from sing_compute.pipeline.output_file import output_file
from sing_compute.pipeline.store_sink import StoreSink
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.matches import fired_images, put_matches
from sing_compute.store import Store, replace_store
from sing_compute.store.copying import check_unknown_parts, comparison_paths, dependent_paths, dependents
from sing_compute.store.definitions.direction_fields import GROUP
from sing_compute.store.text import clean


@dataclass(frozen=True, slots=True)
class _Source:
    """Origin of one model of the new file, and its new name."""

    store: Store
    old: str
    new: str


def merge(
    files: Sequence[Path], output: Path, progress: Progress, *, renames: Sequence[str] = (), fresh: bool = False
) -> list[str]:
    """Join files: copy their models in order and everything else, bit for bit, and compare all models.

    Args:
        files: Two files or more; everything that models have in common is copied from the first.
        output: The new file.
        progress: Is given a line about what is left out, and about an interruption.
        renames: `OLD=NEW`. Of models that share the name OLD, the last ones are renamed, in the order of the files.
        fresh: Replace an existing file.

    Returns:
        The names of the models.

    Raises:
        SingError: The files differ in what models have in common, two models share a name, or the new file exists already.
    """
    if len(files) < 2:
        raise SingError("merge needs two results files or more")
    output = output_file(output)
    if output.exists() and not fresh:
        if output.with_name(f"{output.name}.work").is_dir():  # perhaps of a merge that was killed after its last step
            WorkFolder(output, fresh=False).release(finished=False)
        raise SingError(f"{output} exists; --fresh replaces it")
    with ExitStack() as stack, Interruption(progress.say) as interruption:
        stores = [stack.enter_context(Store(file)) for file in files]
        _check_common(stores)
        models = _unique_names(stores, renames)
        work = WorkFolder(output, fresh=False, stop=interruption.check)
        try:
            if any(work.folder.glob("*.safetensors")) or any(work.folder.glob("*.probe")):
                raise SingError(f"{work.folder} holds unfinished work for {output}: choose another -o")
            with replace_store(output, scratch=work.folder) as writer:
                for store in stores:
                    stale = dependent_paths(store, "models")
                    if stale:
                        progress.say(f"{store.path}: left out, because its models change: {dependents(stale)}")
                    writer.copy(store, leave_out=["models", *comparison_paths(), *stale])
                for position, model in enumerate(models):
                    work.leave_if_asked()
                    writer.copy_item(model.store, f"models/{model.old}", name=model.new)
                    writer.annotate(f"models/{model.new}", {"order": position})
                    copy_map_file(model.store, model.old, output)
                fired = {model.new: fired_images(model.store, model.old) for model in models}
                for name in fired:
                    writer.drop(f"{GROUP.format(model=name)}/matches")
                put_matches(writer, {name: each for name, each in fired.items() if each is not None})
                found = {model.new: stored_figures(model.store, model.old) for model in models}
                if scored := {name: figures for name, figures in found.items() if figures is not None}:
                    StoreSink(writer).comparison(compare_models(scored))
            remove_unused_map_files(output)
        finally:
            work.release(finished=False)
    return [model.new for model in models]


def _check_common(stores: Sequence[Store]) -> None:
    """Refuse files whose models could not be compared, or whose other parts cannot be joined."""
    check_unknown_parts(stores)
    with_images = [store for store in stores if "images/key" in store]
    for other in with_images[1:]:
        first = with_images[0]
        differing = _images(first).differing(other)
        if "concepts/name" in first and "concepts/name" in other:
            differing += _texts(first).differing(other)
        if differing:
            raise StoreError(
                f"{other.path} was made with other {', '.join(differing)} than {first.path}; models of one file must "
                "be comparable"
            )


def _texts(store: Store) -> TextInputs:
    """Read the classes and concepts of a file in the form that a run has them."""
    names, kinds, prompts = (tuple(map(str, store.array(f"concepts/{part}"))) for part in ("name", "kind", "prompt"))
    wnids = [str(wnid) for wnid in store.array("classes/wnid")] if "classes/wnid" in store else None
    return TextInputs(
        ClassTable([str(name) for name in store.class_names], wnids),
        [str(prompt) for prompt in store.array("classes/prompt")],
        Vocabulary(names, kinds, prompts),
        torch.from_numpy(store.array("clip/class_embeddings")),
        torch.from_numpy(store.array("clip/concept_embeddings")),
        {"tag": str(store.attributes("clip").get("tag"))},
    )


def _images(store: Store) -> MeasuredImages:
    """Read the images of a file in the form that a run has them."""
    groups = None
    if "images/group" in store:
        names = np.append(store.array("groups/name").astype(object), "")  # -1, no group, is the last
        indices = store.array("images/group")
        if len(indices) and not -1 <= indices.min() <= indices.max() < len(names) - 1:
            raise StoreError(f"{store.path}: images/group names groups that groups/name does not have")
        groups = Categorical.of(str(names[index]) for index in indices)
    keys = [str(key) for key in store.array("images/key")]
    fingerprint = str(store.attributes("images").get("fingerprint", ""))
    original = store.array("images/original") if "images/original" in store else np.arange(len(keys), dtype=np.int32)
    return MeasuredImages(
        keys, store.array("images/class"), groups, [], "", fingerprint, original=original, noun=store.noun
    )


def _unique_names(stores: Sequence[Store], renames: Sequence[str]) -> list[_Source]:
    """Return every model of every file, with a unique name."""
    found = [(store, name) for store in stores for name in store.models]
    counts = Counter(name for _, name in found)
    wanted: dict[str, list[str]] = {}
    for rename in renames:
        old, separator, new = rename.partition("=")
        if not separator or clean(new) != new or not 0 < len(new.encode()) < 256 or "/" in new or new in (".", ".."):
            raise SingError(f"--rename {clean(rename)!r}: write OLD=NEW; a name has 1 to 255 bytes and no /")
        wanted.setdefault(old, []).append(new)
        if len(wanted[old]) > counts[old]:
            there = f"only {counts[old]} models are" if counts[old] else "no model is"
            raise SingError(f"--rename {clean(rename)!r}: {there} named {clean(old)!r}")
    models: list[_Source] = []
    seen: Counter[str] = Counter()
    for store, name in found:
        seen[name] += 1
        turn = seen[name] - (counts[name] - len(wanted.get(name, [])))
        models.append(_Source(store, name, wanted[name][turn - 1] if turn > 0 else name))
    file_of_name: dict[str, Path] = {}
    for model in models:
        if model.new in file_of_name:
            raise SingError(
                f"{file_of_name[model.new]} and {model.store.path} both hold a model {model.new!r}: rename the later one with "
                f"--rename {model.old}=NEW"
            )
        file_of_name[model.new] = model.store.path
    return models
