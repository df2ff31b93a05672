"""Connect the processes of one run: those that torchrun or srun started, or this one alone.

They share the folder of the results file. Each extracts the features of some shards and measures some models; rank 0 writes. They
send each other little, so gloo serves on CPU and GPU machines alike, and it notices at once when a process ends.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from sing_compute.errors import OtherRankError, SingError
from sing_compute.process.speaking import show

T = TypeVar("T")
LONGEST_WAIT = timedelta(days=7)
"""Longest wait for slower processes. A process that ended is noticed by its closed connection, not by this."""
LONGEST_START = timedelta(minutes=10)
"""Longest wait until all processes have started."""
PATIENCE = 10.0
"""Seconds after which a process that waits for the others says so: it may be alone, with variables left over in its shell."""


class Ranks:
    """This process among the processes of its run. Where it is the only one, nothing is imported and nothing waits."""

    def __init__(self, rank: int = 0, size: int = 1, local: int = 0) -> None:
        """Describe the place of this process.

        Args:
            rank: Its number among all processes of the run, from 0.
            size: Number of processes of the run.
            local: Its number among the processes on this machine, from 0.
        """
        self.rank, self.size, self.local = rank, size, local

    @classmethod
    def from_environment(cls) -> "Ranks":
        """Connect to the other processes that torchrun or srun started, by the environment variables that it set.

        Raises:
            SingError: srun started processes on several machines and MASTER_ADDR is not set; or not all processes connect.
        """
        known = os.environ
        if "RANK" in known and "WORLD_SIZE" in known:
            place = (int(known["RANK"]), int(known["WORLD_SIZE"]), int(known.get("LOCAL_RANK", 0)))
        elif int(known.get("SLURM_STEP_NUM_TASKS", 1)) > 1:
            place = (int(known["SLURM_PROCID"]), int(known["SLURM_STEP_NUM_TASKS"]), int(known["SLURM_LOCALID"]))
            if int(known.get("SLURM_STEP_NUM_NODES", 1)) == 1:
                known.setdefault("MASTER_ADDR", "127.0.0.1")
            known.setdefault("MASTER_PORT", str(20_000 + int(known["SLURM_JOB_ID"]) % 20_000))
        else:
            return cls()
        ranks = cls(*place)
        ranks._join()
        return ranks

    @property
    def alone(self) -> bool:
        """True if this is the only process of the run."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """True for rank 0, which reports to the user and writes the results file."""
        return self.rank == 0

    def share(self, make: Callable[[], T]) -> T:
        """Call a function on rank 0 and return its result on all ranks.

        Args:
            make: Called on rank 0 only; its result must be picklable.

        Raises:
            SingError: `make` raised it on rank 0, or a process has ended.
            OtherRankError: On all other ranks, if `make` raised an error.
        """
        if self.alone:
            return make()
        import torch.distributed as dist

        with self.agreeing():
            box: list[Any] = [make() if self.first else None]
        with _readable_errors():
            dist.broadcast_object_list(box, src=0)
        found: T = box[0]
        return found

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """Wait at the end of the block until all ranks are there; if one raised a SingError, end the run on all of them.

        Raises:
            SingError: The error of this rank, if no lower rank had one: so it is reported once.
            OtherRankError: Another rank had an error.
        """
        own: SingError | None = None
        try:
            yield
        except SingError as error:
            own = error
        if self.alone:
            if own:
                raise own
            return
        failed = [rank for rank, has_error in enumerate(self.gather(own is not None)) if has_error]
        if own and self.rank == failed[0]:
            raise own
        if failed:
            raise OtherRankError(failed[0]) from own

    def wait(self) -> None:
        """Wait until all ranks have called this.

        Raises:
            SingError: A process has ended.
        """
        with self.agreeing():
            pass

    def gather(self, own: T) -> list[T]:
        """Collect one value of each rank, on all ranks.

        Args:
            own: The value of this rank, picklable.

        Returns:
            The values in the order of the ranks.

        Raises:
            SingError: A process has ended.
        """
        if self.alone:
            return [own]
        import torch.distributed as dist

        found: list[Any] = [None] * self.size
        with _readable_errors():
            dist.all_gather_object(found, own)
        return found

    def part(self, items: Sequence[T]) -> list[T]:
        """Return this rank's share of the work: every size-th item, beginning with its own number.

        Args:
            items: The same items on all ranks.
        """
        return list(items[self.rank :: self.size])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect without waiting. The message of an error on another rank than 0 gets the number of the rank."""
        if not self.alone:
            import torch.distributed as dist

            if dist.is_initialized():
                dist.destroy_process_group()
        if isinstance(error, SingError) and not self.first:
            raise SingError(f"rank {self.rank}: {error}") from error

    def _join(self) -> None:
        if self.alone:
            return
        import torch.distributed as dist
        from torch.distributed.rendezvous import rendezvous

        missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
        if missing:
            raise SingError(
                f"{missing[0]} is not set: the {self.size} processes of this run cannot find each other; start them with "
                "torchrun, or export it as in docs/scale.md"
            )
        reminder = threading.Timer(PATIENCE, self._say_what_is_missing)
        reminder.daemon = True
        reminder.start()
        try:
            # Where torchrun's agent keeps the store that the processes meet in, that one is used.
            store, _, _ = next(rendezvous("env://", self.rank, self.size, timeout=LONGEST_START))
            dist.init_process_group("gloo", store=store, rank=self.rank, world_size=self.size, timeout=LONGEST_WAIT)
        except (RuntimeError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise SingError(
                f"the {self.size} processes of this run did not find each other at {os.environ['MASTER_ADDR']}: {reason}; "
                f"if this is the only one, start it again after: unset {' '.join(self._variables)}"
            ) from error
        finally:
            reminder.cancel()

    @property
    def _variables(self) -> list[str]:
        """Variables of the environment that make this process one of several."""
        if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
            return ["RANK", "WORLD_SIZE"]
        return ["SLURM_STEP_NUM_TASKS"]

    def _say_what_is_missing(self) -> None:
        variables = ", ".join(f"{name}={os.environ[name]}" for name in self._variables)
        show(
            f"sing-compute: waiting for the other processes of this run ({variables}) at {os.environ['MASTER_ADDR']}; if this is "
            f"the only one, stop it and type: unset {' '.join(self._variables)}",
            err=True,
        )


@contextmanager
def _readable_errors() -> Iterator[None]:
    """Replace gloo's error about a closed connection by one line for the user."""
    try:
        yield
    except RuntimeError as error:  # gloo has no exception type of its own for a closed connection
        raise SingError(
            "another process of this run is gone; finished work is kept, and the same command goes on where it was"
        ) from error
