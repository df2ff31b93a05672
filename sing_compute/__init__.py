"""Measure what an image classifier ignores (SING).

`load(FILE)` opens results as DataFrames, `measure` takes features that you have, `run` takes a network and images. What they
need is imported when they are used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sing_compute.errors import SingError
    from sing_compute.frames import Results, load
    from sing_compute.python_api import run
    from sing_compute.python_measure import measure

__version__ = "0.1.0"
__all__ = ["Results", "SingError", "__version__", "load", "measure", "run"]
_HOMES = {
    "load": "frames",
    "Results": "frames",
    "SingError": "errors",
    "measure": "python_measure",
    "run": "python_api",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"sing_compute.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'sing_compute' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
