"""Import open_clip without Hugging Face's transformers, and check what it is given to load.

open_clip imports transformers wherever it is installed, which takes longer than all the rest, though only its text towers
from there need it.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from sing_compute.errors import ConceptsError

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


def check_local_clip(name: str, pretrained: str | None) -> None:
    """Check the files of a CLIP on this machine, before open_clip reads them.

    Args:
        name: The CLIP, as the user names it.
        pretrained: Its tag or its file of weights; None for a folder or repository.

    Raises:
        SingError: A file is no regular one, or a configuration asks for code or for a network of impossible size.
    """
    from sing_compute.array_files import check_weights_file
    from sing_compute.model_configs import check_folder

    if name.startswith("local-dir:"):
        check_folder(Path(name.partition(":")[2]), f"--clip {name}")
    if pretrained and Path(pretrained).is_file():
        try:
            check_weights_file(Path(pretrained))
        except OSError as error:
            raise ConceptsError(f"--clip {name}: {error.strerror}") from error


def check_repository(name: str) -> None:
    """Check the configuration of a repository of the hub, before open_clip reads it; any other CLIP has none.

    Args:
        name: The CLIP, as the user names it.

    Raises:
        SingError: It asks for code, or for a network of impossible size.
        Exception: As the hub raises.
    """
    if name.startswith("hf-hub:"):
        from open_clip.pretrained import download_pretrained_from_hf

        from sing_compute.model_configs import check_config_file

        repository = name.partition(":")[2]
        config = download_pretrained_from_hf(repository, filename="open_clip_config.json")
        weights = Path(download_pretrained_from_hf(repository)).stat().st_size
        check_config_file(Path(config), f"--clip {name}", weights=weights)
