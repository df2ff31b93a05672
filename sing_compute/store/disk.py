"""Files on disks that are full, or gone."""

import errno
import io
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def not_written(path: Path, error: OSError) -> str:
    """Why a file could not be written, how much room there is, and what to do, in one line."""
    reason = error.strerror or str(error)
    if error.errno not in _FULL:
        return f"cannot write {path}: {reason}; finished work is kept, the same command goes on"
    with suppress(OSError):
        reason += f" ({shutil.disk_usage(path.parent).free / 1e6:,.1f} MB free there)"
    return f"cannot write {path}: {reason}; finished work is kept: make room, and the same command goes on"


def write_atomically(path: Path, content: bytes) -> None:
    """Put a file in place in one step, on disk before it has its name; nothing is left where that fails.

    Processes of any machines may write the same file: the last one's stands.
    """
    temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


class StoreStream(io.FileIO):
    """What HDF5 writes through. Its own driver cannot take a full disk: it fails again while closing, and may end the process.

    The first failure is kept, and raised where it happens unless the file is `closing`; after it everything is accepted and
    nothing written.
    """

    failure: OSError | None = None
    closing = False

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")

    def write(self, data: Any) -> int:
        """All of the bytes."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.failure is None:
            try:
                done += super().write(view[done:]) or 0
            except OSError as error:
                self._fail(error)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length."""
        if self.failure is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self._fail(error)
        return size or 0

    def readinto(self, buffer: Any) -> int:
        """What is there; zeros for what was not written any more."""
        view = memoryview(buffer).cast("B")
        done = 0
        while found := super().readinto(view[done:]):
            done += found
        view[done:] = bytes(len(view) - done)
        return len(view)

    def _fail(self, error: OSError) -> None:
        self.failure = error
        if not self.closing:
            raise error
