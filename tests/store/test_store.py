from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store

import sing_compute
from sing_compute.errors import StoreError
from sing_compute.store import (
    Store,
    catalogue,
    class_table,
    concept_table,
    image_table,
    model_table,
    replace_store,
)
from sing_compute.store.definition import Analysis, Axis, Column, TableSpec
from sing_compute.store.verify import verify

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5", groups=("indoor", "outdoor"))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    before = path.read_bytes()

    def write_and_die() -> None:
        with replace_store(path, scratch=path.parent) as writer:
            writer.put("classes/name", ["one"])
            raise RuntimeError("killed here")

    with pytest.raises(RuntimeError, match="killed here"):
        write_and_die()
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["results.h5"]


def test_the_old_file_stays_readable_until_the_new_one_is_whole(path: Path) -> None:
    with replace_store(path, scratch=path.parent) as writer:
        writer.put("classes/name", ["one"])
        with Store(path) as store:
            assert list(store.class_names) == ["cat", "dog", "owl", "empty"]
    with Store(path) as store:
        assert list(store.class_names) == ["one"]


def test_arrays_of_another_shape_than_the_schema_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has axes"), replace_store(tmp_path / "x.h5", scratch=tmp_path) as writer:
        writer.put("images/class", [[1, 2]])


def test_text_survives_whatever_its_script_and_length(tmp_path: Path) -> None:
    names = ["", "猫" * 300, "e\u0301clair", "🦉", "[bold]x[/bold]", "a\tb\x1b[31m"]
    with replace_store(tmp_path / "x.h5", scratch=tmp_path) as writer:
        writer.put("classes/name", names)
    with Store(tmp_path / "x.h5") as store:
        assert list(store.class_names) == names


def test_every_dataset_says_what_it_is(path: Path) -> None:
    seen = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: seen.append((name, item)) if isinstance(item, h5py.Dataset) else None)
        assert len(seen) > 100
        for name, item in seen:
            assert {"axes", "unit", "description", "version"} <= set(item.attrs), name


@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("store.md", "store_tables"),
        ("tables.md", "column_pages"),
        ("directions.md", "direction_results"),
        ("reliability.md", "attack_results"),
    ],
)
def test_the_pages_hold_what_the_declarations_say(page: str, made: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS)
    import make_tables

    text = (DOCS / page).read_text(encoding="utf-8")
    assert text.partition(make_tables.MARK)[2].strip() == getattr(make_tables, made)().strip()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"hello", "not a readable HDF5 file"),
        ("half", "not a readable HDF5 file"),
        ("foreign", "not a result"),
    ],
)
def test_files_that_are_no_results_are_refused_in_one_line(
    path: Path, tmp_path: Path, content: object, message: str
) -> None:
    other = tmp_path / "other.h5"
    if content == "half":
        other.write_bytes(path.read_bytes()[:5000])
    elif content == "foreign":
        h5py.File(other, "w").close()
    elif isinstance(content, bytes):
        other.write_bytes(content)
    with pytest.raises(StoreError, match=message) as caught:
        Store(other)
    assert "\n" not in str(caught.value)


