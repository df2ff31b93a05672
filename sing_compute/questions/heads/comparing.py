"""Compare the attention heads of two CLIPs: how B reweights and turns the vectors of A, and the rest in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError, TowerError
from sing_compute.pipeline.devices import usable_device
from sing_compute.process.progress import Progress
from sing_compute.questions.heads.clip_names import named_clip
from sing_compute.questions.heads.concept_pool import concept_pool, dictionary_of
from sing_compute.questions.heads.image_mean import ImageMean, image_mean, stored_mean
from sing_compute.questions.heads.naming import chosen_layers
from sing_compute.sith.comparing import HeadsChange, compare_layers, constant_change
from sing_compute.sith.naming import both_poles, name_directions
from sing_compute.sith.towers import Tower, read_tower
from sing_compute.store import Store
from sing_compute.store.text import clean

NEW_SHARE = 1e-6
"""Share of a head's squared change below which a direction of the rest is not named."""
_OF_HEADS = ("attn.out_proj.weight", "attn.out_proj.bias", "attn.proj.weight", "attn.proj.bias")
_BESIDE = ("ln_1.weight", "ln_1.bias", "norm1.weight", "norm1.bias", "ls_1.gamma", "ls1.gamma", "gamma_1")
_VALUES = ("attn.v_proj.weight", "attn.v_proj.bias", "attn.v_bias", "attn.head_scale")
_FUSED = ("attn.in_proj_weight", "attn.in_proj_bias", "attn.qkv.weight", "attn.qkv.bias")
"""Tensors whose last third makes the values; the others make queries and keys."""


@dataclass(frozen=True, slots=True)
class ComparisonQuestion:
    """The options of `sing-compute heads compare`."""

    words: Path | None = None
    vocabularies: Sequence[str] = ()
    mean: str | None = None
    images: Path | None = None
    layers: str = "all"
    size: int = 5
    new: int = 3
    """Directions of the rest of each head."""
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class LayerChange:
    """The heads of one layer in two towers."""

    number: int
    heads: HeadsChange
    constant: float
    """Relative change of what the layer adds wherever it attends."""


@dataclass(frozen=True, slots=True)
class NewDirection:
    """A direction that B writes and that no reweighting of A's vectors explains."""

    layer: int
    head: int
    number: int
    value: float
    """Its singular value in the rest."""
    share: float
    """Its square over that of the head's change."""
    words: tuple[str, str]
    """Both poles: concepts with their coefficients, the largest first."""
    cosine: tuple[float, float]


@dataclass(frozen=True, slots=True)
class TowerComparison:
    """Two towers."""

    layers: Sequence[LayerChange]
    new: Sequence[NewDirection]
    """The largest first."""
    others: Sequence[str]
    """Names of tensors that differ and that say nothing about what heads write."""


def compare_towers(a: str, b: str, question: ComparisonQuestion, progress: Progress) -> TowerComparison:
    """Compare the heads of two CLIPs of one architecture.

    Args:
        a: Name of the first CLIP, or a results file whose CLIP is meant; its concepts and image mean then name the rest.
        b: The second one, likewise.
        question: What is asked for.
        progress: Is given lines about what is used.

    Raises:
        SingError: A mistake of the user.
    """
    if question.new < 0 or question.size < 1:
        raise SingError(f"--new {question.new}, --size {question.size}: numbers of directions and of concepts")
    (a, file), (b, _) = named_clip(a), named_clip(b)
    first, tower = _loaded(a, progress)
    second, other = _loaded(b, progress)
    if len(tower.layers) != len(other.layers):
        raise TowerError(f"{a} has {len(tower.layers)} layers, {b} {len(other.layers)}: they cannot be compared")
    numbers = chosen_layers(question.layers, len(tower.layers))
    layers = []
    for number in numbers:
        pair = tower.layers[number], other.layers[number]
        try:
            layers.append(LayerChange(number, compare_layers(*pair, new=question.new), constant_change(*pair)))
        except TowerError as error:
            raise TowerError(f"layer {number} of {a} and {b}: {error}") from error
    new = _new_directions(first, tower, layers, file, question, progress)
    return TowerComparison(layers, new, _other_tensors(first.network, second.network))


