"""Joined files are what one run over all their models would have written."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
from stores import write_store

from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.process.progress import Progress
from sing_compute.questions.merging import merge
from sing_compute.store import Store
from sing_compute.store.verify import verify


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("merging")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        asking.measure(folder, "both.h5", "first", "full", "second")
        asking.measure(folder, "a.h5", "first", "full")
        asking.measure(folder, "b.h5", "second")
        asking.measure(folder, "words.h5", "second", words="all.npz")
        yield folder


def datasets(path: Path, group: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def keep(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()
            found.update({f"{name}@{key}": np.asarray(value).tobytes() for key, value in item.attrs.items()})

    with h5py.File(path) as file:
        file[group].visititems(keep)
    return found


def test_two_files_make_the_file_of_one_run(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "merged.h5"
    assert merge([folder / "a.h5", folder / "b.h5"], output, Progress()) == ["first", "full", "second"]
    assert {path.name for path in tmp_path.iterdir()} == {"merged.h5"}
    with Store(output) as merged, Store(folder / "both.h5") as whole:
        assert merged.models == ["first", "full", "second"]
        assert verify(merged) == verify(whole)
    for group in ("images", "classes", "concepts", "clip", "subsets", "models/first", "models/full"):
        assert datasets(output, group) == datasets(folder / "a.h5", group)
    assert datasets(output, "models/second") == datasets(folder / "b.h5", "models/second")
    with h5py.File(output) as merged, h5py.File(folder / "both.h5") as whole:
        assert merged["comparison"].keys() == whole["comparison"].keys()
        for name, dataset in whole["comparison"].items():
            if dataset.dtype.kind == "S":
                assert merged["comparison"][name][()].tolist() == dataset[()].tolist()
            else:  # two runs of one model agree up to rounding
                assert np.allclose(merged["comparison"][name], dataset, rtol=1e-5, atol=1e-5, equal_nan=True)
        source, target = h5py.File(folder / "b.h5")["models/second"].attrs, merged["models/second"].attrs
        assert {key: value for key, value in target.items() if key != "order"} == {
            key: value for key, value in source.items() if key != "order"
        }


def test_models_of_one_name_are_refused_until_renamed(folder: Path, tmp_path: Path) -> None:
    output, files = tmp_path / "merged.h5", [folder / "a.h5", folder / "both.h5"]
    message = r"a.h5 and .*both.h5 both hold a model 'first': rename the later one with --rename first=NEW"
    with pytest.raises(SingError, match=message):
        merge(files, output, Progress())
    assert list(tmp_path.iterdir()) == []
    renames = ["first=first again", "full=x"]
    assert merge(files, output, Progress(), renames=renames) == ["first", "full", "first again", "x", "second"]
    assert datasets(output, "models/first again") == datasets(folder / "both.h5", "models/first")
    with Store(output) as merged:
        assert merged.array("comparison/model").tolist() == ["first", "first again", "second"]


def test_one_name_in_three_files_takes_two_renames(folder: Path, tmp_path: Path) -> None:
    files = [folder / name for name in ("b.h5", "b.h5", "b.h5")]
    with pytest.raises(SingError, match="both hold a model 'second'"):
        merge(files, tmp_path / "merged.h5", Progress(), renames=["second=third"])
    names = merge(files, tmp_path / "merged.h5", Progress(), renames=["second=third", "second=fourth"])
    assert names == ["second", "third", "fourth"]
    assert merge([folder / "a.h5", folder / "b.h5"], tmp_path / "one.h5", Progress(), renames=["second=2"])[-1] == "2"


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ("first", "--rename 'first': write OLD=NEW"),
        ("first=", "--rename 'first=': write OLD=NEW"),
        ("first=a/b", "a name has 1 to 255 bytes and no /"),
        ("first=..", "a name has 1 to 255 bytes and no /"),
        ("first=a\x1bb", "--rename 'first=ab': write OLD=NEW"),
        ("third=x", "--rename 'third=x': no model is named 'third'"),
        ("second=first", "both hold a model 'first': rename the later one with --rename second=NEW"),
    ],
)
def test_a_rename_that_cannot_be_is_refused(folder: Path, tmp_path: Path, rename: str, message: str) -> None:
    with pytest.raises(SingError, match=message):
        merge([folder / "a.h5", folder / "b.h5"], tmp_path / "merged.h5", Progress(), renames=[rename])
    assert list(tmp_path.iterdir()) == []


def test_files_of_other_words_or_images_are_refused(folder: Path, tmp_path: Path) -> None:
    message = r"words.h5 was made with other concepts than .*a.h5; models of one file must be comparable"
    with pytest.raises(SingError, match=message):
        merge([folder / "a.h5", folder / "words.h5"], tmp_path / "merged.h5", Progress())
    other = Path(shutil.copy(folder / "b.h5", tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        file["images/key"][0] = b"ant/999.png"
        file["clip"].attrs["tag"] = np.bytes_(b"another")
    with pytest.raises(SingError, match=r"other.h5 was made with other images, CLIP than .*a.h5"):
        merge([folder / "a.h5", other], tmp_path / "merged.h5", Progress())
    with h5py.File(other, "r+") as file:
        file["images/key"][0] = b"ant/000.png"
        file["clip"].attrs["tag"] = np.bytes_(b"ViT-B-32/openai")
        file["clip/class_embeddings"][0] = -file["clip/class_embeddings"][0]
    with pytest.raises(SingError, match=r"other.h5 was made with other class embeddings than"):
        merge([folder / "a.h5", other], tmp_path / "merged.h5", Progress())
    assert {path.name for path in tmp_path.iterdir()} == {"other.h5"}


def test_models_that_were_resampled_differently_often_are_not_compared(folder: Path, tmp_path: Path) -> None:
    """By `merge`, and by a run that adds a model: before it reads an image."""
    other = Path(shutil.copy(folder / "b.h5", tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        for name in ("images", "classes"):
            few = file[f"models/second/bootstrap/{name}"][..., :7]
            del file[f"models/second/bootstrap/{name}"]
            file[f"models/second/bootstrap/{name}"] = few
    with pytest.raises(
        SingError, match=r"second cannot be compared: its figures are resampled 7 times, others 2,000 times"
    ):
        merge([folder / "a.h5", other], tmp_path / "merged.h5", Progress())
    assert {path.name for path in tmp_path.iterdir()} == {"other.h5"}
    shutil.copy(other, folder / "few.h5")
    with pytest.raises(
        SingError, match=r"second cannot be compared: its figures are resampled 7 times, others 2,000 times"
    ):
        asking.measure(folder, "few.h5", "first")
    assert (folder / "few.h5").read_bytes() == other.read_bytes()
    assert not list(folder.glob("few.h5.work/*.safetensors")), "images were read before the file was refused"


def test_a_file_in_the_way_stays_unless_asked(folder: Path, tmp_path: Path) -> None:
    files, output = [folder / "a.h5", folder / "b.h5"], tmp_path / "merged.h5"
    output.write_text("dear")
    for fresh in (False, True):
        with pytest.raises(SingError, match=r"merged.h5: it is no results file; give the name of another file"):
            merge(files, output, Progress(), fresh=fresh)
    assert output.read_text() == "dear"
    shutil.copy(files[0], output)
    with pytest.raises(SingError, match=r"merged.h5 exists; --fresh replaces it"):
        merge(files, output, Progress())
    assert output.read_bytes() == files[0].read_bytes()
    merge(files, output, Progress(), fresh=True)
    with Store(output) as merged:
        assert len(merged.models) == 3
    with pytest.raises(SingError, match="this is a folder; give the name of a file"):
        merge(files, tmp_path, Progress())


def test_a_file_may_take_the_place_of_one_that_it_was_made_from(folder: Path, tmp_path: Path) -> None:
    first = Path(shutil.copy(folder / "a.h5", tmp_path / "a.h5"))
    before = datasets(first, "models/first")
    assert merge([first, folder / "b.h5"], first, Progress(), fresh=True) == ["first", "full", "second"]
    assert datasets(first, "models/first") == before


def test_one_file_is_none_to_join(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SingError, match="merge needs two results files or more"):
        merge([folder / "a.h5"], tmp_path / "merged.h5", Progress())


def test_a_place_that_is_being_written_or_holds_work_is_left_alone(folder: Path, tmp_path: Path) -> None:
    files, output = [folder / "a.h5", folder / "b.h5"], tmp_path / "merged.h5"
    work = WorkFolder(output, fresh=False)
    with pytest.raises(SingError, match=r"merged.h5 is being written by process"):
        merge(files, output, Progress())
    (work.folder / "000000.safetensors").write_bytes(b"hours of work")
    work.release(finished=False)
    with pytest.raises(SingError, match=r"merged.h5.work holds unfinished work for .*: choose another -o"):
        merge(files, output, Progress())
    assert (work.folder / "000000.safetensors").read_bytes() == b"hours of work"


def test_a_link_in_a_strangers_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    trap = Path(shutil.copy(folder / "b.h5", tmp_path / "trap.h5"))
    with h5py.File(trap, "r+") as file:
        file["models/second/leak"] = h5py.ExternalLink(str(folder / "a.h5"), "/images/key")
    with pytest.raises(SingError, match="such links are not followed"):
        merge([folder / "a.h5", trap], tmp_path / "merged.h5", Progress())
    assert {path.name for path in tmp_path.iterdir()} == {"trap.h5"}


def test_fitted_probes_of_an_unfinished_run_survive_a_merge_that_is_refused(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "merged.h5"
    work = WorkFolder(output, fresh=False)
    probe = work.folder / "model.probe"
    probe.write_bytes(b"a fitted head")
    work.release(finished=False)
    with pytest.raises(SingError, match=r"merged.h5.work holds unfinished work for .*: choose another -o"):
        merge([folder / "a.h5", folder / "b.h5"], output, Progress())
    assert probe.read_bytes() == b"a fitted head"


def test_a_merge_that_was_killed_after_its_last_step_leaves_nothing_when_it_is_given_again(
    folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "merged.h5"
    merge([folder / "a.h5", folder / "b.h5"], output, Progress())
    before = output.read_bytes()
    work = output.with_name("merged.h5.work")
    work.mkdir()
    for name in ("lock", "owner"):
        (work / name).write_text("")
    with pytest.raises(SingError, match="exists; --fresh replaces it"):
        merge([folder / "a.h5", folder / "b.h5"], output, Progress())
    assert not work.exists()
    assert output.read_bytes() == before


def test_groups_that_no_one_has_named_are_one_line(tmp_path: Path) -> None:
    paths = [write_store(tmp_path / f"{name}.h5", models=(name,), groups=("in", "out")) for name in "ab"]
    with h5py.File(paths[0], "r+") as file:
        file["images/group"][3] = -65_281
    with pytest.raises(SingError, match="images/group names groups that groups/name does not have"):
        merge(paths, tmp_path / "merged.h5", Progress())
    assert not (tmp_path / "merged.h5").exists()


def test_groups_within_each_other_are_bounded(tmp_path: Path) -> None:
    paths = [write_store(tmp_path / f"{name}.h5", models=(name,)) for name in "ab"]
    for path in paths:
        with h5py.File(path, "r+") as file:
            file.create_group("unknown/" + "/".join(["g"] * 400))
    with pytest.raises(SingError, match="more than 64 groups are within each other"):
        merge(paths, tmp_path / "merged.h5", Progress())


@pytest.mark.parametrize("group", ["models/second/controls", "theirs"])
def test_a_type_with_a_name_is_one_line(folder: Path, tmp_path: Path, group: str) -> None:
    """A results file has none. HDF5 crashes when it copies a damaged one, as a flipped byte makes it of a dataset."""
    other = Path(shutil.copy(folder / "b.h5", tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        file.require_group(group)["odd"] = np.dtype("f4")
    with pytest.raises(SingError, match=f"{group}/odd: is neither a group nor a dataset"):
        merge([folder / "a.h5", other], tmp_path / "merged.h5", Progress())
    assert {path.name for path in tmp_path.iterdir()} == {"other.h5"}
