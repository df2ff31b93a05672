"""Open an HDF5 file for reading, with a lock where there are locks."""

from pathlib import Path

import h5py

_NO_LOCK = "unable to lock file"
"""In HDF5's message about a file that it could open but not lock."""


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading: with a lock, or without where the file system has no locks (NFS, Lustre, some containers).

    Raises:
        BlockingIOError: Another program has opened it for writing.
        Exception: It is not a readable HDF5 file; the types differ.
    """
    try:
        return h5py.File(path, "r", locking="best-effort")
    except OSError as error:
        if isinstance(error, BlockingIOError) or _NO_LOCK not in str(error):
            raise
    return h5py.File(path, "r", locking=False)


def descriptor_of(file: h5py.File) -> int:
    """Return the file descriptor of the open file; -1 if the library reads it in another way."""
    try:
        if file.id.get_access_plist().get_driver() != h5py.h5fd.SEC2:
            return -1
        return int(file.id.get_vfd_handle())
    except (AttributeError, ValueError, RuntimeError):
        return -1
