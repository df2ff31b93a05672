"""A results file that a verb adds to: no other process writes it meanwhile, and unfinished work of a run is never lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.process.interruption import Interruption
from sing_compute.process.progress import Progress
from sing_compute.store import Store


@contextmanager
def rewriting(path: Path, progress: Progress, command: str) -> Iterator[tuple[Store, WorkFolder]]:
    """Open a results file that is going to be replaced by one with more in it.

    Args:
        path: The results file.
        progress: Is given what an interruption says; the explorer sees how far the verb has come.
        command: The verb, as the explorer names it.

    Yields:
        The open file and its work folder, which is removed at the end: a verb begins again.

    Raises:
        SingError: There is no such file, another process writes it, or a run has left unfinished work for it.
    """
    Store(path).close()  # fails here if there is no such file, before a work folder is made
    with Interruption(progress.say) as interruption:
        work = WorkFolder(path, fresh=False, stop=interruption.check)
        try:
            if any(work.folder.glob("*.safetensors")) or any(work.folder.glob("*.probe")):
                raise SingError(f"{work.folder} holds unfinished work for {path}: finish that run first")
            with Store(path) as store, progress.record(work.progress_file, command):
                yield store, work
        finally:
            work.release(finished=False)
