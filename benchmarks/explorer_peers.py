"""Measure other programs in the same run: an empty Textual app, Textual's DataTable, and VisiData."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from explorer_report import Figure, spread
from numpy.typing import NDArray
from terminal import Terminal

EMPTY_APP = "from textual.app import App\n\nApp().run()\n"
DATA_TABLE_APP = """
import random
from textual.app import App
from textual.widgets import DataTable

class Rows(App):
    def compose(self):
        yield DataTable(cursor_type="row")
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns(*(f"column {k}" for k in range(8)))
        draw = random.Random(0).gauss
        table.add_rows([(f"image {i:05d}", *(f"{draw(10, 3):.3f}" for _ in range(7))) for i in range(10_000)])

Rows().run()
"""


def data_table(scratch: Path, size: tuple[int, int]) -> Iterator[Figure]:
    """Measure cursor and scroll of Textual's own table with 10,000 rows of 8 columns."""
    script, where = scratch / "data_table.py", f"DataTable, 10,000 rows, {size[0]}x{size[1]}"
    script.write_text(DATA_TABLE_APP)
    with Terminal([sys.executable, str(script)], size=size, limit=60) as peer:
        ready = peer.wait_for("image 00001") - peer.started
        peer.wait_quiet(0.3)
        cursor = [peer.press("down", pause=0.12) for _ in range(10)]
        peer.send("\x1b[B" * size[1])
        peer.wait_quiet(0.3)
        rows = [peer.press("down", pause=0.12) for _ in range(10)]
    yield Figure("peer: first rows", where, ready, "s", headline=True)
    yield spread("peer: key to frame, cursor", where, [answer.first for answer in cursor], headline=True)
    yield spread("peer: key to frame, scrolled row", where, [answer.first for answer in rows])
    yield Figure("peer: bytes per cursor key", where, max(answer.size for answer in cursor), "B", headline=True)
    yield Figure("peer: bytes per scrolled row", where, max(answer.size for answer in rows), "B", headline=True)


def equip(scratch: Path) -> Path | None:
    """Make an environment with VisiData, h5py and pyte, for this run and later ones; return None if that fails."""
    home = scratch / "peers"
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
        wanted = ["visidata", "h5py", "pyte"]
        make = [uv, "venv", "-q", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
        fill = (
            [uv, "pip", "install", "-q", "--python", str(python)] if uv else [str(python), "-m", "pip", "install", "-q"]
        )
        try:
            shutil.rmtree(home, ignore_errors=True)
            subprocess.run([*make, str(home)], check=True, timeout=120, capture_output=True)
            subprocess.run([*fill, *wanted], check=True, timeout=300, capture_output=True)
        except (subprocess.SubprocessError, OSError):
            return None
        (home / "ready").touch()
    sys.path.append(str(next((home / "lib").glob("python*/site-packages"))))  # for pyte: behind everything else
    return home


def visidata(home: Path | None, scratch: Path, values: NDArray[np.floating]) -> Iterator[Figure]:
    """Measure VisiData on one column of the same numbers, as a flat HDF5: opening, sorting descending, memory."""
    where = f"VisiData, one column of {len(values):,}"
    if home is None:
        yield Figure("peer: VisiData", where, float("nan"), "", note="could not be installed", headline=True)
        return
    flat = scratch / "flat.h5"
    values = values[~np.isnan(values)]  # which VisiData would show as errors
    with h5py.File(flat, "w") as file:
        file["score"] = values
    largest = str(np.nanmax(values))
    environment = {"HOME": str(scratch), "XDG_CONFIG_HOME": str(scratch)}
    with Terminal([str(home / "bin" / "vd"), "-N", str(flat)], environment=environment, limit=90) as peer:
        peer.wait_for("Dataset")
        yield Figure("peer: first rows", "VisiData, the list of datasets", peer.pieces[-1][0] - peer.started, "s")
        peer.wait_quiet(0.5)
        before = peer.memory()[0]
        opened = peer.send("\r")
        seconds = _until(peer, lambda lines: f"{len(values)} rows" in lines[-1] and "loading" not in lines[-1]) - opened
        yield Figure("peer: open 1 column", where, seconds, "s", headline=True)
        added = (peer.memory()[0] - before) / 1e6
        yield Figure("peer: memory for 1 column", where, added, "MB", headline=True)
        asked = peer.send("]")
        seconds = _until(peer, lambda lines: _sorted(lines, largest, len(values))) - asked
        yield Figure("peer: sort", where, seconds, "s", headline=True)
        yield Figure("peer: memory at most", where, (peer.memory()[1] - before) / 1e6, "MB")
        peer.wait_quiet(0.5)
        keys = [peer.press("down", pause=0.4) for _ in range(5)]
        yield spread("peer: key to first bytes, cursor", where, [answer.first for answer in keys])
        yield Figure("peer: bytes per cursor key", where, max(answer.size for answer in keys), "B", headline=True)


def _sorted(lines: list[str], largest: str, count: int) -> bool:
    """Return True if VisiData shows all rows again, with the beginning of the largest number at the top."""
    return "sorting" not in lines[-1] and f"{count} rows" in lines[-1] and lines[2].strip().startswith(largest[:4])


def _until(peer: Terminal, shown: Callable[[list[str]], bool]) -> float:
    """Wait for a screen that meets a condition, and return the time of it to 50 ms; `Terminal.screen` cannot read curses."""
    import pyte

    screen = pyte.Screen(*peer.size)
    stream, fed = pyte.ByteStream(screen), 0
    end = time.perf_counter() + peer.limit
    while time.perf_counter() < end:
        there = peer.here + 1
        try:
            peer.wait(lambda least=there: peer.here >= least, limit=0.05)
        except TimeoutError:
            if peer.status is not None:
                raise
        stream.feed(bytes(peer.output[fed:]))
        fed = peer.here
        if shown(screen.display):
            return time.perf_counter()
    raise TimeoutError("VisiData did not come to an end")


def memory_of_empty(scratch: Path) -> int:
    """Return the resident bytes of an empty Textual app at rest after its first paint."""
    with Terminal(empty_app(scratch)) as app:
        app.wait_painted()
        app.wait_quiet(0.5)
        return app.memory()[0]


def empty_app(scratch: Path) -> list[str]:
    """Return the command that starts an app that shows nothing."""
    script = scratch / "empty.py"
    script.write_text(EMPTY_APP)
    return [sys.executable, os.fspath(script)]
