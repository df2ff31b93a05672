"""Mutated results files through everything that reads one: `python tests/store/fuzz.py COUNT [SEED]`.

Every file must end well or with one line. The files are read in child processes, so that a crash of the HDF5 library or a hang
(a watchdog ends the child) is seen as such and its seed is named; `fuzz.py 1 SEED` shows one again.
"""

import asyncio
import contextlib
import csv
import faulthandler
import io
import os
import random
import re
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
PICTURES = ("scatter", "ratios", "distributions", "strings", "validation", "spectrum", "parts")
SCREENS = 8
"""Every so many files are shown on a screen, too."""
MEMORY = 3 * 2**30
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Broken(Exception):
    """Something that must not happen with any file."""


def expect(good: object, what: str) -> None:
    if not good:
        raise Broken(what)


def harmless(text: str, where: str) -> None:
    found = STEERING.search(text)
    expect(found is None, f"{where}: {found and text[max(0, found.start() - 20) : found.end() + 20]!r}")


def read_tables(path: Path, rng: random.Random) -> None:
    """Every table with every column, through the store's own interface."""
    from opened_tables import (
        class_across_models,
        compare_classes,
        compare_figures,
        compare_models,
        concept_across_classes,
    )

    from sing_compute.store import Store, class_table, concept_table, image_table, model_table

    with Store(path) as store:
        tries = [lambda: model_table(store), lambda: store.offsets, lambda: store.find_class("dog")]
        for model in attempt(lambda: store.models[:3]) or ["alpha"]:
            tries += [lambda m=model: class_table(store, m), lambda m=model: class_table(store, m, "wrong")]
            tries += [lambda m=model, c=c: concept_table(store, m, c) for c in (0, 2)]
            tries += [lambda m=model: image_table(store, m), lambda m=model: image_table(store, m, 1)]
            tries += [lambda m=model: store.attributes(f"models/{m}"), lambda m=model: store.summary(m)]
        pair = ["alpha", "beta"]
        tries += [lambda: compare_figures(store, pair), lambda: class_across_models(store, 0, "wrong")]
        tries += [
            lambda: concept_across_classes(store, "alpha", 1),
            lambda: compare_classes(store, "beta", "z", (0, 1)),
        ]
        tries += [
            lambda: compare_models(store, "classes", "ratio", pair),
            lambda: compare_models(store, "images", "cosine", pair),
        ]
        tries += [lambda: compare_models(store, "concepts", "attribute_score", pair, class_index=0)]
        tries += [lambda name=name: shown(store, rng, name).table for name in PICTURES]
        for make in tries:
            table = attempt(make)
            for column in getattr(table, "columns", ()):
                whole = attempt(column.values.all)
                expect(whole is None or len(whole) == table.length, f"{table.kind} {column.name}: length")
                some = attempt(lambda c=column, t=table: c.values.take(rows_of(rng, t.length)))
                expect(some is None or len(some) <= 8, f"{table.kind} {column.name}")


def shown(store, rng: random.Random, name: str):
    """A chart, drawn."""
    from sing_compute.store import Place
    from sing_tui.charts.drawing import draw
    from sing_tui.charts.registry import chart
    from sing_tui.formats import ASCII, UNICODE

    places = [
        Place("models"),
        Place.of("classes", model="alpha"),
        Place.of("concepts", model="beta", **{"class": 0}),
        Place.of("images", model="alpha", **{"class": 1}),
    ]
    glyphs = rng.choice([ASCII, UNICODE])
    found = chart(store, rng.choice(places), name, identity=rng.choice([None, 0, 1]), glyphs=glyphs)
    for line in draw(found.shape, 76, 16, glyphs):
        harmless(line.plain, f"chart {name}")
    return found


def rows_of(rng: random.Random, length: int):
    import numpy as np

    return np.array([rng.randrange(length) for _ in range(8 if length else 0)], dtype=np.int64)


def attempt(act):
    """What an action gives; None where it ends in an error with one harmless line."""
    from sing_compute.errors import SingError

    try:
        return act()
    except SingError as error:
        text = str(error)
        expect(text and "\n" not in text and len(text) < 600, f"message: {text[:700]!r}")
        harmless(text, "message")
        return None


