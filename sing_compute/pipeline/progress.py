"""What a run says while it works: a bar with rate and time left on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
LINE_SECONDS = 10.0
"""Shortest time between two plain progress lines."""


class Progress:
    """Messages and progress on standard error; results go to standard output and are not this class's matter."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """A piece of work, of known size or not; call what is given with the number of items done."""
        yield from self._bar(title, total) if self._terminal else self._lines(title, total)

    def _bar(self, title: str, total: int | None) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        with Progress(
            *columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)
        ) as bar:
            task = bar.add_task(title, total=total, rate="")
            start, done = time.monotonic(), 0

            def advance(count: int) -> None:
                nonlocal done
                done += count
                bar.update(task, advance=count, rate=f"{done / max(time.monotonic() - start, 1e-9):.1f}/s")

            yield advance

    def _lines(self, title: str, total: int | None) -> Iterator[Advance]:
        start = last = time.monotonic()
        done, share = 0, f" of {total:,}" if total else ""

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            now = time.monotonic()
            if now - last >= LINE_SECONDS and (total is None or done < total):
                last = now
                rate = done / (now - start)
                left = f", {_clock((total - done) / rate)} left" if total else ""
                self.say(f"{title}: {done:,}{share}, {rate:.1f}/s{left}")

        yield advance
        seconds = time.monotonic() - start
        self.say(f"{title}: {done:,}{share} in {seconds:.1f} s ({done / max(seconds, 1e-9):.1f}/s)")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
