"""Write a file under a temporary name, flush it to disk and rename it: a reader sees the old content or the new one."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers that say that there is no room for more."""


@contextmanager
def replacing(path: Path, *, folder: Path | None = None, durable: bool = True) -> Iterator[Path]:
    """Give the temporary name to write to; rename that file to `path` when the block ends without an error.

    Several processes, on any machines, may write the same path: the last rename decides. If the block or the rename fails,
    `path` keeps its old content and the temporary file is removed.

    Args:
        path: The final name.
        folder: The folder of the temporary file, on the same file system as `path`: only then the rename is one step.
            None: the folder of `path`.
        durable: Flush the content and the rename to disk before the block ends, so that a power failure loses neither.
            Not needed for a file that can be made again.

    Raises:
        OSError: The file cannot be written, flushed or renamed.
    """
    temporary = (folder or path.parent) / f".{path.name}.{os.uname().nodename}.{os.getpid()}.tmp"
    try:
        yield temporary
        if durable:
            _flush(temporary)
        temporary.replace(path)
        if durable:
            _flush(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file in one step.

    Args:
        path: The file; an old one of this name is replaced.
        content: All bytes of the new file.

    Raises:
        OSError: As in `replacing`.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_failure(path: Path, error: OSError) -> str:
    """Explain in one line why a file could not be written, how much room its disk has, and what to do.

    Args:
        path: The file.
        error: The answer of the operating system.

    Returns:
        The message for the user.
    """
    reason = error.strerror or str(error)
    if error.errno not in _FULL:
        return f"cannot write {path}: {reason}; finished work is kept, the same command goes on"
    with suppress(OSError):
        reason += f" ({shutil.disk_usage(path.parent).free / 1e6:,.1f} MB free there)"
    return f"cannot write {path}: {reason}; finished work is kept: make room, and the same command goes on"


def _flush(path: Path) -> None:
    """Wait until the disk holds what was written to a file, or to the list of files of a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
