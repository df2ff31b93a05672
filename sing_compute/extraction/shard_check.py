"""Check the shards of unfinished work before a run goes on: what does not fit is named, with the reason."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sing_compute.extraction.folder_lock import reading
from sing_compute.extraction.shard_file import checked_facts, shard_rows, stored_stamps
from sing_compute.images.image_stamps import UNREAD, has_stamps, image_stamps
from sing_compute.images.listing import ImageList
from sing_compute.sealed_file import SealError, open_sealed

READERS = 16
"""Shards that are checked at once: a slow disk answers many requests in the time of one."""
NAMED = 5
"""Shards that are named with their reasons; of more, numbers are given."""


def misfits(
    shards: Sequence[Path],
    plan_sha256: str,
    images: ImageList | None,
    stop: Callable[[], None],
    advance: Callable[[int], None],
) -> dict[Path, str]:
    """Find the shards that cannot be used: damaged ones, those of another plan or number, and those of images that have changed.

    Args:
        shards: Files of shards.
        plan_sha256: SHA-256 of the plan of the run.
        images: Its images in their order; None if the shards are not made of images.
        stop: Is called between shards; it raises an error to stop the run.
        advance: Is called with the number of shards that have been checked since its last call.

    Returns:
        The reason for each shard that cannot be used; it completes `SHARD is ...`.

    Raises:
        SingError: A shard cannot be read.
        ImagesError: The images' disk does not exist any more.
    """
    rows = None if images is None or not has_stamps(images) else shard_rows(len(images))

    def reason(path: Path) -> str:
        try:
            with reading(path), open_sealed(path) as file:
                checked_facts(file, path, plan_sha256)
                file.check()
                stamps = stored_stamps(file).numpy()
        except SealError as error:
            return str(error)
        number = int(path.stem)
        if images is None or rows is None:
            return ""
        if number >= len(rows):
            return "behind the last shard"
        now = image_stamps(images, rows[number])
        if stamps.shape != now.shape:
            return "without the state of its images"
        changed = np.flatnonzero((stamps != now).any(axis=1))
        if not len(changed):
            return ""
        how = "without" if tuple(stamps[changed[0]].tolist()) == UNREAD else "older than"
        return f"{how} {images.path(rows[number][int(changed[0])])}"

    found: dict[Path, str] = {}
    pool = ThreadPoolExecutor(READERS)
    try:
        for path, why in zip(shards, pool.map(reason, shards), strict=True):
            stop()
            advance(1)
            if why:
                found[path] = why
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def misfit_lines(reasons: Mapping[Path, str]) -> list[str]:
    """Return lines that say which shards are thrown away and why.

    Args:
        reasons: As `misfits` returns them.
    """
    lines = [
        f"{path} is {why} and is thrown away; its images are computed again"
        for path, why in list(reasons.items())[:NAMED]
    ]
    more = [int(path.stem) for path in list(reasons)[NAMED:]]
    if more:
        lines.append(f"so are {len(more):,} more shards for such reasons, {more[0]} to {more[-1]}")
    return lines
