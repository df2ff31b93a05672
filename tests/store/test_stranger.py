"""What a results file from a stranger may do: nothing. Links and storages point to pipes: whoever opens one hangs."""

import os
import zlib
from pathlib import Path

import fuzz
import h5py
import numpy as np
import pytest
from mutations import HOSTILE
from stores import write_store

import sing_compute
from sing_compute.errors import StoreError
from sing_compute.store import Store, class_table, concept_table, image_table, model_table, replace_store
from sing_compute.store.chunks import _unlzf
from sing_compute.store.verify import verify

FILES = 200


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5", groups=("indoor", "outdoor"))


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


def refused(path: Path, name: str) -> str:
    """The line that reading a dataset ends in; `verify` must say the same."""
    with Store(path) as store:
        with pytest.raises(StoreError) as caught:
            store.array(name)
        problems = verify(store).problems
    line = str(caught.value)
    assert "\n" not in line
    assert any(line.endswith(problem) for problem in problems), problems
    return line


def test_mutated_files_end_well_or_in_one_line() -> None:
    ends, problems = fuzz.fuzz(FILES, screens=8)
    assert not problems, "\n".join(problems)
    assert ends.total() == FILES


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
    ],
)
def test_sizes_are_checked_before_anything_is_read(path: Path, name: str, options: dict, line: str) -> None:
    put(path, name, **options)
    assert line in refused(path, name)


@pytest.mark.parametrize("compression", ["gzip", "lzf", None])
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


def test_lzf_stops_at_the_declared_size() -> None:
    assert len(_unlzf(b"\x00a" + b"\xe0\xff\x00" * 10_000, 1000)) < 1000 + 300
    with pytest.raises(ValueError, match="before the first byte"):
        _unlzf(b"\x20\x05", 10)


