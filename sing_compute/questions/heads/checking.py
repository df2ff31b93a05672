"""Check the names of attention heads: set each singular vector to zero, and measure on images if it does what its name says."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from sing_compute import __version__
from sing_compute.concepts.encoded_texts import encoded_texts
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ConceptsError, ImagesError, SingError
from sing_compute.extraction.shard_file import Shard
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.class_labels import listed
from sing_compute.images.image_sources import list_images
from sing_compute.images.image_stamps import stamps_sha256
from sing_compute.images.listing import ImageList
from sing_compute.pipeline.devices import usable_device
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.attribute_labels import RULES, STAND_IN, labelled_or_similar, owners_of, true_texts
from sing_compute.questions.heads.attribute_texts import Attributes, read_attributes
from sing_compute.questions.heads.cause_sink import Checked, put_causes
from sing_compute.questions.heads.naming import chosen_layers
from sing_compute.questions.heads.probes import Probes, sampled_rows
from sing_compute.questions.heads.stored_tower import chosen_tower, need_folded, tower_clip, tower_place
from sing_compute.sith.causes import DRAWS, LayerCauses, TextGroups, draws_of, layer_causes
from sing_compute.sith.towers import read_tower
from sing_compute.store import Store, replace_store
from sing_compute.store.text import clean
from sing_compute.store.write import Attribute

SAMPLE = 256
"""Images to check on, unless a user wants another number."""
_PLAN, _PLAN_VERSION = "heads check", 1
"""Mark of the plan of a check in a work folder."""


@dataclass(frozen=True, slots=True)
class CheckQuestion:
    """The options of `sing-compute heads check`."""

    images: Path
    tower: str | None = None
    """Name of the tower; None if the file holds one."""
    clip: str | None = None
    texts: Path | None = None
    """File of attributes; None for the kinds of the file's concepts, its classes, or the folders."""
    labels: Sequence[str] = ()
    """Label files, as `ATTRIBUTE=FILE`."""
    layers: str | None = None
    """None for all that have names."""
    vectors: int | None = None
    """Vectors of each head to check, the largest singular values first; None for all."""
    sample: int = SAMPLE
    """Most images to check on."""
    device: str = "cpu"
    fresh: bool = False
    """Delete unfinished work of another command."""
    command: str = ""


def check_heads(path: Path, question: CheckQuestion, progress: Progress) -> str:
    """Check the names of a tower, and write what its vectors do into the results file, which is replaced in one step.

    Killed work goes on behind the last finished layer. An earlier check of the tower is replaced.

    Args:
        path: The results file.
        question: What is asked for.
        progress: Is given lines about what is used, and how far the work is.

    Returns:
        Name of the tower.

    Raises:
        SingError: A mistake of the user; the file is unchanged.
    """
    Store(path).close()  # fails here if there is no such file, before a work folder is made
    with Interruption(progress.say) as interruption:
        work, finished = WorkFolder(path, fresh=question.fresh, stop=interruption.check, warn=progress.warn), False
        try:
            if any(work.folder.glob("*.probe")):
                raise SingError(f"{work.folder} holds unfinished work for {path}: finish that run first")
            with Store(path) as store, ExitStack() as stack:
                stack.enter_context(progress.record(work.progress_file, "sing-compute heads check"))
                name = _check(path, store, work, question, progress)
                finished = True
                return name
        finally:
            work.release(finished=finished)


