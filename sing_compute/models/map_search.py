"""Find the last spatial map or token sequence before the pooling of a network, by running it."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from sing_compute.errors import HeadError
from sing_compute.models.head import average_positions
from sing_compute.models.spatial_map import SpatialMap, noise_like

NEAR = 1e-3
"""Largest difference of two sets of features that count as equal, over their largest value: far above float32 noise."""
TRIED = 32
"""Most candidates that are tried, the last executed first."""
MOST_PREFIX = 16
"""Most tokens of a sequence before its grid: a class token and registers."""
MEAN, MAXIMUM, CLASS_TOKEN, PATCH_MEAN = "mean", "maximum", "class token", "mean patch token"
CLASS_AND_PATCH, FLATTENED, BY_HEAD = "class token and mean patch token", "none: flattened", "by the head itself"
OWN_LAYERS = "the network's own layers"
"""Ways from a map to the feature that reaches the head."""


@torch.inference_mode()
def find_map(network: nn.Module, head: nn.Module, head_name: str, batch: Tensor) -> SpatialMap:
    """Find the last map or token sequence before the pooling of a network by running it.

    A candidate is the output of a module that was executed before the head and has two positions or more and as many
    channels as the head reads (or half as many, for a head on a class token and a mean patch token, or as many values as the
    head reads in all, for a flattened map). It is the map if the feature depends on it alone: the network is run on noise with
    the candidate in the place of the module's output, and must give the feature of the first images. Of several such
    candidates the last executed one is the result. If the head itself reads a map, that map is the result.

    Args:
        network: A network in evaluation mode.
        head: Its linear head.
        head_name: Name of the head's module.
        batch: The first images, transformed, (image, channel, row, column).

    Raises:
        HeadError: There is no such map; the message names the nearest modules.
    """
    run = _Runs(network, head)
    feature, raw = run.feature(batch)
    if (place := _read_by_head(head, head_name, raw, batch)) is not None:
        return place
    calls = run.calls(batch, feature.shape[1])
    recorded = run.outputs(batch, calls[-TRIED:])
    noise = noise_like(batch)
    if _near(run.feature(noise)[0], feature):
        raise HeadError(
            "the feature before its head hardly depends on the image, so that no map can be found; was its checkpoint loaded?"
        )
    for call, output in reversed(list(zip(calls[-TRIED:], recorded, strict=True))):
        follows = _near(run.feature(noise, call, output)[0], feature)
        if follows and (found := _describe(run, call, output, feature, batch)) is not None:
            return found
    shapes = [f"{call.module} {call.shape}" for call in calls[-3:]]
    nearest = f"nearest: {', '.join(shapes)}" if shapes else "no module before the head gives one of its size"
    raise HeadError(
        f"no spatial map of {feature.shape[1]} channels, with two positions or more, is computed before its head; {nearest}. "
        "Leave --maps out for it"
    )


@dataclass(frozen=True, slots=True)
class _Call:
    """The last call of a module in a pass that gives an output of this shape."""

    module: str
    shape: tuple[int, ...]
    """Shape of the output, without images."""
    number: int
    """Number of the call among those of this module with this shape in one pass, from 0."""


class _Runs:
    """Run forward passes of a network in which outputs are recorded or replaced."""

    def __init__(self, network: nn.Module, head: nn.Module) -> None:
        self._network, self._head = network, head
        self._modules = dict(network.named_modules())

    def feature(
        self, batch: Tensor, call: _Call | None = None, output: Tensor | None = None
    ) -> tuple[Float[Tensor, "image dim"], Tensor]:
        """Return the pooled and the raw input of the head; `output` replaces the output of one call."""
        raw: list[Tensor] = []

        def keep(module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
            raw.append(next(iter((*inputs, *named.values()))).clone())

        hooks = [self._head.register_forward_pre_hook(keep, with_kwargs=True)]
        if call is not None and output is not None:
            hooks.append(self._replace_output(call, output))
        with _removing(hooks):
            self._network(batch)
        return average_positions(raw[-1], self._head).float(), raw[-1]

    def calls(self, batch: Tensor, dim: int) -> list[_Call]:
        """List the calls whose output may be the map, in the order in which they ended before the head's last call.

        Of a module's calls with outputs of one shape only the last of the whole pass counts, because a tap keeps that one.
        """
        ended: list[tuple[str, tuple[int, ...]]] = []
        before = [0]

        def note(name: str, output: object) -> None:
            if _may_be_map(output, len(batch), dim):
                assert isinstance(output, Tensor)
                ended.append((name, tuple(output.shape[1:])))

        def reach(module: nn.Module, inputs: object) -> None:
            before[0] = len(ended)

        with _removing([*self._watch_outputs(note, self._modules), self._head.register_forward_pre_hook(reach)]):
            self._network(batch)
        last = {key: place for place, key in enumerate(ended)}
        return [_Call(*key, ended.count(key) - 1) for place, key in enumerate(ended[: before[0]]) if last[key] == place]

    def outputs(self, batch: Tensor, calls: Sequence[_Call]) -> list[Tensor]:
        """Return the outputs of these calls as they are when the calls end."""
        found: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        wanted = [(call.module, call.shape) for call in calls]

        def keep(name: str, output: object) -> None:
            if isinstance(output, Tensor) and (name, tuple(output.shape[1:])) in wanted:
                found[name, tuple(output.shape[1:])] = output.clone()

        with _removing(self._watch_outputs(keep, {call.module for call in calls})):
            self._network(batch)
        return [found[key] for key in wanted]

    def _watch_outputs(self, note: Callable[[str, object], None], names: Iterable[str]) -> list[RemovableHandle]:
        """Add hooks that call `note` with name and output of these modules."""

        def watch(name: str) -> RemovableHandle:
            def report_output(module: nn.Module, inputs: object, output: object) -> None:
                note(name, output)

            hook: RemovableHandle = self._modules[name].register_forward_hook(report_output)
            return hook

        return [watch(name) for name in names]

    def _replace_output(self, call: _Call, output: Tensor) -> RemovableHandle:
        """Add a hook that replaces the output of one call."""
        count = [0]

        def replace(module: nn.Module, inputs: object, own: object) -> Tensor | None:
            if not isinstance(own, Tensor) or tuple(own.shape[1:]) != call.shape:
                return None
            count[0] += 1
            return output.clone() if count[0] == call.number + 1 else None

        hook: RemovableHandle = self._modules[call.module].register_forward_hook(replace)
        return hook


@contextmanager
def _removing(hooks: Sequence[RemovableHandle]) -> Iterator[None]:
    """Remove these hooks at the end of the block."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _may_be_map(output: object, images: int, dim: int) -> bool:
    """Return True if an output has the axes and sizes of a map that a head of this width reads."""
    if not isinstance(output, Tensor) or output.ndim not in (3, 4) or len(output) != images:
        return False
    return any(_fits(layout, output, dim) for layout in _layouts(output))


