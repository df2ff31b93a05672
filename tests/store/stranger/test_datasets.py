"""Datasets of a stranger's file: links, storages, types, sizes and chunks.

Links and storages point to pipes: whoever opens one hangs.
"""

import os
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from strange_datasets import refused

from sing_compute.errors import StoreError
from sing_compute.store import Store, image_table, model_table, replace_store
from sing_compute.store.verify import verify


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def put(path: Path, name: str, **options: object) -> None:
    """Another dataset in the place of one."""
    with h5py.File(path, "r+") as file:
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, **options).attrs.update(attributes)


@pytest.mark.parametrize("name", ["images/key", "models/alpha/images/image_score", "models/alpha/summary/accuracy"])
@pytest.mark.parametrize("kind", ["external", "soft"])
def test_links_are_not_followed(path: Path, pipe: Path, name: str, kind: str) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink(str(pipe), "/x") if kind == "external" else h5py.SoftLink("/classes/name")
    assert f"{name}: is a link to somewhere else" in refused(path, name)


def test_a_group_behind_a_link_is_refused_too(path: Path, pipe: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["models/beta"]
        file["models/beta"] = h5py.ExternalLink(str(pipe), "/")
    with Store(path) as store, pytest.raises(StoreError, match="models/beta: is a link to somewhere else"):
        model_table(store)


def test_raw_storage_and_virtual_datasets_are_not_opened(path: Path, pipe: Path) -> None:
    name = "models/alpha/images/cosine"
    put(path, name, shape=43, dtype="f4", external=[(str(pipe), 0, 43 * 4)])
    assert "keeps its data in other files" in refused(path, name)
    layout = h5py.VirtualLayout(43, "f4", maxshape=(None,))
    layout[:] = h5py.VirtualSource(str(pipe), "x", 43, maxshape=(None,))
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_virtual_dataset(name, layout)
    assert "keeps its data in other files" in refused(path, name)


@pytest.mark.parametrize(
    "dtype",
    [
        "f8",
        ">f4",
        h5py.string_dtype(),
        h5py.vlen_dtype(np.float32),
        h5py.ref_dtype,
        h5py.regionref_dtype,
        [("a", "f4")],
    ],
    ids=str,
)
def test_another_type_than_the_schemas_is_refused(path: Path, dtype: object) -> None:
    name = "models/alpha/images/cosine"
    put(path, name, shape=43, dtype=dtype)
    assert f"{name}: is " in refused(path, name)
    assert "wanted float32" in refused(path, name)


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        (
            "images/key",
            {"shape": 10**12, "dtype": "S60", "chunks": (2**16,), "compression": "gzip"},
            "more than is read",
        ),
        ("images/key", {"shape": 10**12, "dtype": "S60"}, "declares 60,000,000,000,000 bytes that are not in the file"),
        ("images/key", {"shape": 43, "dtype": "S60"}, "declares 2,580 bytes that are not in the file"),
        ("images/key", {"shape": 43, "dtype": "S60", "chunks": (8,)}, "declares 2,580 bytes that are not in the file"),
        ("classes/name", {"data": np.zeros(4, "S5000")}, "texts of 5,000 bytes; at most 4,096"),
        ("models/alpha/images/cosine", {"data": np.zeros(44, "f4")}, "axis image has length 44, elsewhere 43"),
        ("models/alpha/concepts/angle_after", {"data": np.zeros((4, 9), "f4")}, "axis concept has length 9"),
        ("images/offsets", {"data": np.zeros(4, "i8")}, "axis class has length 3, elsewhere 4"),
        ("models/alpha/images/top_concept", {"data": np.zeros((43, 6), "i4")}, "axis shift has length 6, elsewhere 5"),
        ("models/alpha/images/cosine", {"data": np.zeros((43, 1), "f4")}, "has 2 axes, wanted image"),
        ("models/alpha/summary/accuracy", {"data": np.zeros(2)}, "has 1 axes, wanted none"),
        ("models/alpha/images/cosine", {"data": np.zeros(43, "f4"), "shuffle": True}, "filters [2] are not run"),
        (
            "models/alpha/images/cosine",
            {"data": np.zeros(43, "f4"), "compression": "lzf"},
            "filters [32000] are not run, only gzip alone is",
        ),
    ],
)
def test_sizes_are_checked_before_anything_is_read(path: Path, name: str, options: dict, line: str) -> None:
    put(path, name, **options)
    assert line in refused(path, name)


