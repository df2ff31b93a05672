"""Run an image tower without one direction of what a head writes: only the layers from the edited one on run again."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from sing_compute.errors import TowerError
from sing_compute.linalg.angles import unit
from sing_compute.sith.attention import AttentionLayer
from sing_compute.sith.towers import attention_blocks, is_native

ROOM = {"cpu": 2**22, "cuda": 2**29}
"""Bytes of the largest tensor of a pass, roughly: it decides how many edited images run at once. A CPU's cache wants few."""
_HIDDEN = 4
"""Width of an MLP over that of the residual stream, in most transformers."""
_SAME = 1e-4
"""Largest difference of unit embeddings with and without the tokens that are not pooled."""


@dataclass(frozen=True, slots=True)
class Directions:
    """Unit directions of the residual stream, and the head that each belongs to."""

    head: Int64[Tensor, " direction"]
    vector: Float64[Tensor, "direction dim"]
    """Each within what its head can write."""


@dataclass(frozen=True, slots=True)
class LayerRun:
    """Input and output of one layer for some images, and how much of the output runs along each direction."""

    image: Tensor
    """One image, which the network needs to start with; what it gives is replaced."""
    stream: Float[Tensor, "image token dim"]
    """The residual stream before the layer."""
    written: Float[Tensor, "image token dim"]
    """Output of its attention, before a layer scale."""
    amount: Float[Tensor, "image token direction"]
    """Length of the head's output along each direction, without the part that is the same for all images (biases)."""
    embedding: Float[Tensor, "image clip"]
    """Unit embeddings of the unedited network."""
    first: bool
    """True if the tower pools its first token."""
    tokens: int
    """The first tokens whose output reaches the embedding: all of them, or one in the last layer of such a tower."""

    @property
    def pooled(self) -> Float[Tensor, "image direction"]:
        """The amounts at the token that is pooled; their mean over all tokens where the tower takes a mean."""
        return self.amount[:, 0] if self.first else self.amount.mean(1)

    @property
    def squares(self) -> Float64[Tensor, " direction"]:
        """Mean square of the amounts over images and the tokens that reach the embedding."""
        return self.amount[:, : self.tokens].double().square().mean((0, 1)).cpu()


@torch.inference_mode()
def run_layer(
    visual: nn.Module, number: int, layer: AttentionLayer, directions: Directions, images: Tensor, *, first: bool
) -> LayerRun:
    """Run images through a tower, and keep what one layer reads and writes.

    Args:
        visual: The image tower, on the device of the images.
        number: Number of the layer, from 0.
        layer: The same layer as `attention_layers` reads it.
        directions: The directions that are removed later.
        images: Transformed images (image, channel, height, width).
        first: True if the tower pools its first token (`pools_first_token`).
    """
    blocks = attention_blocks(visual)
    block: Any = blocks[number]
    seen: dict[str, Any] = {}

    def keep_stream(_: nn.Module, args: tuple[Any, ...]) -> None:
        seen["stream"] = args[0]

    def keep_call(_: nn.Module, args: tuple[Any, ...], keywords: dict[str, Any], output: Any) -> None:
        seen["call"], seen["written"] = (args, keywords), _tensor(output)

    with ExitStack() as stack:
        stack.callback(block.register_forward_pre_hook(keep_stream).remove)
        stack.callback(block.attn.register_forward_hook(keep_call, with_kwargs=True).remove)
        embedding = unit(_embedding(visual(images)))
    args, keywords = seen["call"]
    amounts = []
    for probe, count in _probes(block, layer, directions):
        with _replaced(block.attn, _out_name(block), probe):
            amounts.append(_tensor(block.attn(*args, **keywords))[..., :count])
    stream = seen["stream"]
    tokens = 1 if first and number == len(blocks) - 1 else stream.shape[1]
    return LayerRun(images[:1], stream, seen["written"], torch.cat(amounts, -1), embedding, first, tokens)


