"""Lock the folder of unfinished work for one run, and notice when the folder has become that of another run."""

import os
import shutil
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sing_compute.atomic_write import lock_failure
from sing_compute.errors import SingError

TRIES = 5
"""Tries to lock a folder that another run is removing at the same moment."""


class FolderLock:
    """One run's hold on a folder: a lock, and a file `owner` that names the run.

    The lock alone is not enough: if somebody removes the folder while the run goes on, another run can make and lock a new
    folder of the same name, and both would write there.
    """

    def __init__(self, folder: Path, output: Path) -> None:
        """Describe the hold; `acquire` or `join` begins it.

        Args:
            folder: The folder.
            output: The results file, for messages.
        """
        self.folder, self._output = folder, output
        self._lock = FileLock(folder / "lock")
        self._owner = folder / "owner"
        self._run = ""
        """Content of `owner` as long as the folder is this run's; empty if it could not be written or is not known yet."""

    def acquire(self) -> None:
        """Make the folder and lock it.

        Raises:
            SingError: Another run has locked it, or it cannot be made or locked.
        """
        for left in reversed(range(TRIES)):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SingError(
                    f"cannot write next to {self._output}: {error.strerror or error}; choose another -o"
                ) from error
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # without flock a file that names its owner is the lock
                    self._lock.acquire(timeout=0)
            except Timeout:
                if not left or Path(self._lock.lock_file).exists():
                    raise SingError(
                        f"{self._output} is being written by {self._holder()}; wait for it, or choose another -o"
                    ) from None
            except OSError as error:
                if not left or self.folder.exists():
                    raise SingError(lock_failure(self.folder, error)) from error
            else:
                if Path(self._lock.lock_file).exists():
                    break
                self._lock.release()  # the run before this one has just removed the folder
        run = f"process {os.getpid()} on {os.uname().nodename}\n{uuid.uuid4()}\n"
        with suppress(OSError):  # The disk may be full; then the first file that is needed ends the run.
            self._owner.write_text(run)
            self._run = run

    def join(self) -> None:
        """Remember which run holds the folder, in a process of the same run that has not locked it itself."""
        with suppress(OSError):
            self._run = self._owner.read_text()

    def check(self) -> None:
        """Check that the folder is still that of this run; a folder that is missing is left to whoever needs a file of it.

        Raises:
            SingError: The folder was removed, and there is another one in its place.
        """
        if self.is_held:
            return
        raise SingError(
            f"{self.folder} was removed while this run went on, and made anew by {self._holder()}: this run ends here and "
            "leaves it alone; what it had finished is lost"
        )

    @property
    def is_held(self) -> bool:
        """True unless another folder has taken the place of the one that this run holds."""
        if not self._run:
            return True
        try:
            return self._owner.read_text() == self._run
        except UnicodeDecodeError:
            return False
        except FileNotFoundError:
            return not self.folder.exists()
        except OSError:
            return True  # The disk does not answer; whoever needs a file of it says so.

    def release(self, *, remove: bool) -> None:
        """Unlock the folder.

        Args:
            remove: Remove it, too, with all that is in it, if it is still that of this run.
        """
        removing = remove and self.is_held
        if removing:  # before it is unlocked: a run that locks it then must not lose it
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()
        if removing:
            with suppress(OSError):  # A network file system keeps the name of an open file until now.
                self.folder.rmdir()

    def _holder(self) -> str:
        """Name the run that holds the folder."""
        with suppress(OSError, ValueError, IndexError):
            return self._owner.read_text().strip().splitlines()[0]
        return "another run"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an error of the disk into a one-line message.

    Args:
        path: The file or folder that is read.

    Raises:
        SingError: The block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        way_out = "add --fresh to start over" if isinstance(error, IsADirectoryError) else "the same command goes on"
        raise SingError(f"cannot read {path}: {error.strerror or error}; {way_out}") from error


def check_regular(output: Path) -> None:
    """Check that a results file can have this name: a pipe or a device must be neither read nor replaced.

    Args:
        output: The results file, which may be missing.

    Raises:
        SingError: There is something else of this name.
    """
    with reading(output):
        if output.exists() and not output.is_file():
            raise SingError(f"-o {output}: this is not a regular file; give the name of a file, e.g. results.h5")
