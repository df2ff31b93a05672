"""Results files that are small and declare much, or hold one thing many times. Each changes a copy of a good file."""

import random
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

MODEL = "models/alpha"
TEXTS = ("concepts/name", "concepts/prompt", "images/key", "classes/name", "images/skipped_reason")


def _replaced(file: h5py.File, name: str, **options: object) -> h5py.Dataset:
    attributes = dict(file[name].attrs)
    del file[name]
    made = file.create_dataset(name, **options)
    made.attrs.update(attributes)
    return made


def packed_zeros(rng: random.Random, path: Path) -> None:
    """Datasets of some hundred million cells that gzip or LZF make small; their chunks are whole and sound."""
    packing = rng.choice(["gzip", "lzf"])
    with h5py.File(path, "r+") as file:
        group = file[f"{MODEL}/{rng.choice(['images', 'classes', 'concepts'])}"]
        for name in rng.sample(sorted(group), rng.choice([1, 3, len(group)])):
            old = group[name]
            if isinstance(old, h5py.Dataset) and old.shape and old.dtype.kind != "S":
                shape = (rng.choice([10**5, 10**6, 10**7]), *old.shape[1:])
                _replaced(group, name, shape=shape, dtype=old.dtype, chunks=True, compression=packing, fillvalue=0)
                rows = min(shape[0], 10**5)
                group[name][:rows] = np.zeros((rows, *shape[1:]), old.dtype)


def many_concepts(rng: random.Random, path: Path) -> None:
    """Concepts and the datasets that follow them, of a length that packs well: names of kilobytes, all alike."""
    count, width = rng.choice([(10**5, 40), (10**4, 4096), (10**6, 64), (3 * 10**5, 300)])
    with h5py.File(path, "r+") as file:
        for name in ("name", "kind", "prompt"):
            data = np.full(count, b"x" * (width if name != "kind" else 3))
            _replaced(file, f"concepts/{name}", data=data, chunks=(min(count, 2**22 // width),), compression="gzip")


def wide_texts(rng: random.Random, path: Path) -> None:
    """Texts of every width around the most that is read."""
    with h5py.File(path, "r+") as file:
        for name in rng.sample(TEXTS, rng.choice([1, 3, len(TEXTS)])):
            width = rng.choice([1, 255, 4095, 4096, 4097, 65_535, 10**6])
            _replaced(file, name, data=np.full(file[name].shape, b"w" * min(width, 5000), f"S{width}"))


def twice_datasets(rng: random.Random, path: Path) -> None:
    """Hard links: a dataset under the name of another, of its group or of another model."""
    with h5py.File(path, "r+") as file:
        for part in rng.sample(("images", "classes", "concepts", "summary", "bootstrap"), 2):
            names = sorted(file[f"{MODEL}/{part}"]) if f"{MODEL}/{part}" in file else []
            for name in names[: rng.choice([1, 5, 50])]:
                target = f"models/beta/{part}/{name}" if rng.random() < 0.5 else f"{MODEL}/{part}/{rng.choice(names)}"
                if target in file and target != f"{MODEL}/{part}/{name}":
                    del file[target]
                    file[target] = file[f"{MODEL}/{part}/{name}"]


def twice_models(rng: random.Random, path: Path) -> None:
    """Hard links to one model, from one to ten thousand."""
    with h5py.File(path, "r+") as file:
        for number in range(rng.choice([1, 2, 900, 1000, 9_990, 10_001])):
            file.id.links.create_hard(f"models/alpha{number}".encode(), file.id, MODEL.encode())


def thousands_of_models(rng: random.Random, path: Path) -> None:
    """Models of a few figures each, or of none."""
    full = rng.random() < 0.5
    with h5py.File(path, "r+") as file:
        for number in range(rng.choice([500, 990, 999, 3000])):
            group = file.create_group(f"models/m{number:05d}")
            group.attrs["order"] = number
            if full:
                file.copy(f"{MODEL}/summary", group, "summary")


def replicates(rng: random.Random, path: Path) -> None:
    """A bootstrap of very many replicates, or of classes and images that do not fit them."""
    count = rng.choice([0, 1, 10**4, 10**6, 10**7])
    packing = rng.choice([{}, {"chunks": True, "compression": "gzip"}])
    with h5py.File(path, "r+") as file:
        for model in rng.sample(("alpha", "beta"), rng.choice([1, 2])):
            group = file.get(f"models/{model}/bootstrap")
            for name in sorted(group or ()):
                shape = (*group[name].shape[:-1], count)
                if rng.random() < 0.8 and np.prod(shape) * 4 < 2**27:
                    _replaced(group, name, data=np.zeros(shape, group[name].dtype), **(packing if count else {}))


def deep_groups(rng: random.Random, path: Path) -> None:
    """Groups in groups, below a model and beside it."""
    with h5py.File(path, "r+") as file:
        for at in rng.sample(("unknown", f"{MODEL}/unknown", "images/more", "towers"), 2):
            depth = rng.choice([50, 400, 3000])
            place = file.require_group(at)
            for _ in range(depth):
                place = place.create_group("g")


def every_text(rng: random.Random, path: Path) -> None:
    """Every text of the file is hostile, attributes and names included."""
    from mutations import HOSTILE

    def replace(item: h5py.Group | h5py.Dataset) -> None:
        for key, value in list(item.attrs.items()):
            if isinstance(value, (str, bytes)) and key not in ("format", "axes", "unit", "version"):
                item.attrs[key] = np.bytes_(rng.choice(HOSTILE).encode("utf-8", "replace")[:3000] or b"x")

    with h5py.File(path, "r+") as file:
        named: list[str] = []
        file.visititems(lambda name, item: named.append(name))
        for name in named:
            item = file[name]
            if isinstance(item, h5py.Dataset) and item.dtype.kind == "S" and item.size and name != "subsets/name":
                texts = [
                    f"{rng.choice(HOSTILE)}{number}".encode("utf-8", "replace")[:4096] for number in range(item.size)
                ]
                data = np.array(texts, f"S{max(map(len, texts))}").reshape(item.shape)
                _replaced(file, name, data=data)
            replace(file[name])
        for number, model in enumerate(sorted(file["models"])):
            if rng.random() < 0.5:
                file["models"].move(model, ("--help", "[red]x[/red]", "{0.__class__}", "=1+1", "%s%n")[number % 5])


BOMBS: dict[str, Callable[[random.Random, Path], None]] = {
    action.__name__: action
    for action in (
        packed_zeros, many_concepts, wide_texts, twice_datasets, twice_models, thousands_of_models, replicates, deep_groups,
        every_text,
    )
}  # fmt: skip
