"""Measure what an image classifier ignores (SING). `load(FILE)` opens results as DataFrames; it is imported when used."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sing_compute.frames import Results, load

__version__ = "0.1.0"
__all__ = ["Results", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("load", "Results"):
        from sing_compute import frames

        return getattr(frames, name)
    raise AttributeError(f"module 'sing_compute' has no attribute {name!r}")
