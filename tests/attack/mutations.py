"""Ways in which a results file can be damaged or hostile. Each changes a copy of a good file; all follow from one seed."""

import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J", "[red]markup[/red]", "=cmd|' /C calc'!A0", "a;=1+1", "\u202egnp.exe", "\u200b=1+1", "\x9b31m",
    "x" * 4000, "e" + "\u0301" * 1500, "../../etc/passwd", "\ufeff+1", "a\nb\tc\r", "", "[@click=app.quit]x[/]",
)  # fmt: skip
PARTS = (
    "", "images", "summary", "rankings", "offsets", "top_concept", "nearest", "class", "lambda", "score_", "bootstrap",
    "interval", "curve", "comparison", "controls", "spectrum", "concepts", "variants",
)  # fmt: skip
"""Datasets whose numbers are damaged together."""
SOURCE = "rich"
"""Name of the good file that most mutations start from."""


def _datasets(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def _any(rng: random.Random, file: h5py.File, part: str = "") -> str:
    return rng.choice([name for name in _datasets(file) if part in name])


def _any_group(rng: random.Random, file: h5py.File) -> str:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Group) else None)
    return rng.choice(found)


def _replace(file: h5py.File, name: str, **options: object) -> h5py.Dataset:
    attributes = dict(file[name].attrs)
    del file[name]
    made = file.create_dataset(name, **options)
    made.attrs.update(attributes)
    return made


