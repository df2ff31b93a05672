"""Files of earlier schema versions are read, checked, merged and given new concepts (store_archives/README.md)."""

from pathlib import Path

import numpy as np

import sing_compute
from sing_compute.process.progress import Progress
from sing_compute.questions.merging import merge
from sing_compute.store import Comparison, Place, Store, catalogue, open_table
from sing_compute.store.constants import SCHEMA_VERSION
from sing_compute.store.verify import verify

ARCHIVES = Path(__file__).resolve().parents[1] / "store_archives"


def test_there_is_an_archive_of_every_schema_before_this_one() -> None:
    kept = {int(path.name.removeprefix("schema-").removesuffix(".h5.gz")) for path in ARCHIVES.glob("*.gz")}
    assert kept == set(range(1, SCHEMA_VERSION))


def test_a_file_of_schema_1_passes_every_check_and_holds_nothing_unknown(schema_1: Path) -> None:
    with Store(schema_1) as store:
        found = verify(store)
    assert (found.problems, found.unknown) == ([], [])
    assert found.checks > 1000


def test_the_tables_of_a_file_of_schema_1_are_its_stored_numbers(schema_1: Path) -> None:
    with Store(schema_1) as store:
        assert [spec.name for spec in catalogue.tables(store)] == ["models", "classes", "concepts", "images"]
        star = int(store.find("class", "star"))
        concepts = open_table(store, Place("concepts").at(model="leaky", **{"class": star}))
        stored = store.dataset("models/leaky/concepts/attribute_score")[star]
        assert (concepts.column("attribute_score").values.all() == stored).all()
        models = open_table(store, Place("models"))
        assert models.column("model").values.all().tolist() == ["leaky", "clean"]
        assert models.column("image_score").values.all()[1] == store.summary("clean")["image_score"]
        both = Comparison("model", ("leaky", "clean"), "image_score")
        images = open_table(store, Place("images", comparison=both).at(model="leaky"))
        first, second = (store.array(f"models/{model}/images/image_score") for model in ("leaky", "clean"))
        assert np.array_equal(images.column("image_score.clean.difference").values.all(), second - first)
    with sing_compute.load(schema_1) as results:
        assert results.tables == ["models", "classes", "concepts", "images"]
        assert results.compare("classes", "model").loc["star", "image_score_q50.leaky"] > 0


def test_a_file_of_schema_1_is_merged_into_one_of_this_schema(schema_1: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.h5"
    merge([schema_1, schema_1], both, Progress(), renames=["leaky=leaky again", "clean=clean again"])
    with Store(both) as store, Store(schema_1) as old:
        assert store.models == ["leaky", "clean", "leaky again", "clean again"]
        assert store.file.attrs["schema_version"] == SCHEMA_VERSION
        for model in ("leaky", "leaky again"):
            path = "concepts/attribute_score"
            assert (store.array(f"models/{model}/{path}") == old.array(f"models/leaky/{path}")).all()
        found = verify(store)
    assert (found.problems, found.unknown) == ([], [])
