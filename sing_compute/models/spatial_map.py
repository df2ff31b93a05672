"""Describe a spatial map or token sequence inside a network, and keep parts of it in every forward pass by a hook."""

import threading
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError


@dataclass(frozen=True, slots=True)
class SpatialMap:
    """Place of a network's last spatial map, and the way in which the network pools it to one feature."""

    module: str
    """Name of the module."""
    of_input: bool
    """True if the map is the module's input (of a head that is applied at every position), False if it is its output."""
    layout: str
    """Axes of the tensor: `nchw`, `nhwc`, or `ntc` for tokens."""
    channels: int
    positions: int
    """Positions of one image, without the tokens before the grid."""
    grid: tuple[int, int] | None
    """Rows and columns of the positions; None for a sequence whose grid is not known."""
    prefix: int
    """Tokens before the grid: class token and registers."""
    pooling: str
    """Way in which the map is pooled to one feature, as far as it could be verified on the first images."""

    @property
    def kind(self) -> str:
        """`tokens` or `map`."""
        return "tokens" if self.layout == "ntc" else "map"

    def flat(self, values: Tensor) -> Float[Tensor, "image position channel"]:
        """Reshape the tensor to one row per position; a grid is read row by row, and tokens before it are left out."""
        if self.layout == "nchw":
            return values.flatten(2).transpose(1, 2)
        return values.flatten(1, -2)[:, self.prefix :]

    def __str__(self) -> str:
        size = "x".join(map(str, self.grid)) if self.grid else str(self.positions)
        return f"{self.kind} of {self.module}, {size} positions x {self.channels} channels, pooling: {self.pooling}"


@dataclass(slots=True)
class MapTap:
    """A hook that keeps the map at some positions in this thread's last forward pass."""

    module: nn.Module
    place: SpatialMap
    positions: tuple[int, ...]
    """Stored positions, among those of `SpatialMap.flat`."""
    _last: threading.local = field(default_factory=threading.local, init=False)

    def __post_init__(self) -> None:
        if self.place.of_input:
            self.module.register_forward_pre_hook(self._keep_input, with_kwargs=True)
        else:
            self.module.register_forward_hook(self._keep_output)

    def take(self) -> Float[Tensor, "image position channel"]:
        """Return the stored positions of the last forward pass in this thread, float32; each pass can be read once.

        Raises:
            HeadError: The module was not reached, or gave no map of the size that was found on the first images.
        """
        values: Tensor | None = getattr(self._last, "values", None)
        if values is None:
            raise HeadError(
                f"{self.place.module} gave no map of {self.place.positions} positions x {self.place.channels} channels in the "
                "last forward pass; do all images have one size?"
            )
        self._last.values = None
        return values

    def _keep_input(self, module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        self._keep(next(iter((*inputs, *named.values()))))

    def _keep_output(self, module: nn.Module, inputs: object, output: object) -> None:
        self._keep(output)

    def _keep(self, values: object) -> None:
        if isinstance(values, Tensor) and values.ndim == (3 if self.place.kind == "tokens" else 4):
            flat = self.place.flat(values)
            if flat.shape[1:] == (self.place.positions, self.place.channels):
                # Indexing copies the values, so that a layer that works in place does not change them.
                self._last.values = flat[:, list(self.positions)].float()


def noise_like(batch: Tensor) -> Tensor:
    """Return noise of the mean and deviation of a batch, in its order in memory; for a batch of bytes other bytes."""
    generator = torch.Generator().manual_seed(0)
    if not batch.is_floating_point():
        return torch.randint(0, 256, batch.shape, generator=generator).to(batch.dtype)
    noise = torch.randn(batch.shape, generator=generator) * (float(batch.std()) or 1.0) + batch.mean()
    return torch.empty_like(batch).copy_(noise)


def even_positions(place: SpatialMap, side: int) -> tuple[int, ...]:
    """Choose evenly spread positions.

    Args:
        place: The map.
        side: Rows and columns of the chosen positions; a map with fewer rows or columns gives all of these.

    Returns:
        Positions in ascending order, at most side x side.
    """
    if place.grid is None:
        return _even(place.positions, side * side)
    rows, columns = (_even(length, side) for length in place.grid)
    return tuple(row * place.grid[1] + column for row in rows for column in columns)


def _even(length: int, count: int) -> tuple[int, ...]:
    """Return at most `count` evenly spread numbers below `length`, each in the middle of its part."""
    count = min(length, count)
    return tuple((2 * part + 1) * length // (2 * count) for part in range(count))