@pytest.mark.parametrize("compression", ["gzip", None])
def test_chunked_files_read_as_contiguous_ones(path: Path, compression: str | None) -> None:
    with Store(path) as store:
        table = image_table(store, "alpha")
        expected = {column.name: column.values.all().tolist() for column in table.columns}
    names = (
        "images/key",
        "models/alpha/images/image_score",
        "models/alpha/images/top_concept",
        "models/alpha/concepts/angle_after",
    )
    with h5py.File(path) as file:
        data = {name: file[name][()] for name in names}
    for name, values in data.items():
        put(path, name, data=values, chunks=(4, 3)[: values.ndim], compression=compression)
    with Store(path) as store:
        assert verify(store)[0] == []
        for column in image_table(store, "alpha").columns:
            assert np.array_equal(column.values.all(), np.array(expected[column.name])), column.name
        dataset = store.dataset("images/key")
        keys = expected["image"]
        assert [dataset[42], *dataset[3:20:4], *dataset[np.array([30, 2, 2])]] == [
            keys[42],
            *keys[3:20:4],
            keys[30],
            keys[2],
            keys[2],
        ]
        with pytest.raises(StoreError, match="has no row 43"):
            dataset[43]


@pytest.mark.parametrize("data", [zlib.compress(bytes(2**28)), zlib.compress(b"short"), b"no gzip"])
def test_a_chunk_that_unpacks_to_another_size_is_refused(path: Path, data: bytes) -> None:
    name = "models/alpha/images/cosine"
    put(path, name, shape=43, dtype="f4", chunks=(43,), compression="gzip")
    with h5py.File(path, "r+") as file:
        file[name].id.write_direct_chunk((0,), data)
    with Store(path) as store, pytest.raises(StoreError, match=name):
        store.array(name)


def test_a_model_with_links_is_not_copied_into_another_file(path: Path, pipe: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/note"] = h5py.ExternalLink(str(pipe), "/x")
    with Store(path) as store, pytest.raises(StoreError, match="note: is a link to somewhere else"):  # noqa: SIM117
        with replace_store(path.with_name("other.h5"), scratch=path.parent) as writer:
            writer.copy_item(store, "models/alpha")
    assert not path.with_name("other.h5").exists()


def test_a_dataset_with_two_names_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["models/beta/images/cosine"]
        file["models/beta/images/cosine"] = file["models/alpha/images/cosine"]
    with Store(path) as store:
        store.array("models/alpha/images/cosine")
        with pytest.raises(StoreError, match="beta/images/cosine: is the same dataset as models/alpha/images/cosine"):
            store.array("models/beta/images/cosine")
        assert any("is the same dataset as" in problem for problem in verify(store).problems)


def test_a_file_that_unpacks_to_far_more_than_it_holds_is_refused(path: Path) -> None:
    rows = 20_000  # packed to 90 kB; in memory 80 MB of bytes and 320 MB of characters
    put(path, "classes/name", data=np.full(rows, b"x" * 4096), chunks=(4096,), compression="gzip")
    assert path.stat().st_size < 2e6
    assert "classes/name: with it the file of 0." in refused(path, "classes/name")
    with Store(path) as store:
        assert model_table(store).length == 2


def test_a_packed_chunk_is_unpacked_once_for_rows_in_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "models/alpha/images/cosine"
    with h5py.File(path) as file:
        cells = file[name][()]
    put(path, name, data=cells, chunks=(10,), compression="gzip")
    with Store(path) as store:
        dataset = store.dataset(name)
        unpacked: list[object] = []
        unpack = dataset._chunks._unpack
        monkeypatch.setattr(dataset._chunks, "_unpack", lambda low: unpacked.append(low) or unpack(low))
        rows = np.array([42, 1, 3, 35, 7, 9])
        assert dataset[rows].tolist() == cells[rows].tolist()
    assert unpacked == [(0,), (30,), (40,)]
