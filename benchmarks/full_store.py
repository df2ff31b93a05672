"""A made-up results file of full size, to measure the explorer on: `python benchmarks/full_store.py OUT.h5`.

By default 1,281,167 images of 1,000 classes, 13 models and 1,200 concepts, with plausible scores and some awkward text.
"""

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))  # for stores.py and store_tables.py

import numpy as np
from full_world import World, networks
from numpy.typing import NDArray
from store_tables import Shared, write_drawn
from stores import unit

from sing_compute.datafiles import data_path

IMAGES, CLASSES, MODELS, CONCEPTS = 1_281_167, 1_000, 13, 1_200
REPLICATES = 200
AWKWARD = (
    "[red]bold[/red] [link=x]markup[/link]",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-2+3",
    "ネコ科の動物たち",
    "한국어 이름, 中文名稱",
    "🦉 owl 🦉",
    "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 👋🏽 hand",
    "🇯🇵🇩🇪🇺🇦 flags",
    "e\u0301te\u0301 a\u0308\u0323 Z\u0351\u036b\u0343a\u0363l\u0348g\u0321o\u0337",
    "bell\x07 \x1b[31mred\x1b[0m \x1b]0;title\x07 tab\tline\nend",
    "שלום עולם \u202eright to left\u202c",
    "مرحبا بالعالم",
    "zero\u200bwidth \ufeffmark",
    "tail,comma;semicolon \"quote\" 'single' \\ back",
    " leading and trailing ",
    "long " * 60,
    "x" * 200,
)
"""Texts that cause errors in tables, exports and terminals; a file may hold each of them."""
KEY = 72
"""Bytes of the longest image key."""
GROUPS = ("indoors", "outdoors")
PROPERTIES = ("colour", "texture", "material", "pattern", "condition", "quality")
THINGS = ("animal", "object", "plant", "food", "vehicle", "clothing")
"""Kinds of words that class names are made of."""


def write_full_store(
    path: Path,
    *,
    images: int = IMAGES,
    classes: int = CLASSES,
    models: int = MODELS,
    concepts: int = CONCEPTS,
    seed: int = 0,
    replicates: int = REPLICATES,
    threads: int = 2,
) -> Path:
    """Write a results file that `verify` accepts. One class has no image and one a single image, as in real collections.

    Raises:
        ValueError: There are too few images, classes or concepts for the data of the file.
    """
    least = len(AWKWARD) + 2
    if min(classes, concepts) < least or images < 2 * classes:
        raise ValueError(f"give at least {least} classes and concepts, and 2 images for each class")
    rng = np.random.default_rng(seed)
    sizes = class_sizes(rng, images, classes)
    clip = min(512, 16 + classes // 2)
    world = World(sizes, concepts, clip, seed)
    names, kinds = _concepts(rng, concepts)
    wnids = [f"n{1_440_764 + 11_321 * c:08d}" for c in range(classes)]
    shared = Shared(
        keys=_keys(rng, wnids, sizes),
        offsets=world.offsets,
        classes=_class_names(rng, classes),
        concepts=names,
        kinds=kinds,
        class_embeddings=unit(rng.normal(size=(classes, clip))),
        concept_embeddings=unit(rng.normal(size=(concepts, clip))),
        skipped=[
            (f"{wnids[0]}/{wnids[0]}_1.JPEG", "cannot identify image file"),
            (f"{wnids[3]}/\x1b[2Jclear 🦉.JPEG", "image file is truncated (17 bytes not processed)"),
            (f"{wnids[-1]}/empty.JPEG", "[b]0 bytes[/b]"),
        ],
        groups=GROUPS,
        group=rng.choice(3, images, p=(0.1, 0.35, 0.55)) - 1,
        wnids=wnids,
        root="/no/such/folder/train",
    )
    chosen = networks(models)
    return write_drawn(
        path,
        shared,
        [network.name for network in chosen],
        lambda position: world.draw(chosen[position]),
        replicates=replicates,
        threads=threads,
    )


def class_sizes(rng: np.random.Generator, images: int, classes: int) -> NDArray[np.int64]:
    """Draw the number of images of each class: equal for nine of ten, else fewer; the last but one has one, the last none."""
    weight = np.where(rng.random(classes) < 0.9, 1.0, rng.uniform(0.55, 1, classes))
    weight[-2:] = 0
    edges = np.round(np.cumsum(weight) / weight.sum() * (images - 1)).astype(np.int64)
    sizes = np.diff(edges, prepend=0)
    sizes[-2] = 1
    return sizes


def _keys(rng: np.random.Generator, wnids: Sequence[str], sizes: NDArray[np.int64]) -> list[str]:
    """Make keys like ImageNet's, sorted within each class; in every second class one has an awkward file or folder name."""
    keys: list[str] = []
    for position, (wnid, size) in enumerate(zip(wnids, sizes.tolist(), strict=True)):
        found = [f"{wnid}/{wnid}_{number}.JPEG" for number in rng.choice(20 * size, size, replace=False).tolist()]
        if size > 1 and position % 2 == 0:
            text = AWKWARD[position // 2 % len(AWKWARD)].replace("/", "|").encode()[: KEY - 20]
            name = text.decode(errors="ignore")
            found[0] = f"{name}/{wnid}.JPEG" if position % 4 else f"{wnid}/{name}.JPEG"
        keys += sorted(found)
    return keys


def _class_names(rng: np.random.Generator, classes: int) -> list[str]:
    """Make class names like `checkered zebra`, some with a second name; two are equal, and awkward ones are evenly spread."""
    firsts, seconds = _pairs(rng, classes), _pairs(rng, classes)
    names = [f"{firsts[c]}, {seconds[c]}" if c % 3 == 0 else firsts[c] for c in range(classes)]
    names[1] = names[0]
    _sprinkle(names)
    return names


def _concepts(rng: np.random.Generator, count: int) -> tuple[list[str], list[str]]:
    """Make names and kinds of concepts: the project's own vocabulary, then pairs of its words, with some awkward names."""
    known = dict(_vocabulary()[:count])
    known |= dict.fromkeys(_pairs(rng, count - len(known)), "pair")
    names, kinds = list(known), list(known.values())
    _sprinkle(names)
    return names, kinds


def _pairs(rng: np.random.Generator, count: int) -> list[str]:
    """Draw different pairs of a property and a thing."""
    properties = [name for name, kind in _vocabulary() if kind in PROPERTIES]
    things = [name for name, kind in _vocabulary() if kind in THINGS]
    picked = rng.choice(len(properties) * len(things), count, replace=False)
    return [f"{properties[k // len(things)]} {things[k % len(things)]}" for k in picked.tolist()]


def _sprinkle(names: list[str]) -> None:
    for place, name in zip(np.linspace(2, len(names) - 3, len(AWKWARD)).astype(int).tolist(), AWKWARD, strict=True):
        names[place] = name


@cache
def _vocabulary() -> list[tuple[str, str]]:
    """Return names and kinds of the project's own concepts."""
    lines = data_path("vocabularies/attributes.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return [(row[0], row[1]) for row in rows]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    for name, default in (("images", IMAGES), ("classes", CLASSES), ("models", MODELS), ("concepts", CONCEPTS)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--threads", type=int, default=2)
    options = vars(parser.parse_args(arguments))
    start, out = time.perf_counter(), options.pop("out")
    write_full_store(out, **options)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    seconds, size = time.perf_counter() - start, out.stat().st_size
    print(f"{out}: {size / 1e9:.2f} GB in {seconds:.0f} s, at most {memory / 1e9:.2f} GB of memory")


if __name__ == "__main__":
    main()
