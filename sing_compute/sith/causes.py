"""Measure what each singular vector of a head does to images: it is set to zero, and zero-shot margins of texts are compared."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor, nn

from sing_compute.linalg.angles import unit
from sing_compute.sith.attention import AttentionLayer, HeadVectors, decompose
from sing_compute.sith.removal import Directions, check_restart, run_layer, without_each

DRAWS = 8
"""Random directions of each head that its vectors are compared with."""
EXTREMES = 3
"""Images that are stored for either end of a vector."""
_SEED = 0


@dataclass(frozen=True, slots=True)
class TextGroups:
    """Attributes: groups of texts, of each of which one text is true of an image."""

    texts: Float[Tensor, "text clip"]
    """Unit embeddings, on the device of the embeddings that they are compared with."""
    owner: Int64[Tensor, " text"]
    """Attribute of each text, from 0."""

    @property
    def count(self) -> int:
        """Number of attributes."""
        return int(self.owner.max()) + 1

    def to(self, device: torch.device) -> "TextGroups":
        """Return the same groups on a device."""
        return TextGroups(self.texts.to(device), self.owner.to(device))

    def most_similar(self, embeddings: Float[Tensor, "image clip"]) -> Int64[Tensor, "image attribute"]:
        """Return the text of each attribute that is most similar to each image, by its position within the attribute."""
        similar = embeddings @ self.texts.T
        return torch.stack([similar[:, self.owner == group].argmax(1) for group in range(self.count)], 1)

    def margins(
        self, embeddings: Float[Tensor, "*edit image clip"], truth: Int64[Tensor, "image attribute"]
    ) -> Float[Tensor, "*edit image attribute"]:
        """Return the similarity of the true text minus that of the most similar other text of its attribute.

        Args:
            embeddings: Unit embeddings.
            truth: The true text of each attribute, by its position within the attribute.
        """
        similar = embeddings @ self.texts.T
        found = []
        for group in range(self.count):
            own = similar[..., self.owner == group]
            true = truth[:, group].expand(own.shape[:-1])[..., None]
            others = own.scatter(-1, true, -torch.inf).amax(-1)
            found.append(own.gather(-1, true)[..., 0] - others)
        return torch.stack(found, -1)


@dataclass(frozen=True, slots=True)
class LayerCauses:
    """Effects of a layer's vectors on images: the mean |change of margin| over the margin's standard deviation."""

    effect: Float64[Tensor, "head vector attribute"]
    """Effect of setting each singular value to zero; NaN where this was not done."""
    amount: Float64[Tensor, "head vector"]
    """How much the head writes along each vector: root mean square over images and the tokens that reach the embedding, without
    the part that is the same for all images; NaN likewise."""
    random_effect: Float64[Tensor, "head draw attribute"]
    """Effect of removing as much as along one of the head's vectors along a random direction of what the head can write."""
    random_amount: Float64[Tensor, "head draw"]
    """How much that is; NaN for draws that a head with few vectors does not need."""
    nearest: Int64[Tensor, "head vector extreme"]
    """Images on which the head writes most along the vector, the largest first; -1 where this was not measured."""
    farthest: Int64[Tensor, "head vector extreme"]
    """Images on which it writes most against the vector."""


