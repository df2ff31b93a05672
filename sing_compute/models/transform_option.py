"""Read `--transform`: settings of the preprocessing, by the names that timm gives them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sing_compute.errors import SingError

ALIASES = {"size": "input_size", "img_size": "input_size", "crop": "crop_pct"}
"""Short names of settings."""
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
CROP_MODES = ("center", "squash", "border")
LARGEST = 4096
"""Largest side in pixels."""
NEEDED = {"input_size": "size", "crop_pct": "crop", "interpolation": "interpolation", "mean": "mean", "std": "std"}
"""Settings that make a whole preprocessing, and their short names."""
EXAMPLE = "size=224,crop=0.875,interpolation=bilinear,mean=0.485/0.456/0.406,std=0.229/0.224/0.225"


@dataclass(frozen=True, slots=True)
class TransformOption:
    """The settings that the user names; all others stay as they are."""

    text: str
    """As it was typed, without spaces."""
    settings: tuple[tuple[str, Any], ...]
    """Name and value of each, by timm's names; the size is (rows, columns)."""

    @classmethod
    def parse(cls, text: str) -> "TransformOption":
        """Read `KEY=VALUE,KEY=VALUE`; the values of channels are separated by `/`.

        Args:
            text: Argument of `--transform`.

        Raises:
            SingError: An unknown or repeated key, or a value that cannot be used.
        """
        text = "".join(text.split())
        found: dict[str, Any] = {}
        for part in text.split(","):
            name, separator, value = part.partition("=")
            key = ALIASES.get(name, name)
            if not separator or key not in _READERS:
                raise SingError(
                    f"--transform {text!r}: {part!r} is no setting; there are size, crop, crop_mode, interpolation, "
                    f"mean and std, for example {EXAMPLE}"
                )
            if key in found:
                raise SingError(f"--transform {text!r}: {name} is given twice")
            try:
                found[key] = _READERS[key](value)
            except ValueError as error:
                raise SingError(f"--transform {text!r}: {name}={value}: {error}") from error
        return cls(text, tuple(found.items()))

    @property
    def is_whole(self) -> bool:
        """True if the settings make a preprocessing without any others."""
        return NEEDED.keys() <= dict(self.settings).keys()

    @property
    def missing(self) -> str:
        """Short names of the settings that a whole preprocessing lacks."""
        return ", ".join(short for name, short in NEEDED.items() if name not in dict(self.settings))

    def over(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings in which those of the option replace the others.

        Args:
            settings: By timm's names; `input_size` is (channels, rows, columns).

        Raises:
            SingError: The mean or std has another number of values than the images have channels.
        """
        channels = int(settings["input_size"][0])
        merged = dict(settings)
        for name, value in self.settings:
            if name == "input_size":
                value = (channels, *value)
            elif name in ("mean", "std"):
                value = value * channels if len(value) == 1 else value
                if len(value) != channels:
                    raise SingError(
                        f"--transform {self.text!r}: {name} has {len(value)} values, the images have {channels} channels"
                    )
            merged[name] = value
        return merged

    def source(self, otherwise: str) -> str:
        """Return where the preprocessing is from.

        Args:
            otherwise: Where the settings that the option does not name are from.
        """
        if self.is_whole:
            return "option --transform"
        named = ", ".join(NEEDED.get(name, name) for name, _ in self.settings)
        return f"option --transform ({named}), otherwise {otherwise}"


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("not a number")
    return value


def _size(text: str) -> tuple[int, int]:
    sides = text.split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() and len(side) <= 6 for side in sides):
        raise ValueError("give pixels, such as 224, or rows x columns, such as 192x256")
    rows, columns = int(sides[0]), int(sides[-1])
    if not (1 <= rows <= LARGEST and 1 <= columns <= LARGEST):
        raise ValueError(f"a side has 1 to {LARGEST} pixels")
    return rows, columns


def _crop(text: str) -> float:
    value = _number(text)
    if not 0.05 <= value <= 1:
        raise ValueError("the part of the resized image that remains is from 0.05 to 1")
    return value


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(f"there are {', '.join(names)}")
        return text.lower()

    return read


def _mean(text: str) -> tuple[float, ...]:
    return tuple(_number(part) for part in text.split("/"))


def _std(text: str) -> tuple[float, ...]:
    values = _mean(text)
    if any(value <= 0 for value in values):
        raise ValueError("a standard deviation is above 0")
    return values


_READERS: dict[str, Callable[[str], Any]] = {
    "input_size": _size,
    "crop_pct": _crop,
    "crop_mode": _one_of(CROP_MODES),
    "interpolation": _one_of(INTERPOLATIONS),
    "mean": _mean,
    "std": _std,
}