def _check(path: Path, store: Store, work: WorkFolder, question: CheckQuestion, progress: Progress) -> str:
    name = chosen_tower(store, question.tower)
    need_folded(store, name)
    if store.attributes(f"towers/{name}").get("vectors") == "left":
        raise SingError(f"the tower {name!r} says what heads read: check the one that says what they write")
    numbers = _wanted_layers(store, name, question)
    images = list_images(question.images)
    for note in images.notes:
        progress.say(note)
    attributes = read_attributes(store, question.texts, images, progress)
    truth, sources = true_texts(images, attributes, question.labels)
    for source in dict.fromkeys(sources):
        own = [name for name, other in zip(attributes.names, sources, strict=True) if other == source]
        what = "no labels, so the text that the unedited network finds most similar" if source == STAND_IN else source
        progress.say(f"true texts of {clean(listed(own))}: {what}")
    rows = sampled_rows(images, question.sample)
    images, truth = images.take(rows), truth[rows]
    space = tower_clip(store, name, tower_place(store, name, question.clip), progress)
    device = usable_device(question.device, 0)
    space.to(device)
    texts = encoded_texts(space, [attributes.prompts[text] for text in attributes.texts], device=device)
    words = [str(word) for word in store.array(f"towers/{name}/words/name")]
    owners, rules = owners_of(words, attributes, texts, lambda some: _concepts(store, space, some, device))
    counts = [f"{rules.count(rule):,} by {text}" for rule, text in RULES.items() if rule in rules]
    progress.say(f"{len(words):,} concepts belong to an attribute: {', '.join(counts)}")
    probes = Probes(images, space, device, progress, work)
    embeddings = probes.embed()
    groups = TextGroups(texts, torch.tensor(attributes.owners))
    true = labelled_or_similar(truth[probes.rows], groups.most_similar(embeddings))
    spread = groups.margins(embeddings, true).double().std(0)
    flat = [attribute for attribute, value in zip(attributes.names, spread.tolist(), strict=True) if not value > 0]
    if flat:
        raise ImagesError(
            f"--images {question.images}: all images have the same margin in {clean(flat[0])}; give others"
        )
    keys = [images.keys[row] for row in probes.rows]
    plan = _plan(store, name, question, attributes, images, probes.rows, true, numbers)
    layers = _layers(store, name, work, plan, probes, groups.to(device), true, spread, numbers, question.vectors)
    checked = Checked(attributes, sources, spread, owners, rules, keys, layers)
    with replace_store(path, scratch=work.folder) as writer:
        writer.copy(store, leave_out=[f"towers/{name}/causes"])
        put_causes(writer, store, name, checked)
        facts: dict[str, Attribute] = {
            "images": clean(str(question.images)),
            "skipped": len(images) - len(keys),
            "texts": attributes.source,
            "version": __version__,
            "command": question.command,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        writer.annotate(f"towers/{name}/causes", facts)
    return name


def _wanted_layers(store: Store, tower: str, question: CheckQuestion) -> list[int]:
    """Return the numbers of the layers to check, and refuse other options that cannot be meant."""
    least = {"--vectors": (question.vectors, 1), "--sample": (question.sample, 2)}
    for option, (value, smallest) in least.items():
        if value is not None and value < smallest:
            raise SingError(f"{option} {value}: a number of at least {smallest}")
    named = [int(number) for number in store.array(f"towers/{tower}/layers/number")]
    if question.layers is None:
        return named
    wanted = chosen_layers(question.layers, int(store.scalars(f"towers/{tower}/summary")["blocks"]))
    absent = [str(number) for number in wanted if number not in named]
    if absent:
        raise SingError(
            f"--layers {clean(question.layers)}: the tower {tower!r} has no names for layer {', '.join(absent)}; it has those of "
            f"{', '.join(map(str, named))}"
        )
    return wanted


def _layers(
    store: Store,
    tower: str,
    work: WorkFolder,
    plan: dict[str, Any],
    probes: Probes,
    groups: TextGroups,
    truth: Int64[Tensor, "image attribute"],
    spread: Float[Tensor, " attribute"],
    numbers: Sequence[int],
    most: int | None,
) -> dict[int, LayerCauses]:
    """Return what the vectors of each wanted layer do, by position in the file; finished ones are read from the work folder."""
    done = work.adopt_plan(plan)
    if done:
        probes.progress.say(f"going on: {done} of {len(numbers)} layers are done")
    visual = probes.space.visual
    read = read_tower(visual).layers
    named = [int(number) for number in store.array(f"towers/{tower}/layers/number")]
    count = store.array(f"towers/{tower}/vectors/value").shape[2]
    ranks = torch.from_numpy(store.array(f"towers/{tower}/vectors/rank"))
    found = {}
    for position, number in enumerate(numbers):
        place = named.index(number)
        chosen = torch.arange(count) < ranks[place].clamp(max=most or count)[:, None]
        total = len(truth) * (int(chosen.sum()) + draws_of(chosen))
        if not work.has(position):
            with probes.progress.task(f"layer {number}", total) as advance:

                def go_on(passes: int, advance: Any = advance) -> None:
                    advance(passes)
                    work.leave_if_asked()

                causes = layer_causes(
                    visual, number, read[number], chosen, probes.tensors(), groups, truth, spread, first=probes.first,
                    advance=go_on,
                )  # fmt: skip
            tensors = {name: getattr(causes, name) for name in _PARTS}
            work.write(position, Shard(torch.tensor([number]), tensors, []))
        found[place] = LayerCauses(**work.read(position, *_PARTS).tensors)
    return found


_PARTS = tuple(field.name for field in fields(LayerCauses))


def _plan(
    store: Store,
    tower: str,
    question: CheckQuestion,
    attributes: Attributes,
    images: ImageList,
    rows: Sequence[int],
    truth: Int64[Tensor, "image attribute"],
    numbers: Sequence[int],
) -> dict[str, Any]:
    """Return everything that the effects depend on."""
    facts = store.attributes(f"towers/{tower}")
    return {
        _PLAN: _PLAN_VERSION,
        "tower": [
            tower,
            str(facts.get("clip_state_sha256", "")),
            _sha256(repr(store.array(f"towers/{tower}/vectors/rank").tolist())),
        ],
        "images": [
            images.place,
            _sha256("\n".join(images.keys[row] for row in rows)),
            stamps_sha256(images.take(rows)),
        ],
        "texts": _sha256(repr([[name, *texts] for name, texts in attributes.groups.items()] + [attributes.prompts])),
        "labels": _sha256(repr(truth.tolist())),
        "layers": list(numbers),
        "vectors": question.vectors,
        "random directions": DRAWS,
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _concepts(store: Store, space: OpenClipSpace, words: Sequence[str], device: torch.device) -> Tensor:
    """Return embeddings of concepts: of their prompts, where the file has them, else of the words themselves."""
    prompts: dict[str, str] = {}
    if "concepts/name" in store and "concepts/prompt" in store:
        prompts = dict(
            zip(map(str, store.array("concepts/name")), map(str, store.array("concepts/prompt")), strict=False)
        )
    found = encoded_texts(space, [prompts.get(word, word) for word in words], device=device)
    if not found.isfinite().all():
        raise ConceptsError("the text tower gives embeddings that are not finite")
    return found
