"""The processes of one run: those that torchrun or srun started, or this one alone.

They share the folder of the results file. Each extracts the features of some shards; rank 0 measures and writes. What they tell
each other is small, so gloo carries it on CPU and GPU machines alike, and notices at once when one of them is gone.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

from sing_compute.errors import OtherRankError, SingError

T = TypeVar("T")
PATIENCE = timedelta(days=7)
"""How long a process waits for slower ones; one that is gone is noticed by its closed connection, not by this."""
JOINING = timedelta(minutes=10)
"""How long the processes wait for all to arrive."""


class Ranks:
    """This process among those of its run. With one process nothing is imported and nothing is waited for.

    Raises:
        SingError: Another process of the run is gone, or its address is not known.
    """

    def __init__(self, rank: int = 0, size: int = 1, local: int = 0) -> None:
        self.rank, self.size, self.local = rank, size, local
        """Place among all processes, how many there are, and place among those of this machine."""

    @classmethod
    def from_environment(cls) -> "Ranks":
        """Join the processes that a launcher started together, as its environment variables tell.

        Raises:
            SingError: srun started several processes on several machines and MASTER_ADDR is not set; or not all arrive.
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
        """Whether this is the only process."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this is the one that talks, measures and writes."""
        return self.rank == 0

    def share(self, make: Callable[[], T]) -> T:
        """What rank 0 makes, on all ranks."""
        if self.alone:
            return make()
        import torch.distributed as dist

        with self.agreeing():
            box: list[Any] = [make() if self.first else None]
        with _noticing():
            dist.broadcast_object_list(box, src=0)
        found: T = box[0]
        return found

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """Wait at the end of the block for all; a user's mistake on one rank ends the run on all, and is said once.

        Raises:
            SingError: On the lowest rank that had one: its own.
            OtherRankError: On all others.
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
        failed = [rank for rank, wrong in enumerate(self.gather(own is not None)) if wrong]
        if own and self.rank == failed[0]:
            raise own
        if failed:
            raise OtherRankError(failed[0]) from own

    def wait(self) -> None:
        """Until all have come so far."""
        with self.agreeing():
            pass

    def gather(self, own: T) -> list[T]:
        """What each rank has, on all ranks."""
        if self.alone:
            return [own]
        import torch.distributed as dist

        found: list[Any] = [None] * self.size
        with _noticing():
            dist.all_gather_object(found, own)
        return found

    def part(self, items: Sequence[T]) -> list[T]:
        """Every size-th item: this rank's share."""
        return list(items[self.rank :: self.size])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye; nothing is waited for. A mistake of another process than the first says whose it is."""
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
        try:
            # torchrun's agent keeps the store that the processes meet in, where it has one.
            store, _, _ = next(rendezvous("env://", self.rank, self.size, timeout=JOINING))
            dist.init_process_group("gloo", store=store, rank=self.rank, world_size=self.size, timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise SingError(
                f"the {self.size} processes of this run did not find each other at {os.environ['MASTER_ADDR']}: {reason}"
            ) from error


@contextmanager
def _noticing() -> Iterator[None]:
    """Turn the end of another process into one line."""
    try:
        yield
    except RuntimeError as error:  # gloo has no type of its own for a closed connection
        raise SingError(
            "another process of this run is gone; finished work is kept, and the same command goes on where it was"
        ) from error
