"""Start the processes that decode images, and notice when one of them has died or does nothing any more."""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.util import get_temp_dir
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from sing_compute.images.shared_memory import WAY_OUT

DEAD_WORKER = ("DataLoader worker (pid", "Pin memory thread")
"""Beginnings of torch's messages when a worker process has died."""
LOST_FILES = ("Too many open files", "received 0 items of ancdata")
"""Beginnings of the messages when this process cannot open what a worker sends."""
DESCRIPTORS, DESCRIPTORS_EACH = 32, 6
"""Open files that must be left for a run with workers, in all and for each of them."""
STILL_SECONDS = 20.0
"""Time without any activity of any worker, while a batch is awaited, after which they are ended. Torch notices their end within
5 s more."""
LONGEST_FOLDER = 71
"""Bytes of the path of a folder in which there is room for the name of a socket, on every system."""
LOOK_SECONDS = 2.0
"""Time between two looks at the workers."""


def check_workers(workers: int) -> None:
    """Check that the system has what torch's loader needs: half made, the loader would print a traceback.

    Args:
        workers: Number of worker processes.

    Raises:
        OSError: It has not: /dev/shm is missing, full or read-only, or too few files may be open.
    """
    if not workers:
        return
    keep_sockets_short()
    made = [multiprocessing.Event() for _ in range(2 * workers + 2)]
    del made
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while len(held) < DESCRIPTORS + DESCRIPTORS_EACH * workers:
            held.append(os.dup(held[0]))
    finally:
        for descriptor in held:
            os.close(descriptor)


def keep_sockets_short() -> None:
    """Let processes meet in /tmp where the path of TMPDIR is too long for a socket in it, as clusters name it after the job."""
    if len(os.fsencode(tempfile.gettempdir())) <= LONGEST_FOLDER:
        return
    kept = tempfile.tempdir
    tempfile.tempdir = next((place for place in ("/tmp", "/var/tmp") if os.access(place, os.W_OK | os.X_OK)), kept)
    try:
        get_temp_dir()  # made once for this process and its workers, and removed at the end of this process
    finally:
        tempfile.tempdir = kept


def started(loader: DataLoader[Any]) -> Iterator[Any]:
    """Start the workers. Torch's signal handler is removed: at the death of a worker it raises wherever the run happens to be."""
    before = signal.getsignal(signal.SIGCHLD)
    stream = iter(loader)
    if signal.getsignal(signal.SIGCHLD) is not before:
        signal.signal(signal.SIGCHLD, before)
    return stream


class WorkerWatch:
    """Read batches of workers, and end the workers if they do nothing while a batch is awaited.

    A worker is slow as long as any of its threads computes or waits for a disk, or the workers use processor time. They hang if
    all of them sleep or are stopped for `STILL_SECONDS`: then nothing will come of itself. A file system that is a program
    (FUSE) and gives no byte for so long looks the same. Where there is no /proc, a worker that hangs is not noticed.
    """

    def __init__(self, stream: Iterator[Any]) -> None:
        """Begin to watch.

        Args:
            stream: An iterator of torch's loader, with workers or without.
        """
        self._stream, self._workers = stream, list(getattr(stream, "_workers", ()))
        self._turn, self._awaited, self._ended = 0, False, threading.Event()
        self.hung = ""
        """Says what was seen, after the workers were ended for it."""
        self._thread: threading.Thread | None = None
        if self._workers and _ticks(os.getpid()) is not None:
            self._thread = threading.Thread(target=self._watch, name="workers", daemon=True)
            self._thread.start()

    def next_batch(self) -> Any:
        """Return the next batch; None after the last."""
        self._turn += 1
        self._awaited = True
        try:
            return next(self._stream, None)
        finally:
            self._awaited = False

    def end(self) -> None:
        """End watching and the workers; torch ends those that still listen, and none that does not is left to wait for."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        del self._stream
        for worker in self._workers:
            if worker.is_alive():
                worker.kill()

    def _watch(self) -> None:
        quiet, before = 0, None
        while not self._ended.wait(LOOK_SECONDS):
            activity = self._activity()
            now = (self._turn, activity)
            # Looks are counted, not seconds: while the machine or the whole run is stopped, nobody looks.
            quiet = quiet + 1 if self._awaited and activity is not None and now == before else 0
            before = now
            if quiet * LOOK_SECONDS >= STILL_SECONDS:
                stopped = any(state in "Tt" for worker in self._workers for state in _states(worker.pid))
                self.hung = "was stopped" if stopped else "waits for something that does not come"
                for worker in self._workers:
                    worker.kill()  # also ends a stopped process, and a hand-over that this process waits for
                return

    def _activity(self) -> int | None:
        """Return the processor time of all workers, in ticks; None if one is busy or has ended, or this cannot be seen."""
        ticks = 0
        for worker in self._workers:
            states, used = _states(worker.pid), _ticks(worker.pid)
            if not states or used is None or not set(states) <= set("STt"):
                return None
            ticks += used
        return ticks


def _states(pid: int) -> list[str]:
    """Return the state of each thread of a process: R computes, D waits for a disk, S sleeps, T and t are stopped.

    Empty if the process has ended or cannot be seen.
    """
    found: list[str] = []
    with suppress(OSError, IndexError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                found.append((thread / "stat").read_text().rpartition(") ")[2][0])
    return found


def _ticks(pid: int) -> int | None:
    """Return the processor time that a process has used; None if it is not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return int(fields[11]) + int(fields[12])
    except (OSError, ValueError, IndexError):
        return None


def worker_failure(error: Exception, watch: WorkerWatch) -> str | None:
    """Say in one line what is wrong with the workers.

    Args:
        error: What reading a batch raised.
        watch: Knows whether the workers were ended because they did nothing.

    Returns:
        The line; None if a worker raised the error while it worked on an image.
    """
    text = (str(error).splitlines() or [""])[0]
    if watch.hung:
        quiet = f"has done nothing for {STILL_SECONDS:g} s (it {watch.hung})"
        return f"a process that decodes images {quiet} and was ended; {WAY_OUT}"
    if text.startswith("Caught "):
        return None
    if isinstance(error, RuntimeError) and not text.startswith((*DEAD_WORKER, *LOST_FILES)):
        return None
    if isinstance(error, RuntimeError | ConnectionError | EOFError | FileNotFoundError) and not text.startswith(
        LOST_FILES
    ):
        return f"a process that decodes images was killed (out of memory?); {WAY_OUT}"
    reason = (
        "Too many open files; ulimit -n" if text.startswith(LOST_FILES) else getattr(error, "strerror", None) or text
    )
    return f"decoded images cannot be handed over ({reason}); {WAY_OUT}"


def ignore_interrupts(worker: int) -> None:
    """Ignore Ctrl-C and hang-up in a worker: they reach every process of the run, and the main process decides when to stop."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
