"""Make false edits of a results file: each function returns an act, which is called with the opened file."""

from collections.abc import Callable, Sequence
from typing import Any

import h5py
import numpy as np

Act = Callable[[h5py.File], None]


def put(path: str, cells: np.ndarray[Any, Any]) -> Act:
    def act(file: h5py.File) -> None:
        file[path][...] = cells

    return act


def put_texts(path: str, texts: Sequence[str | bytes]) -> Act:
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


def attribute(path: str, name: str, value: Any) -> Act:
    def act(file: h5py.File) -> None:
        if value is not None:
            _set(file[path], name, value)
        elif name in file[path].attrs:
            del file[path].attrs[name]

    return act


def deleted(path: str) -> Act:
    def act(file: h5py.File) -> None:
        del file[path]

    return act


def retyped(path: str) -> Act:
    def act(file: h5py.File) -> None:
        count = len(file[path])
        del file[path]
        file[path] = np.zeros(count)

    return act


def skip_measured(file: h5py.File) -> None:
    key = bytes(file["images/key"][0])
    reasons = ["broken"] * len(file["images/skipped_key"]) or ["broken"]
    put_texts("images/skipped_key", [key] * len(reasons))(file)
    put_texts("images/skipped_reason", reasons)(file)


def subset_without_group(file: h5py.File) -> None:
    names = [*(bytes(name) for name in file["subsets/name"]), b"group:nobody"]
    put_texts("subsets/name", names)(file)
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
                for key, value in attributes.items():
                    _set(new, key, value)


def admitted_flips(base: str) -> Act:
    def act(file: h5py.File) -> None:
        _set(file[base.rstrip("/")], "null_space", "tol=0.1")
        file[base + "summary/flips"][...] = 5
        file[base + "controls/flips"][0] = 0.01

    return act


def given_lambda(base: str) -> Act:
    def act(file: h5py.File) -> None:
        path = file[base + "translator/path_lambda"][...]
        _set(file[base.rstrip("/")], "lambda_choice", "given")
        file[base + "summary/lambda"][...] = path[0]
        file[base + "summary/lambda_relative"][...] = file[base + "translator/path_relative"][0]

    return act
