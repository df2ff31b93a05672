"""Open files that a user or a stranger names: only regular files of bounded size, and never with a wait.

A pipe, a device, a socket or a folder is refused, also behind a link. A pipe of the shell, as in `--labels <(command)`, is read
where a whole text is wanted. Imports nothing of sing.
"""

import errno
import json
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, TextIO

TEXT = 512 * 2**20
"""Most bytes of a text: class names, labels, vocabularies, lists of words, prompts."""
TABLE = 8 * 2**30
"""Most bytes of a table of images, which is read line by line."""
JSON = 64 * 2**20
"""Most bytes of a configuration, an index of shards or a description in JSON."""
ARRAYS = 256 * 2**30
"""Most bytes of stored embeddings, features or a tar archive."""
WEIGHTS = 128 * 2**30
"""Most bytes of one file of weights."""
LINE = 2**20
"""Most characters of a line of a table."""
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_OF_THE_SHELL = ("/dev/fd/", "/proc/self/fd/")
"""Where a shell puts the pipe of a process substitution; such a pipe has somebody who writes."""


class UnfitFileError(OSError):
    """A file is of another kind than a regular file, or larger than is read. `strerror` says which."""

    def __init__(self, reason: str) -> None:
        """Keep the reason.

        Args:
            reason: Ends a message that names the file.
        """
        super().__init__(errno.EINVAL, reason)

    def __str__(self) -> str:
        """Return the reason alone."""
        return str(self.strerror)


def check_file(path: Path, *, most: int) -> int:
    """Refuse anything but a regular file of bounded size, for a library that opens files by their names.

    Args:
        path: The file; links are followed.
        most: Most bytes.

    Returns:
        Its size in bytes.

    Raises:
        OSError: There is no such file, or it is an `UnfitFileError`.
    """
    return _checked(os.stat(path), most)


def open_file(path: Path, *, most: int, pipe: bool = False) -> BufferedReader:
    """Open a regular file of bounded size.

    Args:
        path: The file; links are followed.
        most: Most bytes.
        pipe: Also open a pipe of the shell; the caller then reads no more than `most` bytes.

    Raises:
        OSError: As for `check_file`, or it cannot be opened.
    """
    from_shell = pipe and os.fspath(path).startswith(_OF_THE_SHELL) and stat.S_ISFIFO(os.stat(path).st_mode)
    if not from_shell:
        check_file(path, most=most)  # opening a device can already have an effect
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | (0 if from_shell else os.O_NONBLOCK))
    try:
        if not from_shell:
            _checked(os.fstat(descriptor), most)  # perhaps another file has the name now
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, *, most: int, pipe: bool = False) -> bytes:
    """Read a whole file; arguments and errors as `open_file`."""
    with open_file(path, most=most, pipe=pipe) as stream:
        content = stream.read(most + 1)
    if len(content) > most:  # it grew, or is one of those of the system that say no size
        raise UnfitFileError(f"more than the {size_text(most)} that are read")
    return content


def read_text(path: Path, *, most: int = TEXT) -> str:
    """Read a text in UTF-8, also from a pipe of the shell; line ends become newlines.

    Args:
        path: The file.
        most: Most bytes.

    Raises:
        OSError: As for `open_file`.
        UnicodeDecodeError: It is not UTF-8.
    """
    text = read_bytes(path, most=most, pipe=True).decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path: The file, of at most `JSON` bytes.

    Raises:
        OSError: As for `open_file`.
        ValueError: It is not JSON in UTF-8, or is nested too deeply.
    """
    try:
        return json.loads(read_bytes(path, most=JSON))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def bounded_lines(stream: TextIO) -> Iterator[str]:
    """Give the lines of a text, each with its end.

    Args:
        stream: The text.

    Raises:
        UnfitFileError: A line is longer than `LINE` characters.
    """
    while line := stream.readline(LINE + 1):
        if len(line) > LINE:
            raise UnfitFileError(f"a line has more than {LINE:,} characters")
        yield line


def check_size(count: int, most: int) -> None:
    """Refuse a number of bytes that is larger than is read.

    Args:
        count: The number.
        most: The most that is read.

    Raises:
        UnfitFileError: It is larger.
    """
    if count > most:
        raise UnfitFileError(f"{size_text(count)}, more than the {size_text(most)} that are read")


def size_text(count: int) -> str:
    """Write a number of bytes in words: `1.5 GB`."""
    for unit, size in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def _checked(state: os.stat_result, most: int) -> int:
    if not stat.S_ISREG(state.st_mode):
        raise UnfitFileError(f"it is {_KINDS.get(stat.S_IFMT(state.st_mode), 'no regular file')}, not a regular file")
    check_size(state.st_size, most)
    return state.st_size
