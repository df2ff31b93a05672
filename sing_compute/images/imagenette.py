"""Imagenette, ten classes of ImageNet, for a run without images of its own: downloaded once, kept in the user's cache."""

import io
import os
import socket
import sys
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from shutil import rmtree

from filelock import FileLock

from sing_compute.errors import ImagesError

ARCHIVE = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz"
NAME = "imagenette2-320"
SECONDS = 10.0
"""Longest silence of the server."""


def cache_folder() -> Path:
    """Where downloads are kept: `$XDG_CACHE_HOME/sing-explorer`, else `~/.cache/sing-explorer`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sing-explorer"


def imagenette() -> Path:
    """Folder of the validation images, one subfolder per WordNet id; downloaded if it is not in the cache yet.

    The download and the unpacking happen aside and are put in place in one step. On a terminal torchvision shows a bar.

    Raises:
        ImagesError: It cannot be had; the message says the ways out.
    """
    cache = cache_folder()
    ready, aside = cache / NAME, cache / "unfinished"
    if (ready / "val").is_dir():
        return ready / "val"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "lock"):
            if not (ready / "val").is_dir():  # another process may have been quicker
                rmtree(aside, ignore_errors=True)
                _download(aside)
                (aside / NAME).rename(ready)
                rmtree(aside, ignore_errors=True)
    except Exception as error:  # servers, archives and disks fail by many types
        rmtree(aside, ignore_errors=True)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ImagesError(
            f"--images is missing, and Imagenette in its place cannot be had ({reason}). Ways out: --images FOLDER with one "
            f"subfolder per class, or {ARCHIVE} unpacked in {cache}"
        ) from error
    return ready / "val"


def _download(folder: Path) -> None:
    from torchvision.datasets import Imagenette

    silent = nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())  # a bar is for a terminal
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS)
    try:
        with silent:
            Imagenette(folder, split="val", size="320px", download=True)
    finally:
        socket.setdefaulttimeout(before)