def _loaded(name: str, progress: Progress) -> tuple[OpenClipSpace, Tower]:
    progress.say(f"loading CLIP {name}")
    space = OpenClipSpace(name)
    try:
        return space, read_tower(space.visual)
    except TowerError as error:
        raise TowerError(f"{name}: {error}") from error


def _new_directions(
    space: OpenClipSpace,
    tower: Tower,
    layers: Sequence[LayerChange],
    file: Path | None,
    question: ComparisonQuestion,
    progress: Progress,
) -> list[NewDirection]:
    """Name what reweighting does not explain. Without such a rest, neither concepts nor an image mean are asked for."""
    places, values, shares, directions = [], [], [], []
    for layer in layers:
        part = layer.heads.rest_values.square() / layer.heads.change.square()[:, None]
        for head, number in (part > NEW_SHARE).nonzero().tolist():
            places.append((layer.number, head, number))
            values.append(float(layer.heads.rest_values[head, number]))
            shares.append(float(part[head, number]))
            directions.append(layer.heads.rest_right[head, number])
    if not directions:
        return []
    device = usable_device(question.device, 0)
    space.to(device)
    store = Store(file) if file is not None else None
    try:
        given = question.mean
        if given is None and question.images is None and (store is None or stored_mean(store) is None):
            given = "none"
        size = tower.projection.shape[1]
        mean = image_mean(space, progress, size=size, store=store, given=given, images=question.images, device=device)
        pool = concept_pool(
            space, progress, store=store, words=question.words, vocabularies=question.vocabularies, device=device
        )
    finally:
        if store is not None:
            store.close()
    dictionary = dictionary_of(pool, [question.size], size, progress, what="the tower", option="--size")
    poles = both_poles(torch.stack(directions)[None])[0]
    names = name_directions(tower, poles.flatten(0, 1), mean.vector, dictionary, [question.size])
    weights, cosine = names.codes.coefficients[question.size], names.cosine[0].reshape(-1, 2)

    def words(row: int) -> str:
        order = weights[row].argsort(descending=True, stable=True).tolist()
        picks = [(pool.names[int(names.codes.picks[row, k])], float(weights[row, k])) for k in order]
        return ", ".join(f"{clean(name)} {weight:.2f}" for name, weight in picks if weight > 0)

    found = [
        NewDirection(
            *place, value, share, (words(2 * row), words(2 * row + 1)), (float(cosine[row, 0]), float(cosine[row, 1]))
        )
        for row, (place, value, share) in enumerate(zip(places, values, shares, strict=True))
    ]
    return sorted(found, key=lambda each: -each.value)


def _mean_of_tower(store: Store | None, space: OpenClipSpace, progress: Progress) -> ImageMean | None:
    """Return the image mean with which a tower of this CLIP was named; None if the file has no such tower."""
    if store is None:
        return None
    for name in store.members("tower"):
        facts = store.attributes(f"towers/{name}")
        vector = torch.from_numpy(store.array(f"towers/{name}/image/mean")).double()
        if facts.get("clip_state_sha256") == space.provenance["state_sha256"] and vector.any():
            mean = ImageMean(vector, f"that of the tower {name!r} of {store.path}")
            progress.say(f"image mean: {mean.source}")
            return mean
    return None


def _other_tensors(a: nn.Module, b: nn.Module) -> list[str]:
    """Return the names of tensors that differ and that neither make values nor write what heads give."""
    own, theirs = a.state_dict(), b.state_dict()
    return [name for name, tensor in own.items() if not _alike(name, tensor, theirs.get(name))]


def _alike(name: str, a: Tensor, b: Tensor | None) -> bool:
    if name.startswith("visual.") and name.endswith((*_OF_HEADS, *_BESIDE, *_VALUES)):
        return True
    if b is None or a.shape != b.shape:
        return False
    if name.startswith("visual.") and name.endswith(_FUSED):
        kept = 2 * len(a) // 3
        a, b = a[:kept], b[:kept]
    return torch.equal(a.cpu(), b.cpu())