def _layouts(output: Tensor) -> tuple[str, ...]:
    return ("ntc",) if output.ndim == 3 else ("nchw", "nhwc")


def _fits(layout: str, output: Tensor, dim: int) -> bool:
    channels = output.shape[1] if layout == "nchw" else output.shape[-1]
    positions = output[0].numel() // channels
    halves = layout == "ntc" and 2 * channels == dim
    flattened = layout != "nhwc" and channels > 1 and channels * positions == dim
    return positions > 1 and (channels == dim or halves or flattened)


def _near(left: Tensor, right: Tensor) -> bool:
    return left.shape == right.shape and bool((left - right).abs().max() <= NEAR * right.abs().max())


def _read_by_head(head: nn.Module, name: str, raw: Tensor, batch: Tensor) -> SpatialMap | None:
    """Return the map that a head itself reads; None if it reads one vector per image."""
    if isinstance(head, nn.Conv2d):
        rows, columns = raw.shape[2:]
        if rows * columns < 2:
            return None
        return SpatialMap(name, True, "nchw", raw.shape[1], rows * columns, (rows, columns), 0, BY_HEAD)
    if raw.ndim == 4 and raw.shape[1] * raw.shape[2] > 1:
        grid = (raw.shape[1], raw.shape[2])
        return SpatialMap(name, True, "nhwc", raw.shape[3], grid[0] * grid[1], grid, 0, BY_HEAD)
    if raw.ndim == 3 and raw.shape[1] > 1:
        return SpatialMap(name, True, "ntc", raw.shape[2], raw.shape[1], _grid(raw.shape[1], batch), 0, BY_HEAD)
    return None


