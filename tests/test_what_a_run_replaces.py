"""A run, a verb and a copy spare foreign files, follow links, and say which parts of a file would be lost."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import pytest

import sing_compute
from sing_compute.atomic_write import ProtectedFileError, refusal, write_text
from sing_compute.errors import SingError, StoreError
from sing_compute.pipeline.output_file import output_file
from sing_compute.process.progress import Progress
from sing_compute.questions.steering_sink import keep_steering
from sing_compute.store import Store
from sing_compute.store.write import replace_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("replaced")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        asking.measure(folder, "scored.h5", "first")
        yield folder


@pytest.fixture
def scored(folder: Path, tmp_path: Path) -> Path:
    """A results file of one model with scores, in a folder of its own."""
    return Path(shutil.copy(folder / "scored.h5", tmp_path / "scored.h5"))


def run(folder: Path, output: Path, *options: object) -> None:
    line = asking.run_of(folder, ["first=asked_networks:first"])
    asking.cli.main([str(part) for part in (*line, "-o", output, *options)], standalone_mode=False)


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
def test_a_run_replaces_no_foreign_file_and_none_of_its_inputs(folder: Path, tmp_path: Path, fresh: list[str]) -> None:
    (tmp_path / "notes.txt").write_text("dear")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["format"] = [1, 2]
    for name, reason in (("notes.txt", "it is no results file"), ("other.h5", "it is an HDF5 file of another program")):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(SingError, match=f"^-o .*{name}: {reason}; give the name of another file$"):
            run(folder, tmp_path / name, *fresh)
        with pytest.raises(StoreError, match=reason), replace_store(tmp_path / name, scratch=tmp_path / "work"):
            pass
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(SingError, match=r"^-o -: results are no text"):
        output_file("-")


def test_a_damaged_results_file_and_an_empty_one_may_be_replaced(scored: Path) -> None:
    os.truncate(scored, 5000)
    assert output_file(scored) == scored
    os.truncate(scored, 0)
    assert output_file(scored) == scored


def test_a_copy_for_later_replaces_results_files_alone(scored: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear")
    os.mkfifo(tmp_path / "pipe")
    with sing_compute.load(scored) as results:
        for name in ("notes.txt", "pipe"):
            with pytest.raises(StoreError, match=f"{name} cannot be written .it is no (results|regular) file"):
                results.save(tmp_path / name)
        assert (tmp_path / "notes.txt").read_text() == "dear"
        assert (tmp_path / "pipe").is_fifo()
        for _ in range(2):
            results.save(tmp_path / "copy.h5")
    assert (tmp_path / "copy.h5").read_bytes() == scored.read_bytes()


def test_a_link_stays_and_what_it_leads_to_is_written(scored: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    there = scored.rename(tmp_path / "there" / "results.h5")
    link = tmp_path / "link.h5"
    link.symlink_to(there)
    keep_steering(link, Progress(), model=None, angle=40.0, command="")
    assert link.is_symlink()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".work"] == []
    with Store(there) as store:
        assert "models/first/steering" in store
    assert output_file(link) == there
    with sing_compute.load(there) as results:
        results.save(link)
    assert link.is_symlink()


def test_measuring_again_says_what_goes_and_features_alone_never_take_the_place_of_scores(
    folder: Path, scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_steering(scored, Progress(), model=None, angle=40.0, command="")
    before = scored.read_bytes()
    words = [*map(str, asking.run_of(folder, ["first=asked_networks:first"])), "--only", "features", "-o", str(scored)]
    with pytest.raises(SingError, match=r"^first has scores in .*scored.h5, which --only features would leave out"):
        asking.cli.main(words, standalone_mode=False)
    assert scored.read_bytes() == before
    asking.measure(folder, str(scored), "first")
    said = capsys.readouterr().err
    assert "first is measured again; the new file will lack what was made of it: steering of each class" in said
    asking.measure(folder, str(scored), "first", options=["--fresh"])
    assert f"--fresh replaces {scored} with its models: first" in capsys.readouterr().err


def test_a_table_is_refused_before_the_work_for_what_it_cannot_replace(scored: Path, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("a")
    for name, force, reason in (
        ("", True, "it is a folder; name another file"),
        ("scored.h5", True, "it is a results file, or another HDF5 file; name another file"),
        ("none/t.csv", True, f"there is no folder {tmp_path / 'none'}"),
        ("old.csv", False, f"{tmp_path / 'old.csv'} exists; --force replaces it"),
        ("old.csv", True, ""),
        ("new.csv", False, ""),
    ):
        found = refusal(tmp_path / name, force=force)
        assert found.endswith(reason), found
        assert bool(found) == bool(reason)
    assert refusal(Path("-"), force=True) == "- is no name of a file: name one"
    with pytest.raises(ProtectedFileError):
        write_text(scored, "a")
