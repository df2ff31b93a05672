"""Work folders of a planned run, and the shards in them."""

from pathlib import Path

import torch

from sing_compute.extraction.shard_file import Shard
from sing_compute.extraction.shards import WorkFolder

PLAN = {"models": {"a": ["sha", "transform"]}, "clip": {"tag": "x"}, "batch size": 64, "version": "1"}


def shard(start: int) -> Shard:
    rows = torch.arange(start, start + 4)
    failed = [(start + 4, 'cannot identify "ünknown"')]
    return Shard(rows, {"a/features": rows[:, None] * torch.ones(4, 3), "clip": rows.double()}, failed)


def opened(output: Path, *, fresh: bool = False, plan: dict[str, object] = PLAN) -> WorkFolder:
    work = WorkFolder(output, fresh=fresh)
    work.adopt_plan(plan)
    return work


def unfinished(output: Path) -> None:
    """A run that was stopped after two shards."""
    work = opened(output)
    work.write(0, shard(0))
    work.write(1, shard(5))
    work.release(finished=False)
