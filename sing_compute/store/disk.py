"""Write HDF5 to a disk that may become full."""

import io
from pathlib import Path
from typing import Any


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
