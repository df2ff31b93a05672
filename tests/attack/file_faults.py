"""Count the file operations of this process below one folder, and end the process or fail at one of them.

`forked.py` runs this file in a run before its command begins (`BEGIN_WITH`). The environment says what it does: FAULT_FOLDER is
the folder; with FAULT_TRACE=FILE every operation becomes a line there; with FAULT_AT=NUMBER that one is met by FAULT: `kill`, or
the number of an error, which with FAULT_LASTS=1 every later operation of the same kind meets, too.
"""

import builtins
import fcntl
import io
import os
import re
import signal
import threading

FOLDER = os.path.realpath(os.environ["FAULT_FOLDER"])
AT, FAULT = int(os.environ.get("FAULT_AT", "0")), os.environ.get("FAULT", "")
LASTS = os.environ.get("FAULT_LASTS") == "1"
NAMES = (
    *("open", "read", "write", "preadv", "fsync", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "listdir"),
    *("scandir", "stat", "truncate", "ftruncate", "posix_fallocate", "utime", "chmod", "link", "symlink", "statvfs"),
)
LOCKS = ("flock", "lockf")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_open, _write, _lock = io.open, os.write, threading.Lock()
_trace = (
    os.open(os.environ["FAULT_TRACE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if "FAULT_TRACE" in os.environ else -1
)
_met, _hit = 0, ""


def place(target, folder=None):
    """Return the path of a file below the folder; None for any other."""
    try:
        if isinstance(target, int):
            path = os.readlink(f"/proc/self/fd/{target}")
        else:
            path = os.fsdecode(os.fspath(target))
            within = os.readlink(f"/proc/self/fd/{folder}") if isinstance(folder, int) else os.getcwd()
            path = os.path.normpath(os.path.join(within, path))
    except (OSError, TypeError, ValueError):
        return None
    return path if path.startswith(FOLDER + "/") and not os.path.basename(path).startswith("told-") else None


def meet(operation, target, folder=None):
    """Count one operation, and let it fail if it is its turn."""
    global _met, _hit
    path = place(target, folder)
    if path is None:
        return
    kind = f"{operation} {re.sub(r'[0-9a-f]{8,}|[0-9]+', 'N', os.path.relpath(path, FOLDER))}"
    with _lock:
        _met += 1
        if _trace >= 0:
            _write(_trace, f"{kind}\n".encode())
        struck = _met == AT or (LASTS and kind == _hit)
    if struck and FAULT == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if struck:
        _hit = kind
        raise OSError(int(FAULT), os.strerror(int(FAULT)), path)


def counted(name, function):
    """Return a function of `os` or `fcntl` that is counted."""

    def act(*arguments, **named):
        target = arguments[0] if arguments else next(iter(named.values()), ".")
        writes = name == "open" and (arguments[1] if len(arguments) > 1 else named.get("flags", 0)) & WRITING
        meet("open for writing" if writes else name, target, named.get("dir_fd", named.get("src_dir_fd")))
        return function(*arguments, **named)

    return act


class Counted(io.FileIO):
    """A file whose reads and writes are counted."""

    def __init__(self, file, mode="r", closefd=True, opener=None):
        if not isinstance(file, int):
            meet("open" if mode == "r" else "open for writing", file)
        super().__init__(file, mode, closefd, opener)

    def write(self, data):
        meet("write", self.fileno())
        return super().write(data)

    def readinto(self, buffer):
        meet("read", self.fileno())
        return super().readinto(buffer)

    def readall(self):
        meet("read", self.fileno())
        return super().readall()

    def truncate(self, size=None):
        meet("truncate", self.fileno())
        return super().truncate(size)


def open_file(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    """Do what `open` does; files below the folder are counted."""
    if opener is not None or place(file) is None:
        return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    raw = Counted(file, "".join(sign for sign in mode if sign not in "bt"), closefd)
    if buffering == 0:
        return raw
    kind = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
    buffered = kind(raw)
    if "b" in mode:
        return buffered
    text = io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline, line_buffering=buffering == 1)
    text.mode = mode
    return text


def begin():
    """Put the counted functions in the place of the others."""
    import h5py

    from sing_compute.store.disk import StoreStream

    for name in NAMES:
        setattr(os, name, counted(name, getattr(os, name)))
    for name in LOCKS:
        setattr(fcntl, name, counted(name, getattr(fcntl, name)))
    io.open = builtins.open = open_file
    StoreStream.__bases__ = (Counted,)
    opened = h5py.File.__init__

    def init(self, name, *arguments, **named):
        if not hasattr(name, "write"):
            meet("open", name)
        opened(self, name, *arguments, **named)

    h5py.File.__init__ = init


begin()