def without_each(
    visual: nn.Module, number: int, layer: AttentionLayer, directions: Directions, run: LayerRun
) -> Iterator[tuple[slice, Float[Tensor, "direction image clip"]]]:
    """Yield unit embeddings of the images without what a head writes along one direction, for some directions at once.

    This is the network with the singular value of a right singular vector set to 0 and its constant kept, as
    `editing.scale_vectors` does. With other amounts in `run` it is the network without so much along the direction. No weight
    changes: the attention of the layer is replaced for the time by its stored output.

    Args:
        visual: The image tower.
        number: Number of the layer.
        layer: The layer.
        directions: The directions.
        run: The images at this layer.

    Yields:
        Which directions, and the embeddings without each of them.
    """
    shortened = run.first and run.tokens > 1
    stream, written, amount = (part[:, : run.tokens] for part in (run.stream, run.written, run.amount))
    scale = torch.where(layer.layer_scale == 0, 1.0, layer.layer_scale)
    vectors = (directions.vector / scale).to(stream)
    images = len(stream)
    room = ROOM.get(stream.device.type, ROOM["cpu"])
    at_once = max(1, room // (4 * _HIDDEN * stream[0].numel() * images))
    for start in range(0, len(vectors), at_once):
        part = slice(start, min(start + at_once, len(vectors)))
        count = part.stop - part.start
        with torch.inference_mode(), _first_token_only(visual) if shortened else nullcontext():
            removed = amount[..., part].permute(2, 0, 1)[..., None] * vectors[part][:, None, None]
            edited = (written - removed).flatten(0, 1)
            repeated = stream.expand(count, *stream.shape).flatten(0, 1)
            found = _run_from(visual, number, run.image, repeated, edited)
        yield part, found.reshape(count, images, -1)


@torch.inference_mode()
def pools_first_token(visual: nn.Module, images: Tensor) -> bool:
    """Return True if the embedding depends on no other token of the last layer than the first, found by execution.

    Args:
        visual: The image tower.
        images: Some transformed images.
    """
    blocks = attention_blocks(visual)
    seen: dict[str, Tensor] = {}

    def keep(_: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        seen["stream"] = args[0]

    def keep_written(_: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        seen["written"] = _tensor(output)

    last: Any = blocks[-1]
    with ExitStack() as stack:
        stack.callback(last.register_forward_hook(keep).remove)
        stack.callback(last.attn.register_forward_hook(keep_written).remove)
        embedding = unit(_embedding(visual(images)))
    try:
        parts = seen["stream"][:, :1], seen["written"][:, :1]
        alone = _run_from(visual, len(blocks) - 1, images[:1], *parts)
    except (RuntimeError, IndexError):  # the tower needs its other tokens
        return False
    return alone.shape == embedding.shape and bool((alone - embedding).abs().max() < _SAME)


def check_restart(visual: nn.Module, number: int, layer: AttentionLayer, directions: Directions, run: LayerRun) -> None:
    """Run a tower from one layer on with nothing removed, and compare its embeddings with those of the whole tower.

    Args:
        visual: The image tower.
        number: Number of the layer.
        layer: The layer.
        directions: At least one direction.
        run: The images at this layer.

    Raises:
        TowerError: They differ: the tower does something else between its layers.
    """
    one = Directions(directions.head[:1], directions.vector[:1])
    still = replace(run, amount=torch.zeros_like(run.amount[..., :1]))
    for _, embeddings in without_each(visual, number, layer, one, still):
        difference = float((embeddings[0] - run.embedding).abs().max())
        if not difference < _SAME:
            raise TowerError(
                f"layer {number}: the tower cannot be run from this layer on alone (embeddings differ by {difference:.2g})"
            )


def _run_from(visual: nn.Module, number: int, image: Tensor, stream: Tensor, written: Tensor) -> Tensor:
    """Return unit embeddings for a residual stream before a layer and the output of its attention."""
    blocks = attention_blocks(visual)
    block: Any = blocks[number]

    def given(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (stream, *args[1:])

    with ExitStack() as stack:
        for earlier in blocks[:number]:
            stack.enter_context(_replaced(earlier, "forward", _unchanged))
        attention = block.attn
        several = isinstance(attention, nn.MultiheadAttention)
        stack.enter_context(_replaced(attention, "forward", lambda *_, **__: (written, None) if several else written))
        stack.callback(block.register_forward_pre_hook(given).remove)
        return unit(_embedding(visual(image)))


@contextmanager
def _first_token_only(visual: nn.Module) -> Iterator[None]:
    """Let the last layer compute nothing but its first token; all tokens are still attended to."""
    block: Any = attention_blocks(visual)[-1]
    attend, several = block.attn.forward, isinstance(block.attn, nn.MultiheadAttention)
    whole: list[Tensor] = []

    def shorten(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        whole[:] = [args[0]]
        return (args[0][:, :1], *args[1:])

    def attention(*_: Any, **keywords: Any) -> Any:
        normed = (block.ln_1 if is_native(block) else block.norm1)(whole.pop())
        if several:
            return attend(normed[:, :1], normed, normed, **keywords)
        return attend(normed, **keywords)[:, :1]

    with ExitStack() as stack:
        stack.callback(block.register_forward_pre_hook(shorten).remove)
        stack.enter_context(_replaced(block.attn, "forward", attention))
        yield


def _unchanged(stream: Tensor, *_: Any, **__: Any) -> Tensor:
    return stream


def _probes(block: Any, layer: AttentionLayer, directions: Directions) -> Iterator[tuple[nn.Linear, int]]:
    """Yield layers that stand in for the attention's output: each gives the amounts of as many directions as fit."""
    out = getattr(block.attn, _out_name(block))
    size, inner = out.weight.shape
    folded = layer.folded()
    heads, rank = folded.read_bias.shape
    write = layer.write[directions.head] @ directions.vector[..., None]  # (direction, rank, 1)
    weight = torch.zeros(len(write), heads, rank, dtype=torch.float64)
    weight[torch.arange(len(write)), directions.head] = write[..., 0]
    bias = -(weight * folded.read_bias).sum((1, 2))
    for start in range(0, len(weight), size):
        part = weight[start : start + size].reshape(-1, inner)
        probe = nn.Linear(inner, size).to(out.weight)
        probe.weight.zero_()
        probe.bias.zero_()
        probe.weight[: len(part)] = part.to(out.weight)
        probe.bias[: len(part)] = bias[start : start + size].to(out.weight)
        yield probe, len(part)


def _out_name(block: Any) -> str:
    return "out_proj" if is_native(block) else "proj"


def _tensor(output: Any) -> Tensor:
    """Return the output of an attention layer, which torch's own gives with its weights."""
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found


def _embedding(output: Any) -> Tensor:
    """Return the embedding of a tower, which some towers give with their tokens."""
    found: Tensor = output[0] if isinstance(output, tuple | list) else output
    return found


@contextmanager
def _replaced(module: nn.Module, name: str, value: Any) -> Iterator[None]:
    """Replace a submodule, or the function `forward` of a module, and put the old one back."""
    if name == "forward":
        module.forward = value
        try:
            yield
        finally:
            del module.forward
        return
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