def test_a_newer_schema_is_refused(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(StoreError, match="schema 99, this program reads up to 2; update it"):
        Store(path)


def test_opening_never_changes_the_file(path: Path) -> None:
    before = path.read_bytes()
    with Store(path) as store:
        verify(store)
        image_table(store, "alpha").columns[0].values.all()
        with pytest.raises((OSError, ValueError, KeyError)):
            store.file.create_group("mine")
    assert path.read_bytes() == before


def test_a_good_file_passes_every_check(path: Path) -> None:
    with Store(path) as store:
        problems, made, unknown, notes = verify(store)
    assert problems == []
    assert unknown == []
    assert made > 1000
    assert any(line.startswith("taken as given, as features are not kept: ") for line in notes)


def test_a_model_without_null_space_is_complete_without_scores(tmp_path: Path) -> None:
    with Store(write_store(tmp_path / "x.h5", null_space=False)) as store:
        assert verify(store)[0] == []
        assert "attribute_score" not in [column.name for column in model_table(store).columns]
        assert class_table(store, "alpha").length == 3
        with pytest.raises(StoreError, match="its head has no null space"):
            concept_table(store, "alpha", 0)


def swap(dataset: h5py.Dataset) -> None:
    values = dataset[()]
    values[[0, -1]] = values[[-1, 0]]
    dataset[...] = values


def change(dataset: h5py.Dataset) -> None:
    dataset[...] = dataset[()] * 1.5 + 1


DAMAGE = {
    "images/class": (swap, "images/class: not sorted"),
    "images/offsets": (change, "images/offsets"),
    "clip/concept_embeddings": (change, "not of unit length"),
    "models/alpha/head/singular_values": (change, "not that of head/weight"),
    "models/alpha/head/weight": (change, "head/singular_values: not that of head/weight"),
    "models/alpha/summary/rank": (change, "summary/rank"),
    "models/alpha/summary/correct": (change, "summary/correct"),
    "models/alpha/summary/flips": (change, "predictions change under null removal"),
    "models/alpha/summary/image_score": (change, "summary/image_score"),
    "models/alpha/summary/lambda": (change, "not on the ridge path"),
    "models/alpha/images/image_score": (lambda d: d.write_direct(np.zeros(d.shape, d.dtype)), "exceeds IS"),
    "models/alpha/classes/attribute_score_q50": (change, "not that of images/attribute_score in"),
    "models/alpha/classes/count": (change, "classes/count"),
    "models/alpha/rankings/image_score": (swap, "not ascending"),
    "models/alpha/concepts/angle_before": (change, "not that of angle before minus angle after"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_verify_finds_a_damaged_dataset(path: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    with h5py.File(path, "r+") as file:
        damage(file[name])
    with Store(path) as store:
        problems = verify(store).problems
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize("name", ["images/key", "models/beta/images/prediction", "models/beta/images/image_score"])
def test_verify_finds_a_missing_dataset(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
    with Store(path) as store:
        assert f"{name}: missing" in verify(store)[0]


def test_verify_finds_another_dtype_and_another_length(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for name, values in (
            ("models/alpha/images/cosine", np.zeros(43)),
            ("models/beta/images/cosine", np.zeros(5, "f4")),
        ):
            attributes = dict(file[name].attrs)
            del file[name]
            file[name] = values
            file[name].attrs.update(attributes)
    with Store(path) as store:
        problems = verify(store)[0]
    assert problems == [
        "models/alpha/images/cosine: is float64, wanted float32",
        "models/beta/images/cosine: axis image has length 5, elsewhere 43",
    ]


def test_tables_are_the_stored_numbers(path: Path) -> None:
    with Store(path) as store, h5py.File(path) as file:
        images = image_table(store, "beta", 1)
        group = file["models/beta/images"]
        assert (images.column("image_score").values.all() == group["image_score"][30:42]).all()
        predicted = [file["classes/name"][i].decode() for i in group["prediction"][30:42]]
        assert list(images.column("prediction").values.all()) == predicted
        rows = np.array([11, 0, 5, 5])
        assert (images.column("null_energy").values.take(rows) == group["null_energy"][()][30 + rows]).all()
        top = [file["concepts/name"][i].decode() for i in group["top_concept"][30:42, 0]]
        assert list(images.column("top_concept").values.all()) == top
        groups = [("indoor", "outdoor", "")[i] for i in file["images/group"][30:42]]  # -1: none
        assert set(groups) == {"", "indoor", "outdoor"}
        assert list(images.column("group").values.all()) == groups
        classes = class_table(store, "alpha", "wrong")
        counts = file["models/alpha/classes/count"][2]
        assert list(classes.column("index").values.all()) == list(np.flatnonzero(counts))
        concepts = concept_table(store, "alpha", 0)
        difference = (
            file["models/alpha/concepts/attribute_score"][0] - file["models/alpha/concepts/attribute_score_centred"][0]
        )
        assert (concepts.column("attribute_score_common").values.all() == difference).all()


def test_stored_rankings_sort_the_whole_table(path: Path) -> None:
    with Store(path) as store:
        table = image_table(store, "alpha")
        for name, order in table.rankings.items():
            assert (np.diff(table.column(name).values.take(order[()].astype(np.int64))) >= 0).all()
        assert set(table.rankings) == {"attribute_score", "image_score", "null_energy"}


def test_classes_are_found_by_index_and_name(path: Path) -> None:
    with Store(path) as store:
        assert (store.find_class("DOG"), store.find_class(2), store.find_class("0")) == (1, 2, 0)
        with pytest.raises(StoreError, match=r"no class 'ow' in results.h5; near: owl"):
            store.find_class("ow")
        with pytest.raises(StoreError, match="it holds: alpha, beta"):
            store.model("gamma")


def test_load_gives_dataframes_of_the_same_numbers(path: Path) -> None:
    with sing_compute.load(path) as results, h5py.File(path) as file:
        assert results.models.loc["beta", "image_score"] == file["models/beta/summary/image_score"][()]
        assert results.classes("alpha").loc[1, "image_score_q50"] == file["models/alpha/classes/image_score_q50"][0, 1]
        cat = results.concepts("cat")
        assert cat.loc["concept 7", "attribute_score"] == file["models/alpha/concepts/attribute_score"][0, 7]
        assert cat.attrs["attribute_score"].startswith("degree: mean AS")
        images = results.images()
        assert list(images.index) == [key.decode() for key in file["images/key"][()]]
        assert len(results.images("dog", "beta")) == 12
        assert results.provenance("beta")["tag"] == "beta.v1"


def test_a_table_of_another_analysis_opens_behind_what_a_table_opens_itself() -> None:
    def below(other: str) -> Analysis:
        leaf = Column("leaf", "leaf", "text", role="label")
        leaves = TableSpec("leaves", "leaf", ("class",), "leaf", (leaf,), opened_by=(other,))
        return Analysis("below", 1, "below", "file", (), (Axis("leaf", "leaves", length=2),), (leaves,))

    before = catalogue.table("classes").opens
    assert before == ("concepts", "images", "null_directions", "steering")
    with catalogue.registered(below("classes")):
        assert catalogue.table("classes").opens == (*before, "leaves")
        assert catalogue.analysis_of("classes").name == "sing"
    assert catalogue.table("classes").opens == before
    with pytest.raises(ValueError, match="leaves refers to 'trees', which no analysis declares"):
        catalogue.register(below("trees"))


def test_a_slash_at_either_end_of_a_path_changes_nothing(tmp_path: Path) -> None:
    with Store(write_store(tmp_path / "results.h5")) as store:
        assert store.attributes("/models/alpha/") == store.attributes("models/alpha") != {}
        assert store.names("models/") == store.names("models") != []
        assert "/models/alpha/" in store
