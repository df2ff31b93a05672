"""Makes a results file say something false in hundreds of ways, and counts what `verify` finds.

`python tests/store/false_edits.py FILE`.

The edits are made from the declarations: each declared dataset of the file is changed inside its range and outside of it, and its
attributes, names and structure are broken. The file is copied; the program prints a Markdown table.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sing_compute.store import Store, catalogue
from sing_compute.store.definition import Field
from sing_compute.store.verify import Verification, verify

FOUND, SAID, PASSED = "found", "said", "passed"
"""Results of one edit: a problem, another line about what was not checked, or the same answer as before."""
_SEED = 0


class Edit(NamedTuple):
    """One kind of false edit."""

    where: str
    """Declared path of the dataset, or the group of an attribute."""
    what: str
    act: Callable[[h5py.File], None]


class Outcome(NamedTuple):
    """Answer of `verify` to one edit."""

    edit: Edit
    result: str
    line: str
    """The first problem, or the first line that is new."""


def edits(path: Path) -> list[Edit]:
    """Make every kind of edit for a file; of several models or towers the last one that holds a dataset is edited."""
    found: list[Edit] = []
    with Store(path) as store:
        for template, field in catalogue.FIELDS.items():
            there = _places(store, template)
            if not there:
                continue
            cells = store.array(there[-1])
            if cells.size:
                found += _text_edits(there[-1], template, field, cells) if field.dtype == "text" else []
                found += _number_edits(there[-1], template, field, cells) if field.dtype != "text" else []
            found += [Edit(template, "deleted", _deleted(there[-1]))] if field.level == "MUST" else []
        found += list(_attribute_edits(store))
        found += list(_structure_edits(store))
    return found


def outcomes(path: Path, chosen: Sequence[Edit], folder: Path) -> Iterator[Outcome]:
    """Make each edit on a copy of a file and verify it.

    Args:
        path: The file, which passes `verify`.
        chosen: The edits.
        folder: Folder for the copy.
    """
    with Store(path) as store:
        before = verify(store)
    assert not before.problems, before.problems
    copy = folder / "edited.h5"
    for edit in chosen:
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            edit.act(file)
        yield Outcome(edit, *_answer(copy, before))


def _answer(path: Path, before: Verification) -> tuple[str, str]:
    with Store(path) as store:
        after = verify(store)
    if after.problems:
        return FOUND, after.problems[0]
    new = [line for line in (*after.notes, *after.unknown) if line not in (*before.notes, *before.unknown)]
    return (SAID, new[0]) if new else (PASSED, "")


def _places(store: Store, template: str) -> list[str]:
    axes = [axis for axis in catalogue.axes() if axis.group and f"{{{axis.name}}}" in template]
    paths = [template.format(**{axes[0].name: item}) for item in store.members(axes[0].name)] if axes else [template]
    return [path for path in paths if path in store]


def _number_edits(path: str, template: str, field: Field, cells: np.ndarray[Any, Any]) -> Iterator[Edit]:
    rng = np.random.default_rng([_SEED, len(template)])
    flat = cells.reshape(-1)
    known = np.flatnonzero(np.isfinite(flat)) if flat.dtype.kind == "f" else np.arange(len(flat))
    if not len(known):
        return
    low, high = field.range.low, field.range.high
    if field.of:
        high = max(int(flat.max()), 1)
    one = flat.copy()
    varied = known[flat[known] != 0] if (flat[known] != 0).any() else known
    place = rng.choice(varied)
    one[place] = _other(flat[place], low, high, flat.dtype)
    yield Edit(template, "one value, inside its range", _put(path, one.reshape(cells.shape)))
    if len(known) > 1:
        every = flat.copy()
        every[known] = [_other(value, low, high, flat.dtype) for value in flat[known]]
        yield Edit(template, "all values, inside their range", _put(path, every.reshape(cells.shape)))
        turned = cells[::-1].copy()
        if not np.array_equal(turned, cells, equal_nan=flat.dtype.kind == "f"):
            yield Edit(template, "rows in reverse order", _put(path, turned))
    if flat.dtype.kind == "f" and low < 0 < high and (flat[known] != 0).any():
        yield Edit(template, "other sign", _put(path, -cells))
    beyond = next((value for value in (high + 1, low - 1) if np.isfinite(value)), np.inf)
    if not (np.isinf(beyond) and field.range.infinite):
        broken = flat.copy()
        broken[known[0]] = beyond
        yield Edit(template, "a value outside its range", _put(path, broken.reshape(cells.shape)))
    if flat.dtype.kind == "f":
        missing = np.full_like(cells, np.nan)
        yield Edit(template, "NaN everywhere", _put(path, missing))


def _other(value: Any, low: float, high: float, dtype: np.dtype[Any]) -> Any:
    """Return another value that the range allows, as plausible as the old one."""
    if dtype.kind in "iu":
        return value + 1 if value + 1 <= high else max(value - 1, low)
    step = 0.1 * abs(float(value)) if value else 0.05 * min(1.0, high if np.isfinite(high) and high > 0 else 1.0)
    moved = float(value) + step
    return moved if moved <= high else float(value) - step


def _text_edits(path: str, template: str, field: Field, cells: np.ndarray[Any, Any]) -> Iterator[Edit]:
    texts = [str(text) for text in cells]
    yield Edit(template, "another text", _put_texts(path, ["something else", *texts[1:]]))
    yield Edit(template, "a text that is not UTF-8", _put_texts(path, [b"\xff\xfe", *texts[1:]]))
    named = [axis for axis in catalogue.axes() if template in (axis.labels, axis.field)]
    if named:
        yield Edit(template, "an empty name", _put_texts(path, ["", *texts[1:]]))
    if named and not named[0].repeats and len(texts) > 1:
        yield Edit(template, "a name twice", _put_texts(path, [texts[1], *texts[1:]]))
    if len(texts) > 1 and texts[::-1] != texts:
        yield Edit(template, "rows in reverse order", _put_texts(path, texts[::-1]))


def _attribute_edits(store: Store) -> Iterator[Edit]:
    for template in ("images/key", "images/class"):
        for name in ("axes", "unit", "description"):
            yield Edit(template, f"attribute {name} removed", _attribute(template, name, None))
        yield Edit(template, "attribute version removed", _attribute(template, "version", None))
        yield Edit(template, "attribute version 99", _attribute(template, "version", 99))
    for model in store.models[-1:]:
        group = f"models/{model}"
        for name, value in (
            ("null_space", "tol=0.5"),
            ("null_space", "energy=0.9"),
            ("null_space", "anything"),
            ("lambda_choice", "given"),
            ("lambda_choice", None),
            ("invariance", "softmax"),
            ("stored_precision", "bfloat16"),
            ("stored_precision", "float64"),
            ("translator_file", "made.npz"),
        ):
            yield Edit(group, f"attribute {name}: {value or 'removed'}", _attribute(group, name, value))
    for axis in ("tower",):
        for item in store.members(axis)[-1:]:
            yield Edit(f"towers/{item}", "attribute pool_count", _attribute(f"towers/{item}", "pool_count", 7))
    yield Edit("images", "attribute items without item", _attribute("images", "items", "sounds"))


def _structure_edits(store: Store) -> Iterator[Edit]:
    for name in ("subsets/name", "images/skipped_key"):
        yield Edit(name, "of another type", _retyped(name))
    yield Edit("images/skipped_key", "a measured image is skipped, too", _skip_measured)
    yield Edit("subsets/name", "a subset without a group", _subset_without_group)
    for model in store.models[-1:]:
        base = f"models/{model}/"
        for name in ("head/singular_values", "variants/name", "summary/rank", "features/value", "features/row"):
            if base + name in store:
                yield Edit(f"models/{{model}}/{name}", "deleted (MAY)", _deleted(base + name))
        yield Edit("models/{model}/null_space and flips", "flips admitted by null_space=tol=0.1", _admitted_flips(base))
        yield Edit("models/{model}/summary/lambda", "another one, admitted by lambda_choice=given", _given_lambda(base))
    for name in ("comparison/above", "comparison/value", "comparison/class_order", "comparison/model"):
        if name in store:
            yield Edit(name, "deleted (MAY)", _deleted(name))


def _put(path: str, cells: np.ndarray[Any, Any]) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        file[path][...] = cells

    return act


def _put_texts(path: str, texts: Sequence[str | bytes]) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        raw = [text.encode() if isinstance(text, str) else text for text in texts]
        attributes = dict(file[path].attrs)
        del file[path]
        kind = h5py.string_dtype("utf-8", max(1, *map(len, raw)))
        dataset = file.create_dataset(path, data=np.array(raw, dtype=kind), dtype=kind)
        for name, value in attributes.items():
            _set(dataset, name, value)

    return act


def _set(item: h5py.Group | h5py.Dataset, name: str, value: Any) -> None:
    if isinstance(value, str | bytes):
        raw = value.encode() if isinstance(value, str) else bytes(value)
        item.attrs.create(name, raw, dtype=h5py.string_dtype("utf-8", max(1, len(raw))))
    else:
        item.attrs[name] = value


def _attribute(path: str, name: str, value: Any) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        if value is not None:
            _set(file[path], name, value)
        elif name in file[path].attrs:
            del file[path].attrs[name]

    return act


def _deleted(path: str) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        del file[path]

    return act


def _retyped(path: str) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        count = len(file[path])
        del file[path]
        file[path] = np.zeros(count)

    return act


def _skip_measured(file: h5py.File) -> None:
    key = bytes(file["images/key"][0])
    reasons = ["broken"] * len(file["images/skipped_key"]) or ["broken"]
    _put_texts("images/skipped_key", [key] * len(reasons))(file)
    _put_texts("images/skipped_reason", reasons)(file)


def _subset_without_group(file: h5py.File) -> None:
    names = [*(bytes(name) for name in file["subsets/name"]), b"group:nobody"]
    _put_texts("subsets/name", names)(file)
    for model in file["models"].values():
        for name in list(model["classes"]):
            dataset = model["classes"][name]
            axes = bytes(dataset.attrs["axes"]).decode().split(",")
            if "subset" in axes:
                at = axes.index("subset")
                cells, attributes = dataset[...], dict(dataset.attrs)
                wider = np.concatenate([cells, cells.take([0], axis=at)], axis=at)
                del model["classes"][name]
                new = model["classes"].create_dataset(name, data=wider)
                for attribute, value in attributes.items():
                    _set(new, attribute, value)


def _admitted_flips(base: str) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        _set(file[base.rstrip("/")], "null_space", "tol=0.1")
        file[base + "summary/flips"][...] = 5
        file[base + "controls/flips"][0] = 0.01

    return act


def _given_lambda(base: str) -> Callable[[h5py.File], None]:
    def act(file: h5py.File) -> None:
        path = file[base + "translator/path_lambda"][...]
        _set(file[base.rstrip("/")], "lambda_choice", "given")
        file[base + "summary/lambda"][...] = path[0]
        file[base + "summary/lambda_relative"][...] = file[base + "translator/path_relative"][0]

    return act


def table(found: Sequence[Outcome]) -> str:
    """Write the results as Markdown: totals, then every edit that was not found."""
    counts = {result: sum(each.result == result for each in found) for result in (FOUND, SAID, PASSED)}
    inside = [each for each in found if "outside its range" not in each.edit.what]
    good = sum(each.result != PASSED for each in inside)
    lines = [
        f"{len(found)} edits: {counts[FOUND]} found, {counts[SAID]} said, {counts[PASSED]} passed; without values outside "
        f"their range {good} of {len(inside)}.",
        "",
        "| where | edit | |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{each.edit.where}` | {each.edit.what} | {each.result} {each.line[:90]} |"
        for each in found
        if each.result != FOUND
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make every edit of a file and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="", help="only edits of datasets whose path holds this text")
    parser.add_argument(
        "--what", default="", help="only edits whose description holds this text; several with | between"
    )
    parser.add_argument(
        "--every", action="store_true", help="also print each edit as it is made, with the line that it gives"
    )
    options = parser.parse_args(arguments)
    wanted = options.what.split("|")
    chosen = [e for e in edits(options.file) if options.only in e.where and any(part in e.what for part in wanted)]
    start, found = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        for each in outcomes(options.file, chosen, Path(folder)):
            found.append(each)
            if options.every:
                print(each.result, each.edit.where, each.edit.what, "|", each.line, flush=True)
    print(table(found))
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
