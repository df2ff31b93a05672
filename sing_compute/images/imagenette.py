"""Download Imagenette, ten classes of ImageNet, for a run without `--images`; it is stored in the user's cache."""

import io
import socket
import sys
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from shutil import rmtree

from filelock import FileLock

from sing_compute.errors import ImagesError
from sing_compute.user_folders import cache_folder

ARCHIVE = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz"
NAME = "imagenette2-320"
SECONDS = 10.0
"""Longest wait for the server."""


def imagenette() -> Path:
    """Return the folder of the validation images, one subfolder per WordNet id; download it if the cache lacks it.

    The archive is downloaded and unpacked in another folder, which is then renamed. On a terminal torchvision shows a
    bar.

    Raises:
        ImagesError: It cannot be downloaded or stored; the message gives the ways out.
    """
    cache = cache_folder()
    ready, unfinished = cache / NAME, cache / "unfinished"
    if (ready / "val").is_dir():
        return ready / "val"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "lock"):
            if not (ready / "val").is_dir():  # another process may have made it
                rmtree(unfinished, ignore_errors=True)
                _download(unfinished)
                (unfinished / NAME).rename(ready)
                rmtree(unfinished, ignore_errors=True)
    except Exception as error:  # servers, archives and disks fail by many types
        rmtree(unfinished, ignore_errors=True)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ImagesError(
            f"--images is missing, and Imagenette in its place cannot be downloaded ({reason}). Ways out: --images FOLDER with "
            f"one subfolder per class, or {ARCHIVE} unpacked in {cache}"
        ) from error
    return ready / "val"


def _download(folder: Path) -> None:
    from torchvision.datasets import Imagenette

    output = nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())  # a bar is for a terminal
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS)
    try:
        with output:
            Imagenette(folder, split="val", size="320px", download=True)
    finally:
        socket.setdefaulttimeout(before)
