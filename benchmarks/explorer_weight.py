"""Measure the bytes that the explorer sends to the terminal, its memory, and the export of all images as CSV."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from explorer_report import Figure, spread
from explorer_session import ANSI, SIZES, Bench, named
from terminal import Terminal, sent

BUDGETS = {("80x24", "default"): (400, 4000), ("80x24", "ansi"): (300, 2800)}
NONE = (float("nan"), float("nan"))


def line_bytes(bench: Bench) -> Iterator[Figure]:
    """Measure bytes per key in the table of all images; the details pane is painted 80 ms later and counted separately."""
    for size in SIZES:
        for theme, environment in (("default", None), ("ansi", ANSI))[: 1 + (size[0] < 100)]:
            where = f"{named(size)} {theme} theme"
            cursor_goal, row_goal = BUDGETS.get((named(size), theme), NONE)
            with bench.at("images", size=size, theme=environment) as app:
                painted = app.here
                app.press("down", pause=0.3)
                cursor = [_at_once(app, "down") for _ in range(8)]
                app.send("j" * size[1])
                app.wait_quiet(0.4)
                rows = [_at_once(app, "down") for _ in range(8)]
                pages = [_at_once(app, "pagedown") for _ in range(4)]
                whole = app.press("down", pause=0.5).size
                app.wait_quiet(0.3)
                burst = app.press(b"j" * 60, pause=0.3)
            yield Figure("bytes per cursor key, most", where, max(cursor), "B", cursor_goal, headline=True)
            yield Figure("bytes per scrolled row, most", where, max(rows), "B", row_goal, headline=True)
            yield Figure("bytes per page, most", where, max(pages), "B")
            yield Figure("bytes per scrolled row and its details", where, whole, "B")
            yield Figure("bytes of the start", where, painted, "B")
            yield Figure("bytes of 60 keys at once", where, burst.size, "B", note=f"{burst.frames} frames")


def _at_once(app: Terminal, key: str) -> int:
    """Return the bytes that the explorer sends within 75 ms after a key."""
    before, moment = app.here, app.send(sent(key))
    app.wait_quiet(0.12 if app.size[0] < 100 else 0.25)
    return max((length for at, length in app.pieces if at < moment + 0.075), default=before) - before


def memory(bench: Bench) -> Iterator[Figure]:
    """Measure resident memory above an empty Textual app's, after opening, sorting (without ranking) and paging all images."""
    facts, limit = bench.facts, 60.0
    for size in SIZES[: bench.count(2, 1)]:
        with bench.at("images", size=size) as app:
            for what, keys in (
                ("opened", b""),
                (
                    "sorted",
                    b"\x1b[C" * (facts.columns.index("confidence") - facts.columns.index("image_score")) + b"sss",
                ),
                ("paged", b"\x1b[6~" * bench.count(200, 20)),
                ("end and home", b"GgGg"),
            ):
                app.send(keys)
                app.wait_quiet(0.6)
                now, most = (part - bench.size_of_empty for part in app.memory())
                where, note = f"{named(size)} {facts.images:,} images, {what}", f"at most {most / 1e6:.0f} MB"
                yield Figure("memory above an empty app", where, now / 1e6, "MB", limit, note, headline=True)
        yield Figure("memory above an empty app, at most", named(size), most / 1e6, "MB", limit, headline=True)


def csv_headless(bench: Bench) -> Iterator[Figure]:
    """Measure the export of all images as CSV without a screen."""
    target = bench.scratch / "headless.csv"
    target.unlink(missing_ok=True)
    began = time.perf_counter()
    running = subprocess.Popen(bench.command(*bench.options("images"), "--csv", str(target)), stderr=subprocess.PIPE)
    samples: list[int] = []
    try:
        while running.poll() is None and time.perf_counter() - began < 120:
            if (found := _resident(running.pid)) is not None:
                samples.append(found)
            time.sleep(0.05)
        seconds = time.perf_counter() - began
        ended = running.poll()
    finally:
        running.kill()
        said = running.communicate()[1].decode(errors="replace")
    where = f"headless, {bench.facts.images:,} rows"
    if ended:
        yield Figure("CSV", where, float("nan"), "s", 6, f"ended with {ended}: {said[-80:]}", headline=True)
        return
    with open(target, "rb") as written:
        lines = sum(1 for _ in written)
    note = f"{target.stat().st_size / 1e6:.0f} MB, {lines - 1:,} lines" + (
        "" if lines > bench.facts.images else " TOO FEW"
    )
    yield Figure("CSV", where, seconds, "s", 6, note, headline=True)
    yield Figure("CSV, memory at most", where, max(samples) / 1e6, "MB", headline=True)
    growth = (max(samples) - samples[len(samples) // 4]) / 1e6
    yield Figure("CSV, memory it grew by after a quarter of the time", where, growth, "MB", 20, headline=True)
    target.unlink()


def csv_here(bench: Bench) -> Iterator[Figure]:
    """Measure the export of all images as CSV in the background: its time, the answer to keys meanwhile, and cancelling."""
    target, where = bench.scratch / "screen.csv", f"80x24, {bench.facts.images:,} rows"
    target.unlink(missing_ok=True)
    with bench.at("images") as app:
        moment = _export(app, target)
        keys = [app.press("down" if k % 2 else "up", pause=0.08).first for k in range(8)]
        _until_there(app, target)
        seconds = time.perf_counter() - moment
        now, most = (part - bench.size_of_empty for part in app.memory())
    yield Figure("CSV, behind the screen", where, seconds, "s", 6, headline=True)
    yield spread("key to frame while a CSV is written", where, keys, 100, headline=True)
    note = f"above an empty app, at most {most / 1e6:.0f} MB"
    yield Figure("memory after a CSV behind the screen", where, now / 1e6, "MB", 60, note)
    target.unlink(missing_ok=True)
    with bench.at("images") as app:
        _export(app, target)
        app.wait_quiet(0.02, limit=5)
        since, moment = app.here, app.send("\x03")
        try:
            seconds = app.wait(lambda: "cancel" in app.text(since).lower(), limit=2) - moment
        except TimeoutError:
            yield Figure("cancel a CSV", where, float("nan"), "s", note="not offered", headline=True)
            return
        app.wait_quiet(0.5)
        left = [path.name for path in target.parent.glob("*screen.csv*")]
    yield Figure("cancel a CSV", where, seconds, "s", 1, f"left behind: {', '.join(left) or 'nothing'}", headline=True)


def _export(app: Terminal, target: Path) -> float:
    """Open the line for a file name, type this one, and start the export; return the time of the last key."""
    since = app.here
    app.send("e")
    app.wait_for("cancel", since=since)
    app.press(b"\x15", pause=0.3)  # Ctrl+U: empty the line
    since = app.here
    app.send(str(target))
    app.wait_for(target.name[-6:], since=since)
    app.wait_quiet(0.2)
    return app.send("\r")


def _until_there(app: Terminal, target: Path) -> None:
    end = time.perf_counter() + app.limit
    while not target.exists():
        if time.perf_counter() > end or app.status is not None:
            raise TimeoutError(f"no CSV was written; the screen says {app.text(max(0, app.here - 2000))[-200:]!r}")
        app.wait_quiet(0.05)


def _resident(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/status") as opened:
            return next((int(line.split()[1]) * 1024 for line in opened if line.startswith("VmRSS")), None)
    except OSError:
        return None
