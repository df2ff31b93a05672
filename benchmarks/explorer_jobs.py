"""Time the jobs that researchers have: counting, sorting by two columns, looking at a column, the map, the contact sheet."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from explorer_report import Figure, spread
from explorer_session import SIZES, Bench, named
from terminal import Terminal
from terminal_text import visible

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "sing_tui"))  # for planted_photographs.py

PAUSE = 0.5
"""Seconds without output after which a key counts as done."""


def jobs(bench: Bench) -> Iterator[Figure]:
    """Measure each job from its last key to the last byte of what it shows; data that a job reads are read once before."""
    facts = bench.facts
    where = f"80x24 {facts.images:,} images"
    turns = bench.count(5, 2)
    with bench.at("images") as app:
        yield spread("count by class and prediction", where, _counts(app, turns), 300, headline=True)
        yield spread("sort by class, then IS", where, _two_keys(app, facts.columns, turns), 250, headline=True)
        yield spread("look at a column", where, _opened(app, "H", "median", turns)[1], 100, headline=True)
        yield spread("a pair of columns", where, _opened(app, "X", "Spearman", turns)[1], 300, headline=True)
    for size in SIZES:
        with bench.at("classes", size=size) as app:
            shown = f"{named(size)}, classes x concepts"
            drawn, last = _opened(app, "M", "strongest first", turns)
            yield spread("map", shown, drawn, 50, headline=True)
            yield spread("map, with the figures of the pair below it", shown, last, headline=True)
    yield from thumbnails(bench, turns)
    yield from _memory(bench)


def _counts(app: Terminal, turns: int) -> list[float]:
    times = []
    for _ in range(turns + 1):
        app.press("C", pause=0.2)
        app.press(b"class, prediction", pause=0.2)
        times.append(app.press("enter", pause=PAUSE).last)
        app.press("escape", pause=PAUSE)
    return times[1:]


def _two_keys(app: Terminal, columns: Sequence[str], turns: int) -> list[float]:
    """Sort by IS after the class: the cursor goes from IS, which the table is sorted by, to the class and back."""
    step = columns.index("image_score") - columns.index("class")
    times = []
    for turn in range(turns + 1):
        if not turn:
            app.press(b"\x1b[D" * step, pause=0.2)
            app.press("s", pause=PAUSE)
            app.press(b"\x1b[C" * step, pause=0.2)
        times.append(app.press("plus", pause=PAUSE).last)
    return times[1:]


def _opened(app: Terminal, key: str, text: str, turns: int) -> tuple[list[float], list[float]]:
    """Open a screen several times; the first time reads what it shows.

    Returns:
        Seconds until the whole frame had arrived that shows the text, and until the last byte.
    """
    drawn, last = [], []
    for _ in range(turns + 1):
        since, frames = app.here, len(app.frames)
        answer = app.press(key, pause=PAUSE)
        app.wait_for(text, since=since)
        painted = app.frames[frames:]
        arrival = next(at for at, end in painted if text.encode() in visible(bytes(app.output[since:end])))
        drawn.append(arrival - painted[0][0] + answer.first)
        last.append(answer.last)
        app.press("escape", pause=PAUSE)
    return drawn[1:], last[1:]


def thumbnails(bench: Bench, turns: int) -> Iterator[Figure]:
    """Measure a contact sheet up to its last thumbnail: the images of the store need not be here, so some are drawn."""
    from planted_photographs import plant

    path = plant(bench.scratch)
    options = ("--table", "images", "--model", "alpha")
    for size in SIZES:
        times = []
        for _ in range(turns):
            command = [*bench.command()[:-1], str(path), *options]
            with Terminal(command, size=size, environment=bench.environment, limit=60) as app:
                app.wait_for(" 1 of ")
                app.wait_quiet(0.5)
                times.append(app.press("O", pause=PAUSE).last)
        yield spread("contact sheet, all its thumbnails", f"{named(size)}, small images", times, 300, headline=True)


def _memory(bench: Bench) -> Iterator[Figure]:
    """Measure resident memory above an empty Textual app's after all of these jobs in one session."""
    for size in SIZES[: bench.count(2, 1)]:
        with bench.at("images", size=size) as app:
            _counts(app, 1)
            for key in ("H", "X"):
                app.press(key, pause=PAUSE)
                app.press("escape", pause=PAUSE)
            app.press("q", pause=PAUSE)
            for key in ("M", "escape"):
                app.press(key, pause=PAUSE)
            now, most = (part - bench.size_of_empty for part in app.memory())
        note = f"at most {most / 1e6:.0f} MB"
        yield Figure("memory above an empty app", f"{named(size)}, after these jobs", now / 1e6, "MB", 80, note, True)
