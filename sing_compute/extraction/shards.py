"""Finished work on disk: a run that is killed goes on with the first shard that is missing."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sing_compute.atomic_write import write_bytes, write_failure
from sing_compute.errors import SingError

SHARD_IMAGES = 256
"""Images in one shard: at most so much work is lost."""
LATE_SECONDS = 90.0
"""How long a shard of another machine may take to be seen here: network file systems keep what a folder holds for a minute."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Features of a run of images: rows into the ordered image list and tensors by name, and the images that failed."""

    rows: Tensor
    tensors: dict[str, Tensor]
    failed: list[tuple[int, str]]


class WorkFolder:
    """`results.h5.work/`: the plan of a run and its feature shards, locked while the run lasts.

    Processes that share a run share its folder: one takes it and adopts the plan, the others join it after that. All may write
    and read shards; the one that took the folder must be the last to release it.

    Raises:
        SingError: Another run holds it, or what lies there belongs to another plan.
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
        """Take the folder beside `output`, or join it; `stop` is called wherever the run may be left without losing work."""
        self._stop, self._warn, self._joined = stop, warn, joined
        self.folder = output.with_name(output.name + ".work")
        self.progress_file = self.folder / "progress.json"
        """Where a run says how far it is; it holds no work, so nothing here depends on it."""
        self.log_file = output.with_name(output.name + ".log")
        """Where it keeps what it said; it outlives the folder."""
        self._lock = FileLock(self.folder / "lock")
        if joined:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SingError(f"cannot write beside {output}: {error.strerror}; choose another -o") from error
        owner = self.folder / "owner"
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            who = (owner.read_text().strip() if owner.exists() else "") or "another run"
            raise SingError(f"{output} is being written by {who}; wait for it, or choose another -o") from None
        except OSError as error:
            raise SingError(f"cannot write in {self.folder}: {error.strerror}; choose another -o") from error
        with suppress(OSError):  # a full disk: nothing but that message depends on it
            owner.write_text(f"process {os.getpid()} on {os.uname().nodename}")
        if fresh:
            self._clear()

    def adopt_plan(self, plan: Mapping[str, Any]) -> int:
        """Record the plan, or compare it with the one there; gives the number of shards that can be reused.

        Damaged ones are thrown away with a warning.

        Raises:
            SingError: Unfinished work of another plan lies here; the message says what differs. Or the plan cannot be written.
        """
        path = self.folder / "plan.json"
        text = json.dumps(plan, indent=1, sort_keys=True)
        found = self._kept(path)
        if found is not None and found != json.loads(text):
            if not any(self.folder.glob("*.safetensors")):
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
        for pattern in ("*.tmp", "*.part.h5"):  # of processes that were killed
            for torn in self.folder.glob(pattern):
                torn.unlink(missing_ok=True)
        return sum(map(self._check, self.folder.glob("*.safetensors")))

    def keep_settings(self, settings: Mapping[str, Any]) -> None:
        """Record what was resolved for the plan, so that a run that goes on does not resolve it otherwise.

        Raises:
            SingError: It cannot be written.
        """
        self._put(self.folder / "settings.json", json.dumps(settings).encode())

    def settings(self) -> dict[str, Any] | None:
        """What was resolved for the plan; None if nothing was yet."""
        return self._kept(self.folder / "settings.json")

    def is_shared(self) -> bool:
        """Whether the plan that another process has adopted is seen here."""
        self.wait_for(self.folder / "plan.json")
        return (self.folder / "plan.json").exists()

    def write(self, index: int, shard: Shard) -> None:
        """Put a finished shard in place in one step.

        Raises:
            SingError: It cannot be written, with the room that is left; the shards before it are kept.
        """
        metadata = {"failed": json.dumps(shard.failed)}
        content = save(
            {name: tensor.contiguous() for name, tensor in {"rows": shard.rows, **shard.tensors}.items()}, metadata
        )
        self._put(self._path(index), content)
        self._stop()

    def has(self, index: int) -> bool:
        """Whether this shard is finished.

        Raises:
            SingError: The disk does not say.
        """
        path = self._path(index)
        with _reading(path):
            return path.exists()

    def read(self, index: int, *names: str) -> Shard:
        """A finished shard with the tensors of these names that it has; nothing else of it is read.

        Raises:
            SingError: It cannot be read; a damaged one is thrown away.
        """
        path = self._path(index)
        self.wait_for(path)
        try:
            with _reading(path), safe_open(path, "pt") as file:
                # Copies are aligned alike in every run; products of views into the file could differ in the last bit.
                wanted = {"rows", *names}.intersection(file.keys())
                tensors = {name: file.get_tensor(name).clone() for name in wanted}
                failed = [(int(row), str(reason)) for row, reason in json.loads(file.metadata()["failed"])]
            rows = tensors.pop("rows")
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            path.unlink(missing_ok=True)
            raise SingError(
                f"{path} is damaged ({error}) and thrown away; the same command computes its images again"
            ) from error
        return Shard(rows, tensors, failed)

    def shards(self, count: int, *names: str) -> Iterator[Shard]:
        """All shards in order, with the tensors of these names."""
        return (self.read(index, *names) for index in range(count))

    def leave_if_asked(self) -> None:
        """A place where the run may be left; called between pieces of work that leave no shard."""
        self._stop()

    def release(self, *, finished: bool) -> None:
        """Give the folder up; remove it if its work stands in the results file, or if there is none to go on with."""
        if self._joined:
            return
        done = False
        with suppress(OSError):  # a disk that is gone keeps what it holds
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
        """Whether a shard is all there, by its own account of its length; throws it away if not."""
        try:
            with safe_open(path, "pt"):
                return True
        except (SafetensorError, OSError) as error:
            with suppress(OSError):
                path.unlink()
            self._warn(f"{path} is damaged ({error}) and thrown away; its images are computed again")
        return False

    def wait_for(self, path: Path) -> None:
        """Give a file that another machine has written the time to be seen here."""
        self._stop()
        latest = time.monotonic() + LATE_SECONDS
        while not self._seen(path) and time.monotonic() < latest:
            self._stop()
            time.sleep(0.5)

    def _seen(self, path: Path) -> bool:
        """Whether a file is there, or can no longer come."""
        with _reading(path):
            if path.exists() or not self.folder.exists():
                return True
            os.listdir(self.folder)  # asks a network file system anew
            return False

    @staticmethod
    def _kept(path: Path) -> dict[str, Any] | None:
        """What a file of the folder says; None if there is none."""
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
    """Turn what a disk answers into one line."""
    try:
        yield
    except OSError as error:
        raise SingError(f"cannot read {path}: {error.strerror or error}; the same command goes on") from error


def shard_rows(images: int) -> list[range]:
    """Rows of each shard."""
    return [range(start, min(start + SHARD_IMAGES, images)) for start in range(0, images, SHARD_IMAGES)]