def flip(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    where = rng.choice([len(data), 2048, 20_000])
    for _ in range(rng.choice([1, 1, 2, 4, 16, 64])):
        at = rng.randrange(min(where, len(data)))
        data[at] = rng.choice([data[at] ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 255])
    path.write_bytes(data)


def flip_heads(rng: random.Random, path: Path) -> None:
    """Bytes near the signatures of groups, heaps, trees and object headers."""
    data = bytearray(path.read_bytes())
    signs = [
        sign for sign in (b"HEAP", b"TREE", b"SNOD", b"GCOL", b"OHDR", b"\x89HDF", b"units", b"axes") if sign in data
    ]
    for _ in range(rng.choice([1, 2, 8])):
        sign = rng.choice(signs)
        at = data.find(sign, rng.randrange(len(data)))
        at = max(data.find(sign) if at < 0 else at, 0) + rng.randrange(-64, 96)
        if 0 <= at < len(data):
            data[at] = rng.choice([data[at] ^ (1 << rng.randrange(8)), rng.randrange(256), 255])
    path.write_bytes(data)


def truncate(rng: random.Random, path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, rng.choice([rng.randrange(size), size - rng.randrange(1, 100), rng.randrange(3000)]))


def blank(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    start, length = rng.randrange(len(data)), rng.choice([8, 64, 512, 4096])
    data[start : start + length] = bytes([rng.choice([0, 255])]) * len(data[start : start + length])
    path.write_bytes(data)


def wrong_shape(rng: random.Random, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        name = _any(rng, file)
        old = file[name]
        shape = list(old.shape)
        if shape and rng.random() < 0.7:
            axis = rng.randrange(len(shape))
            shape[axis] = rng.choice([0, 1, max(0, shape[axis] - 1), shape[axis] + 1, shape[axis] * 3])
        else:
            shape = rng.choice([[], [1], [3], [2, 2], [1, 2, 3], [1] * 20])
        _replace(file, name, data=np.ones(shape, old.dtype))


def wrong_dtype(rng: random.Random, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        name = _any(rng, file)
        kinds = [
            "i1", ">i4", "f2", "f8", "u8", "c16", "S3", "S70000", "?", h5py.string_dtype(), h5py.ref_dtype, h5py.regionref_dtype,
            np.dtype([("a", "i4"), ("b", "S5")]), h5py.vlen_dtype(np.int32), np.dtype(("i4", (3,))), h5py.opaque_dtype("M8[s]"),
            h5py.enum_dtype({"a": 1, "b": 2}, basetype="i4"),
        ]  # fmt: skip
        shape = file[name].shape
        made = _replace(file, name, shape=shape, dtype=rng.choice(kinds))
        if made.dtype.kind in "iufS":
            made[...] = np.zeros(shape, made.dtype)


def huge(rng: random.Random, path: Path) -> None:
    """Sizes that nothing in the file stands behind."""
    with h5py.File(path, "r+") as file:
        name = _any(rng, file)
        old = file[name]
        length = rng.choice([10**7, 10**9, 10**12, 2**40])
        shape = (length, *old.shape[1:]) if old.shape else (length,)
        how = rng.choice(
            [{}, {"chunks": True}, {"chunks": True, "compression": "gzip"}, {"chunks": True, "compression": "lzf"}]
        )
        same = rng.random() < 0.5
        dtype = rng.choice([old.dtype, "S1000", "S1000000"])
        _replace(file, name, shape=old.shape if same and old.shape else shape, dtype=dtype, **(how if shape else {}))


def bomb(rng: random.Random, path: Path) -> None:
    """A chunk that unpacks to far more, far less or something else than it declares."""
    with h5py.File(path, "r+") as file:
        name = rng.choice([name for name in _datasets(file) if file[name].shape and file[name].size])
        old = file[name]
        packing = rng.choice(["gzip", "lzf"])
        made = _replace(file, name, shape=old.shape, dtype=old.dtype, chunks=old.shape, compression=packing)
        data = rng.choice(
            [zlib.compress(bytes(10**8), 9), zlib.compress(b"x"), rng.randbytes(50), b"\x00a\xff\xff\xff\xff" * 9]
        )
        made.id.write_direct_chunk((0,) * len(old.shape), data, rng.choice([0, 0, 0, 1]))


def repack(rng: random.Random, path: Path) -> None:
    """Filters: gzip is read, others are not."""
    options = (
        {"compression": "gzip"},
        {"compression": "lzf"},
        {"shuffle": True},
        {"fletcher32": True},
        {"scaleoffset": 2},
        {},
    )
    with h5py.File(path, "r+") as file:
        names = [name for name in _datasets(file) if file[name].shape and file[name].size]
        for name in rng.sample(names, rng.choice([1, 5, len(names)])):
            data, option = file[name][()], rng.choice(options[:1] if rng.random() < 0.6 else options)
            if data.dtype.kind != "S" or "scaleoffset" not in option:
                _replace(file, name, data=data, chunks=tuple(rng.randint(1, n) for n in data.shape), **option)


def elsewhere(rng: random.Random, path: Path) -> None:
    """Links and storage that lead out of the file. The targets are pipes: whoever opens one hangs."""
    pipe = path.with_suffix(".pipe")
    if not pipe.exists():
        os.mkfifo(pipe)
    with h5py.File(path, "r+") as file:
        name = _any_group(rng, file) if rng.random() < 0.3 else _any(rng, file)
        old = file[name]
        how = rng.choice(["link", "raw", "virtual"]) if isinstance(old, h5py.Dataset) and old.shape else "link"
        if how == "raw":
            size = max(1, old.size * old.dtype.itemsize)
            _replace(file, name, shape=old.shape, dtype=old.dtype, external=[(str(pipe), 0, size)])
        elif how == "virtual":
            unlimited = rng.random() < 0.5
            layout = h5py.VirtualLayout(old.shape, old.dtype, maxshape=(None, *old.shape[1:]) if unlimited else None)
            source = h5py.VirtualSource(
                str(pipe), "x", old.shape, maxshape=(None, *old.shape[1:]) if unlimited else None
            )
            layout[:] = source
            del file[name]
            file.create_virtual_dataset(name, layout)
        else:
            del file[name]
            file[name] = h5py.ExternalLink(str(pipe), "/x")


def links(rng: random.Random, path: Path) -> None:
    """Soft links, circles, one thing in the place of another."""
    with h5py.File(path, "r+") as file:
        name = _any_group(rng, file) if rng.random() < 0.4 else _any(rng, file)
        other = rng.choice(["/", "/models", "/nowhere", "/" + name, "/" + _any(rng, file), "/images"])
        hard = rng.random() < 0.5 and other in file and other != "/" + name
        target = file[other] if hard else h5py.SoftLink(other)
        del file[name]
        if name.rpartition("/")[0] in file or "/" not in name:
            file[name] = target


def missing(rng: random.Random, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for _ in range(rng.choice([1, 1, 3, 10])):
            name = _any_group(rng, file) if rng.random() < 0.3 else _any(rng, file)
            del file[name]
            if not _datasets(file) or not len(file):
                break
            if rng.random() < 0.1:
                file.require_group(name)


def values(rng: random.Random, path: Path) -> None:
    """Numbers that cannot be: NaN, infinities, indices out of range, noise."""
    with h5py.File(path, "r+") as file:
        part = rng.choice(PARTS)
        for _ in range(rng.choice([1, 3, 30])):
            old = file[_any(rng, file, part)]
            if old.dtype.kind == "S" or not old.size:
                continue
            data = old[()]
            flat = np.atleast_1d(np.array(data)).ravel()
            real = old.dtype.kind == "f"
            extreme = (
                [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-40, 0.0] if real else [-1, -(2**31), 2**31 - 1, 10**6, 43, 0]
            )
            every = rng.random() < 0.4
            count = len(flat) if every else rng.randint(1, min(5, len(flat)))
            flat[rng.sample(range(len(flat)), count)] = rng.choice(extreme)
            if rng.random() < 0.3:
                flat = np.frombuffer(rng.randbytes(flat.nbytes), flat.dtype)
            old[...] = flat.reshape(old.shape)


def texts(rng: random.Random, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for name in [name for name in _datasets(file) if file[name].dtype.kind == "S"]:
            if rng.random() < 0.6 and file[name].size:
                raw = [rng.choice([*HOSTILE, ""]).encode("utf-8", "surrogatepass") for _ in range(len(file[name]))]
                raw[0] = rng.randbytes(40)
                if name == "subsets/name" and rng.random() < 0.7:
                    continue
                _replace(file, name, data=np.array(raw, f"S{max(map(len, raw))}"))


def names(rng: random.Random, path: Path) -> None:
    """Hostile names of models and groups."""
    with h5py.File(path, "r+") as file:
        model = rng.choice(
            [*HOSTILE, "..", ". ", "n" * 60_000, "a" * 255, "{model}", "{0.__class__}", "%s%n", "--help"]
        )
        model = model.replace("/", "_") or "x"
        group = file["models"]
        if rng.random() < 0.7:
            group.move("alpha", model)
        else:
            group.id.links.create_hard(
                rng.choice([b"\xff\xfe\x00b", b"\xed\xa0\x80", model.encode()]), file.id, b"models/alpha"
            )


def attributes(rng: random.Random, path: Path) -> None:
    """Attributes foreign, missing, of any type."""
    made = (
        "x" * 60_000, np.arange(5000), h5py.Empty("f4"), np.array(["a", "b"], object), 1 + 2j, np.float64("nan"), -1, 2**63,
        b"\xff\xfe",
        np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), np.bytes_("[red]\x1b[31m"), True, "sing-store", 99, 0, np.int8(1),
    )  # fmt: skip
    with h5py.File(path, "r+") as file:
        for _ in range(rng.choice([1, 4, 20])):
            item = rng.choice([file, file["models/alpha"], file["models/beta"], file["clip"], file[_any(rng, file)]])
            names = [*item.attrs, "order", "format", "schema_version", "\x1b[31mname", "n" * 5000]
            name = rng.choice(names)
            if name in item.attrs and rng.random() < 0.4:
                del item.attrs[name]
            elif item != file or rng.random() < 0.3:
                value = rng.choice(made)
                item.attrs[name] = item.ref if rng.random() < 0.1 else value


MUTATIONS: dict[str, Callable[[random.Random, Path], None]] = {
    action.__name__: action
    for action in (
        flip, flip_heads, truncate, blank, wrong_shape, wrong_dtype, huge, bomb, repack, elsewhere, links, missing, values, texts,
        names, attributes,
    )
}  # fmt: skip
