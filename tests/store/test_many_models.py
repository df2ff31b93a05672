"""Files of many models have a bounded price: `verify` checks some of them, says which, and checks all with `full`."""

from pathlib import Path

import h5py
import pytest
from many_models import write_many

from sing_compute.store import Place, Store, gate, open_table
from sing_compute.store.checks.look import Findings, Look
from sing_compute.store.checks.sing_comparison import MOST_COMPARED, check_comparison
from sing_compute.store.verify import MOST_ITEMS, Verification, verify

COUNT = 30


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("many") / "many.h5", COUNT, null_space=False)


@pytest.fixture
def path(many: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(many.read_bytes())
    return copy


def checked(path: Path, *, full: bool = False) -> Verification:
    with Store(path) as store:
        return verify(store, full=full)


def chosen(path: Path) -> list[str]:
    """Return the models that are checked in full: those in which a value out of range is found."""
    with h5py.File(path, "r+") as file:
        for model in file["models"]:
            file[f"models/{model}/summary/accuracy"][...] = 2
    problems = checked(path).problems
    return sorted({problem.split("/")[1] for problem in problems if "summary/accuracy: not from 0 to 1" in problem})


def test_of_many_models_some_are_checked_and_the_notes_name_them(path: Path) -> None:
    found = checked(path)
    assert found.problems == []
    line = next(note for note in found.notes if "models were checked" in note)
    names = chosen(path)
    assert line.startswith(f"{MOST_ITEMS} of {COUNT} models were checked")
    assert line.endswith("--full checks all")
    assert all(name in line for name in names[:6])
    assert len(names) == MOST_ITEMS
    assert {names[0], names[-1]} == {"model_000", f"model_{COUNT - 1:03d}"}


def test_full_checks_every_model(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for model in file["models"]:
            file[f"models/{model}/summary/accuracy"][...] = 2
    found = checked(path, full=True)
    wrong = {problem.split("/")[1] for problem in found.problems if "summary/accuracy" in problem}
    assert len(wrong) == COUNT
    assert not [note for note in found.notes if "were checked" in note]


def test_a_missing_or_unknown_dataset_is_found_in_every_model(path: Path) -> None:
    left = sorted({f"model_{k:03d}" for k in range(COUNT)} - set(chosen(path)))
    with h5py.File(path, "r+") as file:
        del file[f"models/{left[0]}/head/weight"]
        file[f"models/{left[1]}/head/strange"] = 1
        for model in file["models"]:
            file[f"models/{model}/summary/accuracy"][...] = 0.5
    found = checked(path)
    assert f"models/{left[0]}/head/weight: missing" in found.problems
    assert f"models/{left[1]}/head/strange" in found.unknown


def test_pairs_of_models_that_are_compared_again_are_drawn(tmp_path: Path) -> None:
    path = write_many(tmp_path / "x.h5", 18)
    assert compared(path).problems == []
    with h5py.File(path, "r+") as file:
        file["comparison/above"][...] = 0.25
    found = compared(path)
    assert all("comparison/above: not that of the resamples" in problem for problem in found.problems)
    assert len(found.problems) == MOST_COMPARED**2
    assert found.sampled == {"models in the comparison": (MOST_COMPARED, 18)}


def compared(path: Path) -> Findings:
    found = Findings()
    with Store(path) as store:
        check_comparison(Look(store, "", "", found, full=False))
    return found


def test_up_to_thirteen_models_are_all_checked(tmp_path: Path) -> None:
    path = write_many(tmp_path / "x.h5", MOST_ITEMS, null_space=False)
    found = checked(path)
    assert found.problems == []
    assert not [note for note in found.notes if "were checked" in note or "computed again for some" in note]
    assert len(chosen(path)) == MOST_ITEMS


def test_objects_are_opened_once_for_a_table_and_not_for_each_model_by_verify(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    before = gate.opened

    def count(group: object, name: str, where: str, *, is_group: bool = False) -> object:
        opened.append(where)
        return before(group, name, where, is_group=is_group)

    monkeypatch.setattr(gate, "opened", count)
    with Store(path) as store:
        open_table(store, Place("models"))
    assert len(opened) == len(set(opened))
    opened.clear()
    checked(path)
    values = [where for where in set(opened) if "/head/weight" in where]
    assert len({where.split("/")[1] for where in values}) == MOST_ITEMS
