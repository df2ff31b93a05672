"""Numbers, names and attributes of a stranger's file: read as they are, or refused in one line without control characters."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from mutations import HOSTILE
from readers import harmless
from stores import write_store
from strange_datasets import refused

import sing_compute
from sing_compute.errors import StoreError
from sing_compute.store import Store, class_table, concept_table, image_table, replace_store
from sing_compute.store.verify import verify


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


def test_a_group_whose_table_of_names_is_gone_is_refused(path: Path, tmp_path: Path) -> None:
    content, refusals = path.read_bytes(), []
    for found in re.finditer(b"TREE", content):
        damaged = tmp_path / "damaged.h5"
        damaged.write_bytes(content[: found.start()] + bytes(8) + content[found.start() + 8 :])
        try:
            with Store(damaged) as store:
                assert set(store.models) <= {"alpha", "beta"}
        except StoreError as error:
            harmless(str(error), "the refusal")
            refusals.append(str(error))
    assert len(refusals) > 2


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


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, "models/alpha2: is the same model as alpha, by a link"),
        (499, "models: holds 501 models; at most 500 are read"),
        (10_001, "models: holds more than 10,000 names"),
    ],
)
def test_models_by_hard_links_are_one_line(path: Path, count: int, line: str) -> None:
    with h5py.File(path, "r+") as file:
        for number in range(2, 2 + count):
            file.id.links.create_hard(f"models/alpha{number}".encode(), file.id, b"models/alpha")
    with Store(path) as store:
        with pytest.raises(StoreError, match=line):
            assert store.models
        assert any(line in problem for problem in verify(store).problems)


def write_models(path: Path, count: int) -> None:
    with replace_store(path, scratch=path.parent) as writer:
        for number in range(count):
            writer.annotate(f"models/m{number}", {"order": number})


def test_more_models_than_are_read_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"501 models are more than a results file may hold \(500\)"):
        write_models(tmp_path / "x.h5", 501)
    assert not list(tmp_path.iterdir())


def test_dataframes_print_without_control_characters(tmp_path: Path) -> None:
    path = write_store(tmp_path / "x.h5", class_names=HOSTILE, images_per_class=(3,) * len(HOSTILE))
    with sing_compute.load(path) as results:
        text = repr(results.classes()) + repr(results.images()) + repr(results.provenance())
        assert results.store.class_names[0] == HOSTILE[0]
    assert "[red]markup[/red]" in text
    harmless(text, "frame")


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


def test_what_is_written_is_within_what_is_read(tmp_path: Path) -> None:
    with replace_store(tmp_path / "x.h5", scratch=tmp_path) as writer:
        writer.put("classes/name", ["猫" * 3000])
        writer.annotate("clip", {"source": "x" * 70_000, "empty": "", "yes": True})
    with Store(tmp_path / "x.h5") as store:
        assert store.class_names[0].startswith("猫" * 1365)
        assert store.attributes("clip") == {"source": "x" * 4000, "empty": "", "yes": 1}