def layer_causes(
    visual: nn.Module,
    number: int,
    layer: AttentionLayer,
    chosen: Bool[Tensor, "head vector"],
    batches: Iterable[Float[Tensor, "image channel height width"]],
    groups: TextGroups,
    truth: Int64[Tensor, "image attribute"],
    spread: Float64[Tensor, " attribute"],
    *,
    first: bool,
    draws: int = DRAWS,
    advance: Callable[[int], None] = lambda count: None,
) -> LayerCauses:
    """Set the singular values of a layer to zero, one at a time, and measure how far the margins of images move.

    Args:
        visual: The image tower. It is left as it was.
        number: Number of the layer, from 0.
        layer: The same layer as `attention_layers` reads it.
        chosen: Vectors to try, the first ones of each head.
        batches: Transformed images, on the device of the tower.
        groups: The attributes, on the same device.
        truth: The true text of each attribute for each image of all batches.
        spread: Standard deviation of the margin of each attribute over these images.
        first: True if the tower pools its first token (`pools_first_token`).
        draws: Number of random directions of each head.
        advance: Is called with the number of edited images that went through since its last call: each image once for each
            vector and for each random direction.

    Raises:
        TowerError: The tower cannot be run from this layer on alone.
    """
    vectors = decompose(layer.folded())
    tried, drawn, place = chosen.nonzero(), *_draws(chosen, draws)
    directions = Directions(tried[:, 0], vectors.right[chosen])
    everything = Directions(
        torch.cat([tried[:, 0], tried[drawn, 0]]),
        torch.cat([directions.vector, _random(vectors, tried[drawn, 0])]),
    )
    moved = torch.zeros(len(everything.head), groups.count, dtype=torch.float64)
    squares = torch.zeros(len(tried), dtype=torch.float64)
    pooled: list[Tensor] = []
    done = 0
    for images in batches:
        own = truth[done : done + len(images)].to(images.device)
        run = run_layer(visual, number, layer, directions, images, first=first)
        if not done:
            check_restart(visual, number, layer, directions, run)
        margins = groups.margins(run.embedding, own)
        pooled.append(run.pooled.double().cpu())
        squares += run.squares * len(images)
        whole = replace(run, amount=torch.cat([run.amount, run.amount[..., drawn.to(images.device)]], -1))
        for part, embeddings in without_each(visual, number, layer, everything, whole):
            change = groups.margins(embeddings, own) - margins
            moved[part] += change.abs().double().sum(1).cpu()
            advance(len(images) * len(embeddings))
        done += len(images)
    effects, amounts = moved / done / spread, (squares / done).sqrt()
    order = torch.cat(pooled).argsort(dim=0, stable=True, descending=True)
    return LayerCauses(
        _spread_out(effects[: len(tried)], chosen, torch.nan),
        _spread_out(amounts, chosen, torch.nan),
        _spread_out(effects[len(tried) :], place, torch.nan),
        _spread_out(amounts[drawn], place, torch.nan),
        _spread_out(_ends(order), chosen, -1.0),
        _spread_out(_ends(order.flip(0)), chosen, -1.0),
    )


def draws_of(chosen: Bool[Tensor, "head vector"], draws: int = DRAWS) -> int:
    """Return the number of random directions that are removed beside these vectors."""
    return len(_draws(chosen, draws)[0])


def _draws(
    chosen: Bool[Tensor, "head vector"], draws: int
) -> tuple[Int64[Tensor, " drawn"], Bool[Tensor, "head draw"]]:
    """Choose vectors of each head whose amounts random directions get: evenly spaced, from the strongest to the weakest.

    Returns:
        Positions among all chosen vectors, and which draws each head has.
    """
    counts = chosen.sum(1)
    starts = counts.cumsum(0) - counts
    found = []
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        own = min(draws, count)
        found += [start + round(k * (count - 1) / max(own - 1, 1)) for k in range(own)]
    return torch.tensor(found, dtype=torch.int64), torch.arange(draws) < counts[:, None]


def _random(vectors: HeadVectors, heads: Int64[Tensor, " drawn"]) -> Float64[Tensor, "drawn dim"]:
    """Return random unit directions of what heads can write, the same in every run."""
    rank = vectors.right.shape[1]
    generator = torch.Generator().manual_seed(_SEED)
    mixes = torch.randn(len(heads), rank, generator=generator, dtype=torch.float64)
    mixes = mixes * (torch.arange(rank) < vectors.ranks[heads, None])
    return unit((mixes[:, None] @ vectors.right[heads])[:, 0])


def _ends(order: Int64[Tensor, "image vector"]) -> Int64[Tensor, "vector extreme"]:
    found = torch.full((order.shape[1], EXTREMES), -1)
    found[:, : min(EXTREMES, len(order))] = order[:EXTREMES].T
    return found


def _spread_out(values: Tensor, places: Bool[Tensor, "head item"], filler: float) -> Tensor:
    """Put values at their places among all items of all heads."""
    full = torch.full((*places.shape, *values.shape[1:]), filler, dtype=values.dtype)
    full[places] = values
    return full
