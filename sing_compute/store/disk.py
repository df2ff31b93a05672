"""Write HDF5 to a disk that may become full."""

import io
from pathlib import Path
from typing import Any


class StoreStream(io.FileIO):
    """File through which HDF5 writes. On a full disk HDF5's own driver fails again while closing, and may end the process.

    The first failure is recorded, and raised at once unless the file is `closing`. After it, write calls return without an error
    and write nothing.
    """

    failure: OSError | None = None
    closing = False

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")

    def write(self, data: Any) -> int:
        """Write all bytes, or none after a failure; return their number."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.failure is None:
            try:
                done += super().write(view[done:]) or 0
            except OSError as error:
                self._fail(error)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        if self.failure is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self._fail(error)
        return size or 0

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; bytes that could not be written are read as zeros."""
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
