"""Mutated results files through everything that reads one: `python tests/store/fuzz.py COUNT [SEED]`.

Every file must end well or with one line. The files are read in child processes, so that a crash of the HDF5 library or a hang
(a watchdog ends the child) is seen as such and its seed is named; `fuzz.py 1 SEED` shows one again.
"""

import contextlib
import faulthandler
import os
import random
import resource
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "sing_tui"), str(HERE.parents[1])]
PATIENCE = 60
"""Seconds that one file may take in one of its readers."""
SCREENS = 8
"""Every so many files are shown on a screen, too."""
MEMORY = 3 * 2**30


def sources(folder: Path) -> dict[str, bytes]:
    """Good files to start from."""
    from stores import write_store

    rich = write_store(folder / "rich.h5", groups=("in", "out"), concepts=12, images_per_class=(9, 5, 1, 0))
    bare = write_store(folder / "bare.h5", models=("alpha", "beta"), concepts=5, null_space=False)
    return {"rich": rich.read_bytes(), "bare": bare.read_bytes()}


def read_file(seed: int, path: Path, source: dict[str, bytes], screen: bool) -> str:
    """Make the file of one seed and read it in every way; gives the kind of mutation and how opening it ended."""
    from mutations import MUTATIONS
    from readers import attempt, expect, explore, load_frames, read_tables, verify_command, write_csv

    from sing_compute.store import Store

    rng = random.Random(seed)
    kinds = [*MUTATIONS, "flip", "flip", "flip_heads", "values"]
    path.write_bytes(source["rich" if rng.random() < 0.9 else "bare"])
    kind = rng.choice(kinds)
    with contextlib.suppress(
        KeyError, OSError, ValueError, RuntimeError, TypeError, IndexError
    ):  # no such place in this file
        MUTATIONS[kind](rng, path)
    before = path.read_bytes()
    ways = [read_tables, write_csv, verify_command, load_frames, *([explore] if screen else [])]
    opened = attempt(lambda: Store(path).close() or True)
    for way in ways:
        faulthandler.dump_traceback_later(PATIENCE * (2 if way is explore else 1), exit=True)
        try:
            attempt(lambda way=way: way(path, random.Random(seed)))
        except BaseException as error:
            error.add_note(f"in {way.__name__} of seed {seed}, mutation {kind}")
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
    expect(path.read_bytes() == before, "the file was changed")
    return f"{kind} {'opened' if opened else 'refused'}"


def work(first: int, last: int, screens: int) -> None:
    """A child: read the files of some seeds; the first one that goes wrong ends it."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (3 * MEMORY, 3 * MEMORY))
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
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
        source = sources(Path(folder))
        for seed in range(first, last):
            print(f"seed {seed}", flush=True)
            print("done", read_file(seed, Path(folder) / f"{seed}.h5", source, seed % screens == 0), flush=True)
            for left in Path(folder).glob(f"{seed}.*"):
                left.unlink()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print("memory", used, flush=True)


def run(first: int, last: int, screens: int) -> tuple[Counter[str], list[str]]:
    """Children one after the other over a range of seeds, each beginning behind the seed that ended the one before."""
    ends: Counter[str] = Counter()
    problems: list[str] = []
    while first < last:
        command = [sys.executable, str(HERE), "--work", str(first), str(last), str(screens)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60 + 8 * PATIENCE * (last - first),
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        lines = [line.split() for line in done.stdout.splitlines()]
        ends.update(" ".join(words[1:]) for words in lines if words[:1] == ["done"])
        used = [int(words[1]) for words in lines if words[:1] == ["memory"]]
        if used and used[0] > MEMORY:
            problems.append(f"seeds {first} to {last - 1}: {used[0] / 2**30:.1f} GiB of memory")
        seeds = [int(words[1]) for words in lines if words[:1] == ["seed"]]
        if done.returncode == 0:
            break
        first = (seeds[-1] if seeds else last) + 1
        problems.append(f"seed {first - 1}, exit code {done.returncode}:\n{done.stderr[-3500:]}")
    return ends, problems


def fuzz(count: int, seed: int = 0, *, screens: int = SCREENS) -> tuple[Counter[str], list[str]]:
    """How many files of each mutation were opened and refused, and what went wrong."""
    jobs = max(1, min(2, os.cpu_count() or 1, count))
    edges = [seed + count * k // jobs for k in range(jobs + 1)]
    with ThreadPoolExecutor(jobs) as pool:
        parts = list(pool.map(lambda k: run(edges[k], edges[k + 1], screens), range(jobs)))
    return sum((ends for ends, _ in parts), Counter()), [problem for _, problems in parts for problem in problems]


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--work"]:
        work(*map(int, arguments[1:4]))
        return 0
    count, seed = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 0
    ends, problems = fuzz(count, seed, screens=20 if count >= 1000 else SCREENS if count > 1 else 1)
    for end, number in sorted(ends.items()):
        print(f"{number:6d} {end}")
    for problem in problems:
        print(problem)
    print(f"{count} files from seed {seed}: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
