"""Store finished work on disk: a run that was killed continues with the first missing shard."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sing_compute.atomic_write import followed, write_bytes, write_failure
from sing_compute.errors import SingError
from sing_compute.extraction.folder_lock import FolderLock, check_regular, reading
from sing_compute.extraction.shard_check import misfit_lines, misfits
from sing_compute.extraction.shard_file import Shard, read_shard, shard_content
from sing_compute.images.listing import ImageList
from sing_compute.sealed_file import SealError, checksum

LATE_SECONDS = 90.0
"""Longest wait for a shard that another machine has written: network file systems cache the list of a folder for a minute."""


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
            warn: Is called with one line about shards that are thrown away.
            joined: Use the folder that another process of this run has locked.

        Raises:
            SingError: Another run has locked the folder, it cannot be written, or `output` is something else than a file.
        """
        check_regular(output)
        self._stop, self._warn, self._joined = stop, warn, joined
        self.output = output = followed(output)
        self.folder = output.with_name(output.name + ".work")
        self.progress_file = self.folder / "progress.json"
        """File with the progress of the run; it holds no work, so nothing here depends on it."""
        self.log_file = output.with_name(output.name + ".log")
        """Log of the run's messages; it remains when the folder is removed."""
        self._lock = FolderLock(self.folder, output)
        self.plan_sha256 = ""
        """SHA-256 of the adopted plan: what everything in the folder belongs to. Empty before a plan is adopted."""
        if joined:
            return
        self._lock.acquire()
        if fresh:
            with reading(self.folder):
                self._clear()

    def plan(self) -> dict[str, Any] | None:
        """Return the plan of unfinished work; None if there is none. A damaged one raises SingError."""
        found = self._read_json(self.folder / "plan.json")
        if found is not None and not isinstance(found, dict):
            raise SingError(f"{self.folder / 'plan.json'} is damaged (no plan): add --fresh to start over")
        return found

    def adopt_plan(
        self,
        plan: Mapping[str, Any],
        *,
        replace: bool = False,
        images: ImageList | None = None,
        advance: Callable[[int], None] = lambda count: None,
    ) -> int:
        """Record the plan of this run, or check that unfinished work has the same plan.

        Shards that are damaged, of another plan or in another's place, or older than one of their images are deleted with a
        warning.

        Args:
            plan: Everything that the features depend on, as values that JSON can hold.
            replace: Throw unfinished work of another plan away instead of refusing.
            images: The images of the run in their order; None if the shards are not made of images.
            advance: Is called with the number of shards that have been checked since its last call.

        Returns:
            The number of shards that can be reused.

        Raises:
            SingError: The folder holds unfinished work of another plan (the message says what differs), a shard cannot be
                read, or the plan cannot be written.
            ImagesError: The images' disk does not exist any more.
        """
        with reading(self.folder):
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
                    fresh = (
                        ": --fresh would also replace the results file" if self.output.exists() else ", as --fresh does"
                    )
                    raise SingError(
                        f"{self.folder} holds unfinished work of another command (differs: {', '.join(differing)}); "
                        f"run that command again to finish it; or remove that folder, which drops its work alone{fresh}"
                    )
            if found is None:
                self._clear()
                self._put(path, text.encode())
            self.plan_sha256 = _sha256_of(plan)
            for pattern in ("*.tmp", "*.part.h5"):  # left by processes that were killed
                for incomplete in self.folder.glob(pattern):
                    incomplete.unlink(missing_ok=True)
            shards = self.finished
            reasons = misfits(shards, self.plan_sha256, images, self._stop, advance)
            for shard in reasons:
                shard.unlink(missing_ok=True)
            for line in misfit_lines(reasons):
                self._warn(line)
            return len(shards) - len(reasons)

    @property
    def finished(self) -> list[Path]:
        """Files of all finished shards, in their order."""
        return sorted(self.folder.glob("[0-9]" * 6 + ".safetensors"))

    def keep_settings(self, settings: Mapping[str, Any]) -> None:
        """Record the settings that were chosen for the plan, so that a continued run uses the same ones.

        Args:
            settings: Values that JSON can hold.

        Raises:
            SingError: The file cannot be written.
        """
        text = json.dumps(settings)
        facts = {"settings": text, "plan": self.plan_sha256, "checksum": checksum(text.encode())}
        self._put(self.folder / "settings.json", json.dumps(facts).encode())

    def settings(self) -> dict[str, Any] | None:
        """Return the settings that `keep_settings` has recorded; None if there are none yet. Damaged ones raise SingError."""
        path = self.folder / "settings.json"
        facts = self._read_json(path)
        if facts is None:
            return None
        try:
            text = facts["settings"]
            whole = (facts["plan"], facts["checksum"]) == (self.plan_sha256, checksum(text.encode()))
            found: dict[str, Any] = json.loads(text) if whole else {}
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise SingError(f"{path} is damaged, or of another plan: add --fresh to start over")
        return found

    def sees_plan(self) -> bool:
        """Wait for the plan that another process has adopted; return True if this process can see it."""
        self.wait_for(self.folder / "plan.json")
        plan = self.plan()
        if plan is None:
            return False
        self._lock.join()
        self.plan_sha256 = _sha256_of(plan)
        return True

    def write(self, index: int, shard: Shard) -> None:
        """Write a finished shard, by its number, in one step.

        Raises:
            SingError: It cannot be written; the message says how much space the disk has. Earlier shards remain. Or the folder is
                another run's by now.
        """
        self._know_plan()
        self._put(self._path(index), shard_content(shard, index, self.plan_sha256))
        self._stop()

    def has(self, index: int) -> bool:
        """Return True if this shard is finished.

        Raises:
            SingError: The disk cannot be read.
        """
        path = self._path(index)
        with reading(path):
            return path.exists()

    def read(self, index: int, *names: str) -> Shard:
        """Read some tensors of a finished shard, and check that they are what was written for this plan and number.

        Args:
            index: Number of the shard.
            names: Names of the tensors; those that the shard does not have are left out.

        Raises:
            SingError: The shard cannot be read; one that does not fit is deleted. Or the folder is another run's by now.
        """
        path = self._path(index)
        self.wait_for(path)
        self._know_plan()
        self._lock.check()
        try:
            with reading(path):
                return read_shard(path, self.plan_sha256, *names)
        except SealError as error:
            path.unlink(missing_ok=True)
            raise SingError(
                f"{path} is {error} and is thrown away; the same command computes its images again"
            ) from error

    def shards(self, count: int, *names: str) -> Iterator[Shard]:
        """Read all `count` shards in order, with the tensors of these names."""
        return (self.read(index, *names) for index in range(count))

    def leave_if_asked(self) -> None:
        """Stop the run here if the user has asked for it, or if the folder is another run's by now.

        It is called between pieces of work that write no shard, and before a results file gets its name.
        """
        self._stop()
        self._lock.check()

    def release(self, *, finished: bool) -> None:
        """Unlock the folder, and remove it if nothing in it is needed any more.

        Args:
            finished: True if the results file holds the results. Otherwise only a folder without shards and probes is removed.
        """
        if self._joined:
            return
        done = finished
        with suppress(OSError):  # The disk may not exist any more; then nothing is removed.
            kept = (path for pattern in ("*.safetensors", "*.probe") for path in self.folder.glob(pattern))
            done = finished or not any(kept)
        self._lock.release(remove=done)

    def _know_plan(self) -> None:
        """Read the plan in a process that has joined, so that it never takes a shard for one of another plan."""
        if self._joined and not self.plan_sha256:
            self.sees_plan()

    def _clear(self) -> None:
        for pattern in ("*.safetensors", "plan.json", "settings.json", "*.part.h5", "*.tmp"):
            for path in self.folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _put(self, path: Path, content: bytes) -> None:
        self._lock.check()
        try:
            write_bytes(path, content)
        except OSError as error:
            raise SingError(write_failure(path, error)) from error

    def wait_for(self, path: Path) -> None:
        """Wait until a file that another machine has written can be seen here, at most `LATE_SECONDS`."""
        self._stop()
        latest = time.monotonic() + LATE_SECONDS
        while not self._can_stop_waiting(path) and time.monotonic() < latest:
            self._stop()
            time.sleep(0.5)

    def _can_stop_waiting(self, path: Path) -> bool:
        """Return True if a file exists, or if it cannot appear any more because the folder is gone."""
        with reading(path):
            if path.exists() or not self.folder.exists():
                return True
            os.listdir(self.folder)  # makes a network file system read the folder again
            return False

    @staticmethod
    def _read_json(path: Path) -> Any:
        """Return the content of a JSON file of the folder; None if the file does not exist."""
        try:
            with reading(path):
                return json.loads(path.read_text()) if path.exists() else None
        except (ValueError, RecursionError) as error:
            raise SingError(f"{path} is damaged ({error}): add --fresh to start over") from error

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.safetensors"


def _sha256_of(plan: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a plan: the same before it is written and after it is read."""
    return hashlib.sha256(json.dumps(json.loads(json.dumps(plan)), sort_keys=True).encode()).hexdigest()
