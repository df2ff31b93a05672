"""Finished work on disk: a run that is killed goes on with the first shard that is missing."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sing_compute.errors import SingError

SHARD_IMAGES = 256
"""Images in one shard: at most so much work is lost."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Features of a run of images: rows into the ordered image list and tensors by name, and the images that failed."""

    rows: Tensor
    tensors: dict[str, Tensor]
    failed: list[tuple[int, str]]


class WorkFolder:
    """`results.h5.work/`: the plan of a run and its feature shards, locked while the run lasts.

    Raises:
        SingError: Another run holds it, or what lies there belongs to another plan.
    """

    def __init__(self, output: Path, *, fresh: bool, stop: Callable[[], None] = lambda: None) -> None:
        """Take the folder beside `output`; `stop` is called wherever the run may be left without losing work."""
        self._stop = stop
        self.folder = output.with_name(output.name + ".work")
        self.progress_file = self.folder / "progress.json"
        """Where a run says how far it is; it holds no work, so nothing here depends on it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SingError(f"cannot write beside {output}: {error.strerror}; choose another -o") from error
        self._lock = FileLock(self.folder / "lock")
        owner = self.folder / "owner"
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            who = owner.read_text().strip() if owner.exists() else "another run"
            raise SingError(f"{output} is being written by {who}; wait for it, or choose another -o") from None
        except OSError as error:
            raise SingError(f"cannot write in {self.folder}: {error.strerror}; choose another -o") from error
        owner.write_text(f"process {os.getpid()} on {os.uname().nodename}")
        if fresh:
            self._clear()

    def adopt_plan(self, plan: Mapping[str, Any]) -> int:
        """Record the plan, or compare it with the one there; gives the number of shards that can be reused.

        Raises:
            SingError: Unfinished work of another plan lies here; the message says what differs.
        """
        path = self.folder / "plan.json"
        text = json.dumps(plan, indent=1, sort_keys=True)
        found = json.loads(path.read_text()) if path.exists() else None
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
            _write_atomically(path, text.encode())
        return sum(1 for _ in self.folder.glob("*.safetensors"))

    def write(self, index: int, shard: Shard) -> None:
        """Put a finished shard in place in one step."""
        metadata = {"failed": json.dumps(shard.failed)}
        content = save(
            {name: tensor.contiguous() for name, tensor in {"rows": shard.rows, **shard.tensors}.items()}, metadata
        )
        try:
            _write_atomically(self._path(index), content)
        except OSError as error:
            raise SingError(
                f"cannot write {self._path(index)}: {error.strerror}; finished work is kept, the same command goes on"
            ) from error
        self._stop()

    def has(self, index: int) -> bool:
        """Whether this shard is finished."""
        return self._path(index).exists()

    def read(self, index: int, *names: str) -> Shard:
        """A finished shard with the tensors of these names that it has; nothing else of it is read."""
        self._stop()
        try:
            with safe_open(self._path(index), "pt") as file:
                # Copies are aligned alike in every run; products of views into the file could differ in the last bit.
                wanted = {"rows", *names}.intersection(file.keys())
                tensors = {name: file.get_tensor(name).clone() for name in wanted}
                failed = [(int(row), str(reason)) for row, reason in json.loads(file.metadata()["failed"])]
        except (SafetensorError, OSError) as error:
            raise SingError(f"{self._path(index)} is damaged ({error}); add --fresh to start over") from error
        return Shard(tensors.pop("rows"), tensors, failed)

    def shards(self, count: int, *names: str) -> Iterator[Shard]:
        """All shards in order, with the tensors of these names."""
        return (self.read(index, *names) for index in range(count))

    def leave_if_asked(self) -> None:
        """A place where the run may be left; called between pieces of work that leave no shard."""
        self._stop()

    def release(self, *, finished: bool) -> None:
        """Give the folder up; remove it if its work stands in the results file, or if there is none to go on with."""
        done = finished or not any(self.folder.glob("*.safetensors"))
        if done:
            self._clear()
            (self.folder / "owner").unlink(missing_ok=True)
        self._lock.release()
        if done:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _clear(self) -> None:
        for pattern in ("*.safetensors", "plan.json", "*.tmp"):
            for path in self.folder.glob(pattern):
                path.unlink()

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.safetensors"


def shard_rows(images: int) -> list[range]:
    """Rows of each shard."""
    return [range(start, min(start + SHARD_IMAGES, images)) for start in range(0, images, SHARD_IMAGES)]


def _write_atomically(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