def _describe(run: _Runs, call: _Call, output: Tensor, feature: Tensor, batch: Tensor) -> SpatialMap | None:
    """Describe a map that the feature depends on; return None if its channels are not the head's."""
    dim = feature.shape[1]
    layouts = [layout for layout in _layouts(output) if _fits(layout, output, dim)]
    for layout in layouts:
        if (found := _direct(layout, output, feature)) is not None:
            return _spatial_map(call, layout, output, batch, *found)
    for layout in layouts:
        if (output.shape[1] if layout == "nchw" else output.shape[-1]) != dim:
            continue
        prefix = _prefix(output.shape[1], batch) if layout == "ntc" else 0
        pooling = _through_own_layers(run, call, layout, output, feature, prefix, batch)
        prefix = max(prefix, 1) if pooling.startswith((CLASS_TOKEN, PATCH_MEAN)) else prefix
        return _spatial_map(call, layout, output, batch, pooling, prefix)
    return None


def _direct(layout: str, output: Tensor, feature: Tensor) -> tuple[str, int] | None:
    """Return pooling and number of prefix tokens if a simple pooling of the map gives the feature; -1 for an unknown number."""
    if layout == "nchw":
        rows, dim = output.flatten(2).transpose(1, 2).float(), feature.shape[1]
    else:
        rows, dim = output.flatten(1, -2).float(), feature.shape[1]
    if rows.shape[2] == dim:
        if _near(rows.mean(1), feature):
            return MEAN, 0
        if _near(rows.amax(1), feature):
            return MAXIMUM, 0
        if layout == "ntc" and _near(rows[:, 0], feature):
            return CLASS_TOKEN, -1
    if layout == "ntc":
        for prefix in range(1, min(MOST_PREFIX, rows.shape[1] - 1) + 1):
            patches = rows[:, prefix:].mean(1)
            if rows.shape[2] == dim and _near(patches, feature):
                return PATCH_MEAN, prefix
            if 2 * rows.shape[2] == dim and _near(torch.cat([rows[:, 0], patches], dim=1), feature):
                return CLASS_AND_PATCH, prefix
    if rows.shape[2] != dim and output[0].numel() == dim and _near(output.flatten(1).float(), feature):
        return FLATTENED, 0
    return None


def _through_own_layers(
    run: _Runs, call: _Call, layout: str, output: Tensor, feature: Tensor, prefix: int, batch: Tensor
) -> str:
    """Name the pooling if more layers follow it: the parts of the map that can be replaced without changing the feature."""
    axes = (2, 3) if layout == "nchw" else tuple(range(1, output.ndim - 1))
    changed = {MEAN: output.mean(dim=axes, keepdim=True).expand_as(output)}
    if layout == "ntc":
        first = max(prefix, 1)
        patches = output[:, first:].mean(dim=1, keepdim=True).expand_as(output[:, first:])
        changed[PATCH_MEAN] = torch.cat([torch.zeros_like(output[:, :first]), patches], dim=1)
        changed[CLASS_TOKEN] = torch.cat([output[:, :1], torch.zeros_like(output[:, 1:])], dim=1)
    for pooling, values in changed.items():
        if _near(run.feature(batch, call, values)[0], feature):
            return f"{pooling}, then {OWN_LAYERS}"
    return OWN_LAYERS


def _spatial_map(call: _Call, layout: str, output: Tensor, batch: Tensor, pooling: str, prefix: int) -> SpatialMap:
    if layout != "ntc":
        channels = output.shape[1] if layout == "nchw" else output.shape[3]
        rows, columns = output.shape[2:] if layout == "nchw" else output.shape[1:3]
        return SpatialMap(call.module, False, layout, channels, rows * columns, (rows, columns), 0, pooling)
    if prefix < 0:
        prefix = max(1, _prefix(output.shape[1], batch))
    positions = output.shape[1] - prefix
    return SpatialMap(call.module, False, layout, output.shape[2], positions, _grid(positions, batch), prefix, pooling)


def _prefix(tokens: int, batch: Tensor) -> int:
    """Return the smallest number of tokens before a grid of the images' shape; 0 if there is no such grid."""
    return next((count for count in range(MOST_PREFIX + 1) if _grid(tokens - count, batch) is not None), 0)


def _grid(positions: int, batch: Tensor) -> tuple[int, int] | None:
    """Return rows and columns of a grid of so many positions in the images' proportions; None if there is no such grid."""
    height, width = batch.shape[-2:]
    rows = math.isqrt(max(0, positions) * height // width)
    if rows < 1 or positions % rows or rows * width != positions // rows * height:
        return None
    return rows, positions // rows
