"""Mutated results files through everything that reads one: the part `stores` of the attack.

Every file must end well or with one line, within a bounded time and memory. The files are read in child processes, so that a
crash of the HDF5 library or a hang (a watchdog ends the child) is seen as such and its number is named.
"""

import contextlib
import faulthandler
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve()
for place in (HERE.parents[1] / "sing_tui", HERE.parents[1], HERE.parent):
    if str(place) not in sys.path:
        sys.path.append(str(place))

from attempts import Attempt, drawn  # noqa: E402

PATIENCE = 90
"""Seconds after which a reader that has not come back is ended."""
SECONDS = 5.0
"""Seconds of a processor that one reader may take to answer, after the time that a sound file takes, too."""
MEMORY = 2**30
"""Bytes that a reader may hold more than it did before the file."""
ADDRESSES = 9 * 2**30
SCREENS, THOROUGH = 20, 4
"""Every so many files are shown on a screen, too, and every so many go through every verb and every export."""


def sources(folder: Path) -> dict[str, bytes]:
    """Good files to start from."""
    from stores import write_store

    rich = write_store(folder / "rich.h5", groups=("in", "out"), concepts=12, images_per_class=(9, 5, 1, 0))
    bare = write_store(folder / "bare.h5", models=("alpha", "beta"), concepts=5, null_space=False)
    return {"rich": rich.read_bytes(), "bare": bare.read_bytes()}


def read_file(
    seed: int, number: int, path: Path, source: dict[str, bytes], screens: int, thorough: int
) -> tuple[str, str]:
    """Make one file and read it in every way; give the kind of mutation, and how opening it ended."""
    from bombs import BOMBS
    from exports import every_export, every_verb
    from mutations import MUTATIONS
    from readers import attempt, expect, explore, load_frames, read_tables, verify_command, write_csv

    from sing_compute.store import Store

    rng = drawn(seed, "stores", number)
    made = MUTATIONS | BOMBS
    path.write_bytes(source["rich" if rng.random() < 0.9 else "bare"])
    kind = rng.choice([*made, "flip", "flip", "flip_heads", "values"])
    with contextlib.suppress(
        KeyError, OSError, ValueError, RuntimeError, TypeError, IndexError
    ):  # no such place in this file
        made[kind](rng, path)
    before = path.read_bytes()
    ways = [read_tables, write_csv, verify_command, load_frames]
    ways += [explore] if number % screens == 0 else []
    ways += [every_verb, every_export] if number % thorough == 0 else []
    opened = attempt(lambda: Store(path).close() or True)
    for way in ways:
        faulthandler.dump_traceback_later(PATIENCE * (1 if way not in (explore, every_export) else 4), exit=True)
        begun = Price()
        try:
            attempt(lambda way=way: way(path, drawn(seed, way.__name__, number)))
            begun.check(kind in BOMBS and way not in (explore, every_export, every_verb))
        except BaseException as error:
            error.add_note(f"in {way.__name__} of file {number}, mutation {kind}")
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
    expect(path.read_bytes() == before, "the file was changed")
    return kind, "opened" if opened else "refused"


class Price:
    """Time and memory of a reader, counted from now: seconds of this process, and memory at its highest."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the highest memory is that of now
        self._memory, self._seconds = memory_at_most(), time.process_time()

    def check(self, timed: bool) -> None:
        """Fail if it is more than promised."""
        from readers import expect

        seconds, taken = time.process_time() - self._seconds, memory_at_most() - self._memory
        expect(taken < MEMORY, f"{taken / 2**30:.2f} GiB of memory")
        expect(not timed or seconds < 4 * SECONDS, f"{seconds:.1f} s")  # several questions in one reader


def memory_at_most() -> int:
    """Return the highest resident memory of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def settle() -> None:
    """Make every warning an error, and an unexpected error of the explorer the end of the process."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    os.environ["TERM"] = "xterm-256color"
    from sing_tui import error_reporting, loading
    from sing_tui.screens import background, finder, photograph, search, table, table_reading

    told = error_reporting.in_one_line

    def strict(error: Exception) -> str:
        from sing_compute.errors import SingError

        if not isinstance(error, SingError):
            error.add_note("this would be a line on the screen, but it is no StoreError")
            sys.excepthook(type(error), error, error.__traceback__)
            sys.stderr.flush()
            os._exit(1)
        return told(error)

    for module in (loading, background, finder, photograph, search, table, table_reading):
        module.in_one_line = strict
    import pandas  # noqa: F401  (its own warnings are not ours)
    import textual_plotext  # noqa: F401

    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", category=ResourceWarning)


def work(seed: int, first: int, last: int, screens: int, thorough: int = THOROUGH) -> None:
    """A child: read the files of some numbers; the first one that goes wrong ends it."""
    settle()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
        os.chdir(folder)
        source = sources(Path(folder))
        for number in range(first, last):
            print(f"number {number}", flush=True)
            path = Path(folder) / f"results{number}.h5"
            kind, end = read_file(seed, number, path, source, screens, thorough)
            print(f"done {kind} {end}", flush=True)
            for each in Path(folder).glob(f"*{number}*"):
                each.unlink()


def attack(seed: int, numbers: range, *, screens: int = SCREENS, thorough: int = THOROUGH) -> Iterator[Attempt]:
    """Read mutated files in children, each beginning behind the file that ended the one before.

    Args:
        seed: Of all choices.
        numbers: Of the files.
        screens: Every so many are shown on a screen, too.
        thorough: Every so many go through every verb and every export, too.
    """
    first = numbers.start
    while first < numbers.stop:
        words = [str(word) for word in (seed, first, numbers.stop, screens, thorough)]
        surroundings = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            child = subprocess.Popen(
                [sys.executable, str(HERE), *words], stdout=subprocess.PIPE, stderr=said, text=True, env=surroundings
            )
            try:
                for line in child.stdout:
                    what, *rest = line.split()
                    if what == "number":
                        first = int(rest[0])
                    elif what == "done":
                        yield Attempt("stores", first, rest[0], rest[1])
                        first += 1
                code = child.wait()
            finally:
                child.kill()
                child.wait()
                child.stdout.close()
            if code == 0:
                return
            said.seek(0)
            yield Attempt("stores", first, "?", "failed", f"exit code {code}: {said.read()[-3000:]}")
            first += 1


if __name__ == "__main__":
    work(*map(int, sys.argv[1:6]))
