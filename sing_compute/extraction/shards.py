"""Store finished work on disk: a run that was killed continues with the first missing shard."""

import json
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sing_compute.atomic_write import lock_failure, write_bytes, write_failure
from sing_compute.errors import SingError

SHARD_IMAGES = 256
"""Images in one shard: a run that is killed loses at most so much work."""
CONTENT = "content"
"""Name of the content hashes of the images, among the tensors of a shard; a shard of stored features has none."""
LATE_SECONDS = 90.0
"""Longest wait for a shard that another machine has written: network file systems cache the list of a folder for a minute."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Features of consecutive images of a run."""

    rows: Tensor
    """Row in the image list of each image that was read, (image)."""
    tensors: dict[str, Tensor]
    """Features and other results by name, image first."""
    failed: list[tuple[int, str]]
    """Row and reason of each image that could not be read."""
    turned: list[int] = field(default_factory=list)
    """Row of each image whose EXIF orientation says that it is not stored upright."""


class WorkFolder:
    """`results.h5.work/`: the plan of a run and its feature shards, locked while the run lasts.

    Processes that share a run share its folder: one locks it and adopts the plan, then the others join. All may write and
    read shards; the process that locked the folder must be the last to release it.
    """

    def __init__(
        self,
        output: Path,
        *,
        fresh: bool,
        stop: Callable[[], None] = lambda: None,
        warn: Callable[[str], None] = lambda text: None,
        joined: bool = False,
    ) -> None:
        """Make and lock the work folder next to `output`, or join it.

        Args:
            output: The results file.
            fresh: Delete unfinished work.
            stop: Is called wherever the run may stop without losing work; it raises an error to stop the run.
            warn: Is called with one line about a damaged shard.
            joined: Use the folder that another process of this run has locked.

        Raises:
            SingError: Another run has locked the folder, or it cannot be written.
        """
        self._stop, self._warn, self._joined = stop, warn, joined
        self.folder = output.with_name(output.name + ".work")
        self.progress_file = self.folder / "progress.json"
        """File with the progress of the run; it holds no work, so nothing here depends on it."""
        self.log_file = output.with_name(output.name + ".log")
        """Log of the run's messages; it remains when the folder is removed."""
        self._lock = FileLock(self.folder / "lock")
        if joined:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SingError(f"cannot write next to {output}: {error.strerror}; choose another -o") from error
        owner = self.folder / "owner"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # without flock a file that names its owner is the lock
                self._lock.acquire(timeout=0)
        except Timeout:
            who = (owner.read_text().strip() if owner.exists() else "") or "another run"
            raise SingError(f"{output} is being written by {who}; wait for it, or choose another -o") from None
        except OSError as error:
            raise SingError(lock_failure(self.folder, error)) from error
        with suppress(OSError):  # The disk may be full; only the message above needs this file.
            owner.write_text(f"process {os.getpid()} on {os.uname().nodename}")
        if fresh:
            self._clear()

    def plan(self) -> dict[str, Any] | None:
        """Return the plan of unfinished work; None if there is none. A damaged one raises SingError."""
        return self._read_json(self.folder / "plan.json")

    def adopt_plan(self, plan: Mapping[str, Any], *, replace: bool = False) -> int:
        """Record the plan of this run, or check that unfinished work has the same plan.

        Damaged shards are deleted with a warning.

        Args:
            plan: Everything that the features depend on, as values that JSON can hold.
            replace: Throw unfinished work of another plan away instead of refusing.

        Returns:
            The number of shards that can be reused.

        Raises:
            SingError: The folder holds unfinished work of another plan (the message says what differs), or the plan cannot
                be written.
        """
        path = self.folder / "plan.json"
        text = json.dumps(plan, indent=1, sort_keys=True)
        found = self.plan()
        if found is not None and found != json.loads(text):
            if replace or not any(self.folder.glob("*.safetensors")):
                found = None
            else:
                differing = sorted(
                    key for key in found.keys() | plan.keys() if found.get(key) != json.loads(text).get(key)
                )
                raise SingError(
                    f"{self.folder} holds unfinished work of another command (differs: {', '.join(differing)}); "
                    "run that command again to finish it, or add --fresh to start over"
                )
        if found is None:
            self._clear()
            self._put(path, text.encode())
        for pattern in ("*.tmp", "*.part.h5"):  # left by processes that were killed
            for incomplete in self.folder.glob(pattern):
                incomplete.unlink(missing_ok=True)
        return sum(map(self._check, self.folder.glob("*.safetensors")))

    def keep_settings(self, settings: Mapping[str, Any]) -> None:
        """Record the settings that were chosen for the plan, so that a continued run uses the same ones.

        Args:
            settings: Values that JSON can hold.

        Raises:
            SingError: The file cannot be written.
        """
        self._put(self.folder / "settings.json", json.dumps(settings).encode())

    def settings(self) -> dict[str, Any] | None:
        """Return the settings that `keep_settings` has recorded; None if there are none yet."""
        return self._read_json(self.folder / "settings.json")

    def sees_plan(self) -> bool:
        """Wait for the plan that another process has adopted; return True if this process can see it."""
        self.wait_for(self.folder / "plan.json")
        return (self.folder / "plan.json").exists()

    def write(self, index: int, shard: Shard) -> None:
        """Write a finished shard, by its number, in one step.

        Raises:
            SingError: It cannot be written; the message says how much space the disk has. Earlier shards remain.
        """
        metadata = {"failed": json.dumps(shard.failed), "turned": json.dumps(shard.turned)}
        tensors = {"rows": shard.rows, **shard.tensors}
        content = save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)
        self._put(self._path(index), content)
        self._stop()

    def has(self, index: int) -> bool:
        """Return True if this shard is finished.

        Raises:
            SingError: The disk cannot be read.
        """
        path = self._path(index)
        with _reading(path):
            return path.exists()

    def read(self, index: int, *names: str) -> Shard:
        """Read some tensors of a finished shard.

        Args:
            index: Number of the shard.
            names: Names of the tensors; those that the shard does not have are left out.

        Raises:
            SingError: The shard cannot be read; a damaged one is deleted.
        """
        path = self._path(index)
        self.wait_for(path)
        try:
            with _reading(path), safe_open(path, "pt") as file:
                # Copies are aligned alike in every run; products of views into the file could differ in the last bit.
                wanted = {"rows", *names}.intersection(file.keys())
                tensors = {name: file.get_tensor(name).clone() for name in wanted}
                failed = [(int(row), str(reason)) for row, reason in json.loads(file.metadata()["failed"])]
                turned = [int(row) for row in json.loads(file.metadata().get("turned", "[]"))]
            rows = tensors.pop("rows")
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            path.unlink(missing_ok=True)
            raise SingError(
                f"{path} is damaged ({error}) and thrown away; the same command computes its images again"
            ) from error
        return Shard(rows, tensors, failed, turned)

    def shards(self, count: int, *names: str) -> Iterator[Shard]:
        """Read all `count` shards in order, with the tensors of these names."""
        return (self.read(index, *names) for index in range(count))

    def leave_if_asked(self) -> None:
        """Stop the run here if the user has asked for it; called between pieces of work that write no shard."""
        self._stop()

    def release(self, *, finished: bool) -> None:
        """Unlock the folder, and remove it if nothing in it is needed any more.

        Args:
            finished: True if the results file holds the results. Otherwise only a folder without shards is removed.
        """
        if self._joined:
            return
        done = False
        with suppress(OSError):  # The disk may not exist any more; then nothing is removed.
            done = finished or not any(self.folder.glob("*.safetensors"))
            if done:
                self._clear()
                (self.folder / "owner").unlink(missing_ok=True)
        self._lock.release()
        if done:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _clear(self) -> None:
        for pattern in ("*.safetensors", "plan.json", "settings.json", "*.part.h5", "*.tmp"):
            for path in self.folder.glob(pattern):
                path.unlink()

    def _put(self, path: Path, content: bytes) -> None:
        try:
            write_bytes(path, content)
        except OSError as error:
            raise SingError(write_failure(path, error)) from error

    def _check(self, path: Path) -> bool:
        """Return True if a shard is as long as its header says; delete it if not."""
        try:
            with safe_open(path, "pt"):
                return True
        except (SafetensorError, OSError) as error:
            with suppress(OSError):
                path.unlink()
            self._warn(f"{path} is damaged ({error}) and thrown away; its images are computed again")
        return False

    def wait_for(self, path: Path) -> None:
        """Wait until a file that another machine has written can be seen here, at most `LATE_SECONDS`."""
        self._stop()
        latest = time.monotonic() + LATE_SECONDS
        while not self._can_stop_waiting(path) and time.monotonic() < latest:
            self._stop()
            time.sleep(0.5)

    def _can_stop_waiting(self, path: Path) -> bool:
        """Return True if a file exists, or if it cannot appear any more because the folder is gone."""
        with _reading(path):
            if path.exists() or not self.folder.exists():
                return True
            os.listdir(self.folder)  # makes a network file system read the folder again
            return False

    @staticmethod
    def _read_json(path: Path) -> dict[str, Any] | None:
        """Return the content of a JSON file of the folder; None if the file does not exist."""
        try:
            with _reading(path):
                found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        except ValueError as error:
            raise SingError(f"{path} is damaged ({error}): add --fresh to start over") from error
        return found

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.safetensors"


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn an error of the disk into a one-line message."""
    try:
        yield
    except OSError as error:
        raise SingError(f"cannot read {path}: {error.strerror or error}; the same command goes on") from error


def shard_rows(images: int) -> list[range]:
    """Return the rows of the image list that each shard holds, for a number of images."""
    return [range(start, min(start + SHARD_IMAGES, images)) for start in range(0, images, SHARD_IMAGES)]
