"""Data that this program does not know survives `concepts`, `merge` and a second run bit for bit, and `verify` names it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
from toy_analysis import TOY, write_toy

from sing_compute.errors import StoreError
from sing_compute.process.progress import Progress
from sing_compute.questions.adding import add_concepts
from sing_compute.questions.merging import merge
from sing_compute.store import Store, catalogue
from sing_compute.store.verify import verify

UNKNOWN = ("heads", "models/first/apples")
VALUES = np.random.default_rng(3).normal(size=(5, 7)).astype(">f2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("lost")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        asking.measure(folder, "some.h5", "first", "second")
        yield folder


@pytest.fixture
def results(folder: Path, tmp_path: Path) -> Path:
    """A finished file to which another program has added a group, and a dataset inside a model."""
    path = Path(shutil.copy(folder / "some.h5", tmp_path / "some.h5"))
    with h5py.File(path, "r+") as file:
        file.attrs["their_version"] = 7
        group = file.create_group("heads/ViT-B-32/layer 11")
        group.attrs["note"] = "not ours"
        group.create_dataset("weights", data=VALUES, chunks=(2, 7), compression="gzip")
        group["empty"] = h5py.Empty("f4")
        file["models/first/apples"] = VALUES
        file["models/first/apples"].attrs["unit"] = "apples"
    return path


def stored(path: Path) -> dict[str, object]:
    """Types, attributes and bytes of everything unknown."""
    found: dict[str, object] = {}

    def keep(name: str, item: h5py.Group | h5py.Dataset) -> None:
        value = None if isinstance(item, h5py.Group) else (item.dtype.str, item.shape, np.asarray(item[()]).tobytes())
        if not (isinstance(item, h5py.Dataset) and item.shape is None):
            found[name] = value
        found[f"{name}@"] = {key: str(each) for key, each in item.attrs.items() if key != "order"}

    with h5py.File(path) as file:
        file["heads"].visititems(lambda name, item: keep(f"heads/{name}", item))
        keep("models/first/apples", file["models/first/apples"])
        found["their_version"] = int(file.attrs["their_version"])
        assert file["heads/ViT-B-32/layer 11/empty"].shape is None
    return found


def with_concepts(folder: Path, results: Path) -> Path:
    assert add_concepts(results, asking.LATER, Progress(), embeddings=folder / "later.npz") == list(asking.LATER)
    return results


def merged_first(folder: Path, results: Path) -> Path:
    output = results.with_name("merged.h5")
    merge([results, folder / "some.h5"], output, Progress(), renames=["first=third", "second=fourth"])
    return output


def with_another_model(folder: Path, results: Path) -> Path:
    asking.measure(folder, str(results), "third")
    return results


@pytest.mark.parametrize("change", [with_concepts, merged_first, with_another_model])
def test_unknown_groups_and_datasets_survive(folder: Path, results: Path, change: Callable[[Path, Path], Path]) -> None:
    before = stored(results)
    assert len(before) > 5
    changed = change(folder, results)
    assert stored(changed) == before
    with Store(changed) as store:
        found = verify(store)
    assert found.problems == []
    assert sorted(found.unknown) == sorted(UNKNOWN)


@pytest.mark.parametrize("name", ["theirs", b"\xfftheirs"], ids=str)
@pytest.mark.parametrize("group", ["/", "models/first"])
@pytest.mark.parametrize(
    "value", [b"\xff\xfe", np.bytes_(b"\xff"), "snow \u2603", h5py.Empty("f4"), np.arange(3.0, dtype=">f2")], ids=str
)
def test_attributes_survive_as_they_are(
    folder: Path, results: Path, group: str, value: object, name: str | bytes
) -> None:
    def bytes_of(path: Path) -> tuple[h5py.h5t.TypeID, object]:
        with h5py.File(path) as file:
            held = file[group].attrs.get_id(name)
            if held.get_space().get_simple_extent_type() == h5py.h5s.NULL:
                return held.get_type(), None
            values = np.empty(held.shape, held.dtype)
            held.read(values)
            return held.get_type(), values.tolist()

    with h5py.File(results, "r+") as file:
        file[group].attrs[name] = value
    before = bytes_of(results)
    with_concepts(folder, results)
    assert bytes_of(results) == before


def test_files_whose_unknown_parts_differ_are_not_merged(folder: Path, results: Path) -> None:
    other = Path(shutil.copy(results, results.with_name("other.h5")))
    same = results.with_name("same.h5")
    merge([results, other], same, Progress(), renames=["first=third", "second=fourth"])
    assert stored(same) == stored(results)
    with h5py.File(other, "r+") as file:
        file["heads/ViT-B-32/layer 11/weights"][0, 0] += 1
    with pytest.raises(StoreError, match="both hold heads, with different contents"):
        merge([results, other], results.with_name("no.h5"), Progress(), renames=["first=third", "second=fourth"])
    assert not results.with_name("no.h5").exists()


def test_a_model_that_is_measured_again_loses_what_was_unknown_of_it_and_says_so(
    folder: Path, results: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asking.measure(folder, str(results), "first")
    assert "measured again: models/first/apples" in " ".join(capfd.readouterr().err.split())
    with Store(results) as store:
        assert "models/first/apples" not in store
        assert "heads/ViT-B-32" in store


@pytest.mark.parametrize("needs", [(), ("concepts",)])
def test_an_analysis_that_needs_the_concepts_is_left_out_when_they_change(
    folder: Path, results: Path, needs: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with catalogue.registered(replace(TOY, needs=needs)):
        both = write_toy(results.with_name("both.h5"), onto=results)
        add_concepts(both, asking.LATER, Progress(), embeddings=folder / "later.npz")
        with Store(both) as store:
            assert ("stages/block 1/units/strength" in store) == (not needs)
    assert ("stages and their units" in capsys.readouterr().err) == bool(needs)
