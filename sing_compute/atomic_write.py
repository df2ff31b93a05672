"""Write a file in one step: it gets its name only when it is complete and on disk. Imports the standard library alone."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)
"""Errors of file systems that cannot fsync a folder; there the rename alone must suffice."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, 524)
"""Errors of file systems without locks; 524 is that of Linux's NFS and Lustre, which has no name."""
_HDF5 = b"\x89HDF\r\n\x1a\n"
"""First bytes of an HDF5 file."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, a full quota or a too large file."""


class ProtectedFileError(OSError):
    """A new file would replace something that it must not replace. `strerror` says what that is."""


def followed(path: Path) -> Path:
    """Return the results file that a link leads to, so that a new one does not take the place of the link; else the path.

    Files of this module take the place of a link: another user may have put it where private files are written.
    """
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def refusal(path: Path, *, force: bool) -> str:
    """Say in one line why a new table or page cannot have a name, before any work is done for it; empty if it can.

    Args:
        path: The name.
        force: True if a file of this name may be replaced.
    """
    if str(path) == "-":
        return "- is no name of a file: name one"
    try:
        check_replaceable(path)
    except ProtectedFileError as error:
        return write_failure(path, error)
    if path.exists() and not force:
        return f"{path} exists; --force replaces it"
    if not path.parent.is_dir():
        return f"cannot write {path}: there is no folder {path.parent}"
    return ""


def check_replaceable(path: Path, *, hdf5: bool = False) -> None:
    """Refuse a name that belongs to a device, a pipe, a socket, a folder, or a results file; links are followed.

    A rename would put a file in the place of a device: as root, `-o /dev/null` would break the whole machine. And a table that is
    written over the results file that it was read from would cost the whole run.

    Args:
        path: Name of a file that is going to be written.
        hdf5: True if the new file is a results file itself, so that it may replace one, and nothing else but an empty file.

    Raises:
        ProtectedFileError: There is such a thing.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # there is nothing yet, or whoever writes gets the same error
    if not stat.S_ISREG(mode):
        raise ProtectedFileError(errno.EEXIST, "it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")
    start = b""
    with suppress(OSError), open(path, "rb") as stream:
        start = stream.read(len(_HDF5))
    if hdf5 and start not in (b"", _HDF5):
        raise ProtectedFileError(errno.EEXIST, "it is no results file")
    if start == _HDF5 and not hdf5:
        raise ProtectedFileError(errno.EEXIST, "it is a results file, or another HDF5 file")


def binary_file(path: Path, *, permissions: int = 0o666, durable: bool = True) -> AbstractContextManager[IO[bytes]]:
    """Open a new file for bytes; at the end of the `with` block fsync it, give it its name and fsync its folder.

    Until then a reader sees the old file, or none. If the block raises anything, the new file is removed and the old one
    stays. Threads, processes and machines may write the same path at once: the file of the last to finish remains.

    Args:
        path: Name of the file, in a folder that exists. A file of this name is replaced.
        permissions: Permissions of the new file, before the umask.
        durable: False leaves out both fsyncs: for a file that is worth nothing after a power cut.

    Raises:
        OSError: The file cannot be created, written, flushed or renamed, or what has its name must not be replaced.
    """
    return _new_file(path, "wb", permissions, durable)


def text_file(path: Path, *, permissions: int = 0o666, durable: bool = True) -> AbstractContextManager[IO[str]]:
    """Open a new file for UTF-8 text, its line ends kept as they are written; in all else like `binary_file`.

    Args:
        path: As in `binary_file`.
        permissions: As in `binary_file`.
        durable: As in `binary_file`.

    Raises:
        OSError: As in `binary_file`.
    """
    return _new_file(path, "w", permissions, durable)


def write_bytes(path: Path, content: bytes, *, permissions: int = 0o666, durable: bool = True) -> None:
    """Write all bytes of a file in one step.

    Args:
        path: As in `binary_file`.
        content: Everything that the file is to hold.
        permissions: As in `binary_file`.
        durable: As in `binary_file`.

    Raises:
        OSError: As in `binary_file`.
    """
    with binary_file(path, permissions=permissions, durable=durable) as stream:
        stream.write(content)


def write_text(path: Path, content: str, *, permissions: int = 0o666, durable: bool = True) -> None:
    """Write all text of a file in one step, as UTF-8.

    Args:
        path: As in `binary_file`.
        content: Everything that the file is to hold.
        permissions: As in `binary_file`.
        durable: As in `binary_file`.

    Raises:
        OSError: As in `binary_file`.
        UnicodeEncodeError: The text holds half a surrogate pair; the old file stays.
    """
    write_bytes(path, content.encode(), permissions=permissions, durable=durable)


@contextmanager
def _new_file(path: Path, mode: Literal["w", "wb"], permissions: int, durable: bool) -> Iterator[IO[Any]]:
    check_replaceable(path)
    # Another name at each call: a file that a killed process leaves blocks no other. Clean-ups look for the ending.
    temporary = path.with_name(f".sing-{os.urandom(8).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, permissions)
    text = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    try:
        with open(descriptor, mode, **text) as stream:  # type: ignore[call-overload]
            yield stream
            stream.flush()
            if durable:
                os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk, so that a new name in it outlives a power cut.

    Args:
        folder: A folder in which a file has just been renamed.

    Raises:
        OSError: The disk fails. A file system that cannot do this is no failure.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def write_failure(path: Path, error: OSError) -> str:
    """Explain in one line why a file could not be written, how much room its disk has, and what to do.

    Args:
        path: The file.
        error: The answer of the operating system.

    Returns:
        The message for the user.
    """
    reason = error.strerror or str(error)
    if isinstance(error, ProtectedFileError):
        return f"cannot write {path}: {reason}; name another file"
    if error.errno not in _FULL:
        return f"cannot write {path}: {reason}; finished work is kept, the same command goes on"
    with suppress(OSError):
        reason += f" ({shutil.disk_usage(path.parent).free / 1e6:,.1f} MB free there)"
    return f"cannot write {path}: {reason}; finished work is kept: make room, and the same command goes on"


def lock_failure(folder: Path, error: OSError) -> str:
    """Explain in one line why a folder could not be locked, and what to do.

    Args:
        folder: The folder that holds the lock.
        error: The answer of the operating system.

    Returns:
        The message for the user.
    """
    reason = error.strerror or str(error)
    if error.errno not in _NO_LOCKS:
        return f"cannot write in {folder}: {reason}; choose another -o"
    return (
        f"cannot lock {folder}: its file system has no file locks ({reason}); choose -o on a local disk and copy the "
        "finished file, or have it mounted with locks (Lustre: -o flock; NFS: a running lock service). Reading a finished "
        "file needs no locks; other programs read it there with HDF5_USE_FILE_LOCKING=FALSE"
    )