def test_indices_out_of_range_are_empty_cells(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/images/prediction"][:3] = [-1, 4, 2**31 - 1]
        file["models/alpha/images/top_concept"][:2] = 40
        file["images/group"][0] = 7
    with Store(path) as store:
        table = image_table(store, "alpha")
        assert list(table.column("prediction").values.all()[:3]) == ["", "", ""]
        assert list(table.column("prediction").values.take(np.arange(3))) == ["", "", ""]
        assert list(table.column("top_concept").values.all()[:2]) == ["", ""]
        assert table.column("group").values.all()[0] == ""
        assert list(table.column("prediction").values.codes()[:3]) == [-1, -1, -1]


@pytest.mark.parametrize("offsets", [[0, 30, 42, 43, 99], [1, 30, 42, 43, 43], [0, 42, 30, 43, 43], [0, 0, 0, 0, -1]])
def test_offsets_that_do_not_cut_the_images_are_refused(path: Path, offsets: list[int]) -> None:
    with h5py.File(path, "r+") as file:
        file["images/offsets"][...] = offsets
    with Store(path) as store:
        with pytest.raises(StoreError, match="images/offsets: do not cut"):
            image_table(store, "alpha", 1)
        assert any("images/offsets" in problem for problem in verify(store)[0])


def test_attributes_are_plain_scalars_or_absent(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        attributes = file["models/alpha"].attrs
        attributes["list"] = np.arange(3)
        attributes["vlen"] = "of any length"
        attributes["reference"] = file.ref
        attributes["compound"] = np.array((1, 2.0), [("a", "i4"), ("b", "f8")])
        attributes["number"] = np.float32(1.5)
        attributes.create("long", b"x" * 60_000, dtype=h5py.string_dtype("utf-8", 60_000))
    with Store(path) as store:
        found = store.attributes("models/alpha")
    assert {name: type(value) for name, value in found.items()} == {
        "order": int, "tag": str, "stored_precision": str, "number": float, "long": str
    }  # fmt: skip
    assert len(found["long"]) == 4000


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\u202eb", "n" * 300, "..", "\u200b"])
def test_a_name_that_is_no_models_name_is_refused(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        file["models"].move("alpha", name)
    with Store(path) as store, pytest.raises(StoreError, match="this is no name for a model") as caught:
        assert store.models
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_more_models_than_a_file_may_hold_are_one_line(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for number in range(10_001):
            file.id.links.create_hard(f"models/{number}".encode(), file.id, b"models/alpha")
    with Store(path) as store, pytest.raises(StoreError, match="models: holds more than 10,000 names"):
        assert store.models


def test_dataframes_print_without_control_characters(tmp_path: Path) -> None:
    path = write_store(tmp_path / "x.h5", class_names=HOSTILE, images_per_class=(3,) * len(HOSTILE))
    with sing_compute.load(path) as results:
        text = repr(results.classes()) + repr(results.images()) + repr(results.provenance())
        assert results.store.class_names[0] == HOSTILE[0]
    assert "[red]markup[/red]" in text
    fuzz.harmless(text, "frame")


def test_messages_never_carry_what_could_steer_a_terminal(path: Path) -> None:
    with Store(path) as store:
        for wrong in (
            lambda: store.model("\x1b[31m"),
            lambda: store.find_class("\x1b[31m" * 999),
            lambda: store.dataset("x/\x07"),
        ):
            with pytest.raises(StoreError) as caught:
                wrong()
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) <= 400


@pytest.mark.parametrize("missing", ["angle_before", "angle_after", "attribute_score_centred", "attribute_score"])
def test_a_table_without_an_optional_column_is_shown_without_it(path: Path, missing: str) -> None:
    with h5py.File(path, "r+") as file:
        for name in (f"models/alpha/concepts/{missing}", "groups/name", "models/alpha/images/top_concept_score"):
            del file[name]
    with Store(path) as store:
        names = [column.name for column in concept_table(store, "alpha", 0).columns]
        assert missing not in names
        assert len(names) >= 7
        assert not {"group", "top_concept"} & {column.name for column in image_table(store, "alpha").columns}
        assert class_table(store, "alpha").length == 3


def test_a_group_in_the_place_of_a_figure_is_one_line(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["models/alpha/summary/rank"]
        file.create_group("models/alpha/summary/rank")
    assert "summary/rank: not a dataset" in refused(path, "models/alpha/summary/rank")
    with Store(path) as store:
        with pytest.raises(StoreError, match="summary/rank: not a dataset"):
            store.summary("alpha")
        assert store.attributes("images/key")["unit"] == "text"
        assert store.attributes("nowhere") == store.summary("nobody") == {}


def test_a_file_of_a_strange_version_is_refused(path: Path) -> None:
    for value, line in (
        (99, "schema 99"),
        (0, "not a result"),
        ("one", "not a result"),
        (np.arange(2), "not a result"),
    ):
        with h5py.File(path, "r+") as file:
            file.attrs["schema_version"] = value
        with pytest.raises(StoreError, match=line):
            Store(path)


def test_a_model_with_links_is_not_copied_into_another_file(path: Path, pipe: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/note"] = h5py.ExternalLink(str(pipe), "/x")
    with Store(path) as store, pytest.raises(StoreError, match="note: is a link to somewhere else"):  # noqa: SIM117
        with replace_store(path.with_name("other.h5"), scratch=path.parent) as writer:
            writer.copy_item(store, "models/alpha")
    assert not path.with_name("other.h5").exists()


def test_what_is_written_is_within_what_is_read(tmp_path: Path) -> None:
    with replace_store(tmp_path / "x.h5", scratch=tmp_path) as writer:
        writer.put("classes/name", ["猫" * 3000])
        writer.annotate("clip", {"source": "x" * 70_000, "empty": "", "yes": True})
    with Store(tmp_path / "x.h5") as store:
        assert store.class_names[0].startswith("猫" * 1365)
        assert store.attributes("clip") == {"source": "x" * 4000, "empty": "", "yes": 1}
