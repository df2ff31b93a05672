"""Steering that a results file keeps: the numbers of the matrix, found wrong by verify, and kept when the file changes."""

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest

from sing_compute.errors import SingError, StoreError
from sing_compute.process.progress import Progress
from sing_compute.questions.adding import add_concepts
from sing_compute.questions.answer_tables import write_matrix
from sing_compute.questions.merging import merge
from sing_compute.questions.steering import steer_matrix
from sing_compute.questions.steering_sink import keep_steering
from sing_compute.questions.stored_model import StoredModel
from sing_compute.store import Place, Store, open_table
from sing_compute.store.checks import features as features_check
from sing_compute.store.checks import steering as steering_check
from sing_compute.store.copying import same_data
from sing_compute.store.verify import verify

ANGLE = 30.0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("kept")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield asking.measure(folder, "results.h5", "first", "second")


@pytest.fixture(scope="module")
def kept(results: Path) -> Path:
    """The file with the steering of its models."""
    path = Path(shutil.copy(results, results.with_name("kept.h5")))
    assert keep_steering(path, Progress(), model=None, angle=ANGLE, command="typed") == ["first", "second"]
    return path


def test_what_is_kept_is_the_matrix_and_its_csv_and_nothing_else_changes(
    kept: Path, results: Path, tmp_path: Path
) -> None:
    with Store(kept) as found, Store(results) as store:
        for name in store.models:
            matrix = steer_matrix(StoredModel.read(store, name), Progress(), angle=ANGLE)
            write_matrix(tmp_path / "matrix.csv", matrix, asking.CLASSES)
            with (tmp_path / "matrix.csv").open(encoding="utf-8") as stream:
                rows = list(csv.DictReader(stream))
            tables = [open_table(found, Place("steering").at(**{"model": name, "class": k})) for k in range(4)]
            assert [name for table in tables for name in table.column("target").values.all()] == [r["to"] for r in rows]
            for figure in ("attribute_score_mean", "attribute_score_std", "images", "unreachable"):
                cells = np.concatenate([table.column(figure).values.all() for table in tables])
                np.testing.assert_allclose(cells, [float(row[figure] or "nan") for row in rows], rtol=1e-6)
            assert {float(angle) for table in tables for angle in table.column("angle").values.all()} == {ANGLE}
            assert found.attributes(f"models/{name}/steering")["command"] == "typed"
            parts = store.names(f"models/{name}")
            assert all(same_data(found, store, f"models/{name}/{part}") for part in parts)
            assert {*found.names(f"models/{name}")} == {*parts, "steering"}
        assert all(same_data(found, store, part) for part in store.names("") if part != "models")
        assert verify(found).problems == []


def test_another_angle_replaces_the_steering_of_its_model_alone(kept: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(kept, tmp_path / "again.h5"))
    assert keep_steering(path, Progress(), model="second", angle=60.0, command="") == ["second"]
    with Store(path) as found, Store(kept) as before:
        assert same_data(found, before, "models/first/steering")
        assert (float(found.array("models/second/steering/angle")), verify(found).problems) == (60.0, [])


@pytest.mark.parametrize("figure", ["attribute_score_mean", "attribute_score_std", "unreachable", "images", "angle"])
def test_verify_finds_one_changed_number(kept: Path, tmp_path: Path, figure: str) -> None:
    path = Path(shutil.copy(kept, tmp_path / "changed.h5"))
    with h5py.File(path, "r+") as file:
        cells = file[f"models/second/steering/{figure}"]
        place = (1, 2)[: len(cells.shape)]
        cells[place] = cells[place] + (1 if figure in ("unreachable", "images") else 0.01)
    with Store(path) as found:
        assert any(line.startswith("models/second/steering/") for line in verify(found).problems)


def test_of_many_classes_and_targets_some_are_computed_again(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, most in (
        (steering_check, "_PAIRS", 1),
        (steering_check, "_TARGETS", 2),
        (features_check, "_FEWEST", 8),
    ):
        monkeypatch.setattr(module, name, most)
    monkeypatch.setattr(features_check, "_CELLS", 1)
    path = Path(shutil.copy(kept, tmp_path / "changed.h5"))
    for place, full, is_found in (((0, 1), False, False), ((0, 1), True, True), ((0, 3), False, True)):
        with Store(path) as found:
            problems, _, _, notes = verify(found)
        assert problems == []
        assert any("6 of 8 classes with their steering, 4 of 8 targets of steered classes" in line for line in notes)
        with h5py.File(path, "r+") as file:
            cells = file["models/first/steering/attribute_score_mean"]
            right = cells[place]
            cells[place] = right + 1
        with Store(path) as found:
            named = [line for line in verify(found, full=full).problems if "steering/attribute_score_mean" in line]
        assert bool(named) == is_found
        with h5py.File(path, "r+") as file:
            file["models/first/steering/attribute_score_mean"][place] = right


def test_without_features_verify_says_what_is_taken_as_given(kept: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(kept, tmp_path / "bare.h5"))
    with h5py.File(path, "r+") as file:
        del file["models/first/features"], file["models/second/features"]
        file["models/first/steering/unreachable"][0, 1] = file["models/first/steering/images"][0] + 1
    lists = []
    for groups in (("first", "second"), ()):
        with Store(path) as found:
            problems, _, _, notes = verify(found, full=True)
        assert ("models/first/steering/unreachable: more than the images of the class" in problems) == bool(groups)
        (line,) = [line for line in notes if line.startswith("taken as given, as features are not kept")]
        lists.append(int(re.search(r"and (\d+) more", line)[1]))  # type: ignore[index]
        with h5py.File(path, "r+") as file:
            for name in groups:
                del file[f"models/{name}/steering"]
    assert lists[0] - lists[1] == 5  # its datasets
    with pytest.raises(SingError, match=r"no model of .* can be steered"):
        keep_steering(path, Progress(), model=None, angle=ANGLE, command="")


def test_steering_stays_when_files_are_joined_and_concepts_are_added(kept: Path, results: Path, tmp_path: Path) -> None:
    path = tmp_path / "joined.h5"
    merge([kept, results], path, Progress(), renames=["first=third", "second=fourth"])
    add_concepts(path, asking.LATER, Progress(), embeddings=results.with_name("later.npz"))
    with Store(path) as found, Store(kept) as before:
        for name in before.models:
            assert same_data(found, before, f"models/{name}/steering")
        assert "models/third/steering" not in found
        with pytest.raises(StoreError, match="third has no steering; sing-compute steer FILE --keep adds it"):
            open_table(found, Place("steering").at(**{"model": "third", "class": 0}))
