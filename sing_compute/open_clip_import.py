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


def check_local_clip(name: str, pretrained: str | None) -> int | None:
    """Check the files of a CLIP on this machine, before open_clip reads them.

    Args:
        name: The CLIP, as the user names it.
        pretrained: Its tag or its file of weights; None for a folder or repository.

    Returns:
        Bytes of the weights of a folder; None for any other CLIP, or if it has none.

    Raises:
        SingError: A file is no regular one, or the folder's configuration asks for code or for impossible numbers.
    """
    from sing_compute.array_files import check_weights_file
    from sing_compute.model_configs import check_folder

    if name.startswith("local-dir:"):
        return check_folder(Path(name.partition(":")[2]), f"--clip {name}")
    if pretrained and Path(pretrained).is_file():
        try:
            check_weights_file(Path(pretrained))
        except OSError as error:
            raise ConceptsError(f"--clip {name}: {error.strerror or error}") from error
    return None


def check_described_clip(name: str, weights: int | None) -> None:
    """Check the network of a folder or of a repository of the hub before open_clip builds it; any other CLIP is known.

    Args:
        name: The CLIP, as the user names it.
        weights: Bytes of the weights of a folder, as `check_local_clip` returns them.

    Raises:
        SingError: It asks for code, or for a network of impossible size.
        Exception: As the hub raises.
    """
    from sing_compute.model_configs import check_config_file, check_described

    kind, _, place = name.partition(":")
    if kind == "hf-hub":
        from open_clip.pretrained import download_pretrained_from_hf

        config = download_pretrained_from_hf(place, filename="open_clip_config.json")
        weights = Path(download_pretrained_from_hf(place)).stat().st_size
        check_config_file(Path(config), f"--clip {name}", weights=weights)
    elif kind != "local-dir":
        return
    build = import_open_clip().create_model
    check_described(
        lambda: build(name, load_weights=False, device="meta", pretrained_text=False), f"--clip {name}", weights=weights
    )
