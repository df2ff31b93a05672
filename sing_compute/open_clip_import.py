"""Import open_clip without Hugging Face's transformers.

open_clip imports transformers wherever it is installed, which takes longer than all the rest, though only its text towers
from there need it.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

_MISSING: Any = None
"""Entry of `sys.modules` with which an import of a module fails as if it were not installed."""


def import_open_clip() -> ModuleType:
    """Return open_clip; the first import of a process leaves transformers out."""
    if "open_clip" not in sys.modules and "transformers" not in sys.modules:
        sys.modules["transformers"] = _MISSING
        try:
            importlib.import_module("open_clip")
        finally:
            del sys.modules["transformers"]
    return importlib.import_module("open_clip")


def add_transformers() -> None:
    """Let open_clip build text towers of transformers; nothing happens where it is not installed."""
    import_open_clip()
    towers = importlib.import_module("open_clip.hf_model")
    if towers.transformers is None and importlib.util.find_spec("transformers") is not None:
        importlib.reload(towers)  # classes that open_clip holds already look names up in this module, and find them now
