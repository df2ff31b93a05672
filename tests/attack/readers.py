"""Every reader of a results file, for `mutated_stores.py`: it ends well, or in one line that steers no terminal."""

import asyncio
import contextlib
import csv
import io
import random
import re
from pathlib import Path

PICTURES = ("scatter", "ratios", "distributions", "strings", "validation", "spectrum", "parts")
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
    from sing_compute.charts.registry import chart
    from sing_compute.formats import ASCII, UNICODE
    from sing_compute.store import Place
    from sing_tui.charts.drawing import draw

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
    """Return the result of an action; None where it ends in an error with one harmless line."""
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


def one_line_or_good(command, arguments: list[str], what: str, caught: type = (), *, output: bool = False) -> str:
    """Run a command in this process; `output` says that it may report on its way, also on standard error."""
    from click.testing import CliRunner

    done = CliRunner().invoke(command, arguments)
    if done.exception is not None and not isinstance(done.exception, (SystemExit, caught)):
        raise done.exception
    harmless(done.stderr, f"{what} stderr")
    if what == "verify" or output:
        harmless(done.stdout, f"{what} stdout")
    expect(done.exit_code in (0, 2) or isinstance(done.exception, caught), f"{what}: exit code {done.exit_code}")
    if not output:
        expect(done.exit_code != 2 or done.stderr.count("\n") == 1, f"{what}: {done.stderr!r}")
        expect(done.exit_code == 2 or not done.stderr, f"{what}: {done.stderr!r}")
    elif done.exception is not None and not isinstance(done.exception, SystemExit):
        harmless(str(done.exception), f"{what} message")
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
