"""Every verb and every export of a results file, for `mutated_stores.py`."""

import csv
import io
import json
import random
import re
import shutil
from pathlib import Path

import numpy as np
from readers import expect, harmless, one_line_or_good
from roads import save_embeddings


def every_verb(path: Path, rng: random.Random) -> None:
    """The quick commands of `sing-compute` that read a results file; those that write get copies."""
    from sing_compute.cli import cli
    from sing_compute.errors import SingError

    folder, stem = path.parent, path.stem
    copy = folder / f"{stem}-copy.h5"
    embeddings = {width: folder / f"{stem}-{width}-wide.npz" for width in (8, 16)}
    for width, place in embeddings.items():
        save_embeddings(place, ["snow"], np.ones((1, width)), tag="made up")
    photograph = folder / f"{stem}-photo.png"
    photograph.write_bytes(b"no image")
    file = str(path)
    lines = [
        ["merge", file, file, "--rename", "alpha=a2", "--rename", "beta=b2", "-o", str(folder / f"{stem}-merged.h5")],
        ["compare", file, file],
        *(["concepts", str(copy), "--text", "snow", "--embeddings", str(place)] for place in embeddings.values()),
        ["image", file, "--path", str(photograph)],
        ["steer", file, "--from", rng.choice(["cat", "class0"]), "--to", "1"],
        ["steer", file, "--from", "0", "--to", "concept 1", "--matrix", str(folder / f"{stem}-matrix.csv"), "--force"],
        ["steer", str(copy), "--keep"],
        ["words", str(copy), "--modes", "2", "--class-directions", "1"],
        ["render", str(copy), "--model", "alpha", "--top", "1"],
        ["heads", str(copy)],
        ["heads", "check", str(copy), "--images", str(folder / "nowhere")],
        ["heads", "compare", file, file],
    ]
    for words in lines:
        shutil.copy(path, copy)
        one_line_or_good(cli, words, words[0], caught=SingError, output=True)


def slow_verbs(path: Path, rng: random.Random) -> None:
    """The verbs that take ten seconds: directions, the figures and the report of a file."""
    from sing_compute.cli import cli
    from sing_compute.errors import SingError

    folder, stem = path.parent, path.stem
    copy = shutil.copy(path, folder / f"{stem}-copy.h5")
    for words in (
        ["directions", str(copy), "--model", "alpha", "--count", "2", "--restarts", "2"],
        ["figures", str(path), "-o", str(folder / f"{stem}-figures")],
        ["report", str(path), "-o", str(folder / f"{stem}-report.html")],
    ):
        one_line_or_good(cli, words, words[0], caught=SingError, output=True)


def every_export(path: Path, rng: random.Random) -> None:
    """Every declared table as CSV and as JSON."""
    from sing_compute.store import catalogue
    from sing_tui.cli import main

    items = {"model": "alpha", "class": "0", "concept": "0", "tower": "x", "layer": "0", "head": "0", "vector": "0"}
    for analysis in catalogue.analyses():
        for spec in analysis.tables:
            place = [word for axis in spec.within for word in ("--at", f"{axis}={items.get(axis, 0)}")]
            words = [str(path), "--table", spec.name, *place]
            for row in csv.reader(io.StringIO(one_line_or_good(main, [*words, "--csv", "-"], "csv"))):
                for cell in row:
                    harmless(cell, "csv cell")
                    expect(not re.match(r"[=+@]|-[^\d.i]", cell), f"csv formula: {cell!r}")
            if text := one_line_or_good(main, [*words, "--json", "-"], "json"):
                harmless(text, "json")
                json.loads(text)