def load_frames(path: Path, rng: random.Random) -> None:
    import sing_compute

    with sing_compute.load(path) as results:
        for make in (
            lambda: results.models, results.classes, lambda: results.concepts(0), lambda: results.concepts("dog", "beta"),
            results.images, lambda: results.images(1, "beta"), results.provenance, lambda: results,
        ):  # fmt: skip
            harmless(attempt(lambda make=make: repr(make()).replace("\\x", "")) or "", "frame")


def write_csv(path: Path, rng: random.Random) -> None:
    from sing_tui.cli import main

    sort = rng.choice(
        [(), ("--sort", "IS"), ("--sort", "as", "--reverse"), ("--sort", "class"), ("--filter", "is > 3 or class ~ a")]
    )
    for options in (
        ("--table", "models"), ("--table", "classes", *sort), ("--class", "0", *sort), ("--table", "images", *sort),
        ("--table", "images", "--class", "cat", "--model", "beta"), ("--table", "classes", "--subset", "group:out"),
    ):  # fmt: skip
        out = one_line_or_good(main, [str(path), *options, "--csv", "-"], "csv")
        for row in csv.reader(io.StringIO(out)):
            for cell in row:
                harmless(cell, "csv cell")
                expect(
                    not cell.startswith(("=", "+", "@")) and not re.match(r"-[^\d.i]", cell), f"csv formula: {cell!r}"
                )


def verify_command(path: Path, rng: random.Random) -> None:
    from sing_compute.cli import cli
    from sing_compute.errors import SingError

    one_line_or_good(cli, ["verify", str(path)], "verify", caught=SingError)


def one_line_or_good(command, arguments: list[str], what: str, caught: type = ()) -> str:
    from click.testing import CliRunner

    done = CliRunner().invoke(command, arguments)
    if done.exception is not None and not isinstance(done.exception, (SystemExit, caught)):
        raise done.exception
    harmless(done.stderr, f"{what} stderr")
    if what == "verify":
        harmless(done.stdout, f"{what} stdout")
    expect(done.exit_code in (0, 2) or isinstance(done.exception, caught), f"{what}: exit code {done.exit_code}")
    expect(done.exit_code != 2 or done.stderr.count("\n") == 1, f"{what}: {done.stderr!r}")
    expect(done.exit_code == 2 or not done.stderr, f"{what}: {done.stderr!r}")
    return done.stdout if done.exit_code == 0 else ""


def explore(path: Path, rng: random.Random) -> None:
    """The real screen: down to the images and around, with details and plots."""
    from driving import drawn, lines, press
    from textual.worker import WorkerCancelled

    from sing_compute.errors import SingError
    from sing_tui.app import Explorer

    async def walk() -> None:
        app = Explorer(path, ascii_only=rng.random() < 0.2)
        async with app.run_test(size=rng.choice([(80, 24), (120, 40)])) as pilot:
            await drawn(app)
            around = [*"dpjsrv]}iGRyno=a.,1234567 u)x?t", "enter", "escape", "right", "escape", "escape"]
            keys = ["d", "p", "escape", "enter", "p", "escape", "v", "enter", "p", "escape", *"id]sqqi"]
            for key in [*keys, *rng.choices(around, k=16)]:
                if app.failure is not None or app._exit:
                    break
                with contextlib.suppress(WorkerCancelled):  # a reader that a later key made superfluous
                    await press(pilot, key)
                harmless("\n".join(lines(app)), f"screen after {key}")
        if app.failure is not None:
            attempt(lambda: (_ for _ in ()).throw(app.failure))
        expect(app.return_code in (0, None) or app.failure is not None, f"return code {app.return_code}")

    try:
        asyncio.run(walk())
    except SingError as error:
        raise Broken("the screen ended with an error that is a line elsewhere") from error


def sources(folder: Path) -> dict[str, bytes]:
    """Good files to start from."""
    from stores import write_store

    rich = write_store(folder / "rich.h5", groups=("in", "out"), concepts=12, images_per_class=(9, 5, 1, 0))
    bare = write_store(folder / "bare.h5", models=("alpha", "beta"), concepts=5, null_space=False)
    return {"rich": rich.read_bytes(), "bare": bare.read_bytes()}


def read_file(seed: int, path: Path, source: dict[str, bytes], screen: bool) -> str:
    """Make the file of one seed and read it in every way; gives the kind of mutation and how opening it ended."""
    from mutations import MUTATIONS

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
