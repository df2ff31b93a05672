"""Mutated results files through everything that reads one: the part `stores` of the attack.

Every file must end well or with one line, within a bounded time and memory. The files are read in forks of a process that has
imported everything, so that a crash of the HDF5 library or a hang (a watchdog ends the fork) is seen as such, its number is
named, and the next fork costs no imports.
"""

import contextlib
import faulthandler
import gc
import json
import mmap
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from importlib import import_module
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
SCREENS, SLOW = 20, 5
"""Every so many files are shown on a screen, too; every so many of those go through the verbs that take ten seconds."""
EARLY = (
    *(
        "pandas",
        "roads",
        "scipy.sparse.csgraph",
        "scipy.stats",
        "textual_plotext",
        "torch",
        "sing_tui.app",
        "sing_tui.cli",
    ),
    *("sing_compute.cli", "sing_compute.questions.heads.checking", "sing_compute.questions.heads.naming"),
    *(f"sing_compute.questions.{name}" for name in ("adding", "agreement", "explaining", "merging", "steering")),
    *("sing_compute.questions.null_words.naming", "sing_compute.figures.output", "sing_compute.report.page"),
)
"""Modules that some reader needs."""
TOGETHER = 40
"""Files that one fork reads, if none ends it."""


def sources(folder: Path) -> dict[str, bytes]:
    """Good files to start from."""
    from stores import write_store

    rich = write_store(folder / "rich.h5", groups=("in", "out"), concepts=12, images_per_class=(9, 5, 1, 0))
    bare = write_store(folder / "bare.h5", models=("alpha", "beta"), concepts=5, null_space=False)
    run = measured(folder / "run")
    return {"rich": rich.read_bytes(), "bare": bare.read_bytes(), "run": run.read_bytes()}


def measured(folder: Path) -> Path:
    """The file of a small run with its features, to which the verbs that add an analysis have added theirs."""
    from small_run import make_inputs

    folder.mkdir()
    options = make_inputs(folder, images=24)
    options[1:2] = ["alpha=slow_net:slow", "--model", "beta=slow_net:slow"]
    added = (["words", "--modes", "2"], ["steer", "--keep"], ["directions", "--model", "alpha", "--count", "2"])
    for words in ([*options, "-o", "run.h5"], *([verb, "run.h5", *rest] for verb, *rest in added)):
        child = os.fork()  # its threads end with it
        if child == 0:
            carried_out(folder, words)
        if os.waitpid(child, 0)[1]:
            raise RuntimeError(f"sing-compute {' '.join(words)} failed")
    return folder / "run.h5"


def carried_out(folder: Path, words: list[str]) -> None:
    """Carry out a command in this process, and end the process."""
    from sing_compute.cli import main

    try:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # our own output is read
        sys.argv = ["sing-compute", *words]
        main()
    except SystemExit as end:
        os._exit(end.code or 0)
    finally:
        traceback.print_exc()
        os._exit(70)


def read_file(seed: int, number: int, path: Path, source: dict[str, bytes], screens: int) -> tuple[str, str]:
    """Make one file and read it in every way; give the kind of mutation, and how opening it ended."""
    from bombs import BOMBS
    from exports import every_export, every_verb, slow_verbs
    from mutations import MUTATIONS
    from readers import attempt, expect, explore, load_frames, read_tables, verify_command, write_csv

    from sing_compute.store import Store

    rng = drawn(seed, "stores", number)
    made = MUTATIONS | BOMBS
    path.write_bytes(source[rng.choices(["rich", "run", "bare"], [5, 4, 1])[0]])
    kind = rng.choice([*made, "flip", "flip", "flip_heads", "values"])
    with contextlib.suppress(
        KeyError, OSError, ValueError, RuntimeError, TypeError, IndexError
    ):  # no such place in this file
        made[kind](rng, path)
    before = path.read_bytes()
    ways = [read_tables, write_csv, verify_command, load_frames, every_verb, every_export]
    ways += [explore] if number % screens == 0 else []
    ways += [slow_verbs] if number % (SLOW * screens) == 0 else []
    several = (every_verb, every_export, slow_verbs, explore)  # of many commands each
    opened = attempt(lambda: Store(path).close() or True)
    for way in ways:
        faulthandler.dump_traceback_later(PATIENCE * (4 if way in several else 1), exit=True)
        begun = Price()
        try:
            attempt(lambda way=way: way(path, drawn(seed, way.__name__, number)))
            begun.check(kind in BOMBS and way not in several)
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
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", category=ResourceWarning)


def preload() -> None:
    """Import what the readers import when they first need it, so that the forks begin with it."""
    gc.disable()
    for name in EARLY:
        import_module(name)
    import torch

    from sing_compute.open_clip_import import import_open_clip

    torch.set_num_threads(1)  # no thread before the forks
    import_open_clip()
    gc.freeze()  # no fork searches these objects for garbage, which would copy their memory
    gc.enable()


def work(seed: int, first: int, last: int, screens: int) -> None:
    """Read the files of some numbers in forks of this process; the first one that goes wrong ends a fork."""
    preload()
    settle()
    reached = mmap.mmap(-1, 8)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
        os.chdir(folder)
        source = sources(Path(folder))
        while first < last:
            with tempfile.TemporaryFile("w+", errors="replace") as said:
                until = min(last, first + TOGETHER)
                child = os.fork()
                if child == 0:
                    os.dup2(said.fileno(), 2)
                    read_files(seed, range(first, until), Path(folder), source, screens, reached)
                    os._exit(0)
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                if code:
                    said.seek(0)
                    first = int.from_bytes(reached[:], "little")
                    print(f"failed {first} {json.dumps(f'exit code {code}: {said.read()[-3000:]}')}", flush=True)
                first = first + 1 if code else until
            remove(Path(folder), "*[0-9]*")


def remove(folder: Path, names: str) -> None:
    """Remove what has one of these names in a folder."""
    for path in folder.glob(names):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def read_files(
    seed: int, numbers: range, folder: Path, source: dict[str, bytes], screens: int, reached: mmap.mmap
) -> None:
    """Read the files of some numbers in this process, and end it at the first error."""
    try:
        for number in numbers:
            reached[:] = number.to_bytes(8, "little")
            path = folder / f"results{number}.h5"
            kind, end = read_file(seed, number, path, source, screens)
            print(f"done {number} {kind} {end}", flush=True)
            remove(folder, f"*{number}*")
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def attack(seed: int, numbers: range, *, screens: int = SCREENS) -> Iterator[Attempt]:
    """Read mutated files in children, each beginning behind the file that ended the one before.

    Args:
        seed: Of all choices.
        numbers: Of the files.
        screens: Every so many are shown on a screen, too; of those every fifth goes through the slow verbs.
    """
    words = [str(word) for word in (seed, numbers.start, numbers.stop, screens)]
    surroundings = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [sys.executable, str(HERE), *words], stdout=subprocess.PIPE, text=True, env=surroundings, start_new_session=True
    )
    try:
        for line in server.stdout:
            what, number, rest = line.split(maxsplit=2)
            if what == "failed":
                yield Attempt("stores", int(number), "?", "failed", json.loads(rest))
            else:
                kind, end = rest.split()
                yield Attempt("stores", int(number), kind, end)
        if server.wait():
            yield Attempt(
                "stores", numbers.start, "?", "failed", f"the readers ended with exit code {server.returncode}"
            )
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # with its fork
        server.wait()
        server.stdout.close()


if __name__ == "__main__":
    work(*map(int, sys.argv[1:5]))
