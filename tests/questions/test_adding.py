"""A concept that is added later is the concept it would have been from the start."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
from asking import LATER
from file_contents import contents

from sing_compute.errors import SingError
from sing_compute.extraction.shards import WorkFolder
from sing_compute.process.progress import Progress
from sing_compute.questions.adding import add_concepts
from sing_compute.questions.null_words.naming import NullWordsQuestion, name_null_directions
from sing_compute.store import Store, Writer
from sing_compute.store.verify import verify

CHANGED = (
    "concepts/",
    "clip/concept_embeddings",
    "images/top_concept",
    "summary/significant",
    "spectrum/toward",
    "spectrum/away",
)
"""Datasets that may change when the vocabulary grows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("adding")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        asking.measure(folder, "some.h5", "first", "full", "second")
        asking.measure(folder, "all.h5", "first", "full", "second", words="all.npz")
        yield folder


@pytest.fixture
def results(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(folder / "some.h5", tmp_path / "some.h5"))


@pytest.mark.parametrize("texts", [[LATER], [LATER[:1], LATER[1:]]], ids=["together", "one by one"])
def test_a_later_concept_equals_one_that_was_there_from_the_start(
    folder: Path, results: Path, texts: list[tuple[str, ...]]
) -> None:
    for each in texts:
        assert add_concepts(results, each, Progress(), embeddings=folder / "later.npz") == list(each)
    with Store(results) as later, Store(folder / "all.h5") as start:
        assert later.array("concepts/name").tolist() == start.array("concepts/name").tolist()
        assert later.array("concepts/kind")[-2:].tolist() == ["added", "added"]
        assert np.abs(later.array("clip/concept_embeddings") - start.array("clip/concept_embeddings")).max() < 1e-7
        for model in ("first", "second"):
            for name in later.file[f"models/{model}/concepts"]:
                ours, wanted = (store.array(f"models/{model}/concepts/{name}") for store in (later, start))
                relative = 1e-3 if name in ("z", "q") else 0  # a difference of 1e-5 degrees over the spread of chance
                assert np.allclose(ours, wanted, rtol=relative, atol=1e-4, equal_nan=True), (model, name)
            for path in ("images/top_concept_score", "spectrum/toward_cosine", "spectrum/away_cosine"):
                ours, wanted = (store.array(f"models/{model}/{path}") for store in (later, start))
                assert np.abs(ours - wanted).max() < 1e-4, (model, path)
            for path in ("images/top_concept", "spectrum/toward", "spectrum/away", "summary/significant"):
                ours, wanted = (store.array(f"models/{model}/{path}") for store in (later, start))
                assert (ours == wanted).mean() == 1, (model, path)
        assert (later.array("models/first/images/top_concept") >= len(asking.CLASSES + asking.WORDS)).any()
        assert verify(later) == verify(start)


def test_everything_else_stays_bit_for_bit(folder: Path, results: Path) -> None:
    before = contents(results)
    add_concepts(results, LATER, Progress(), embeddings=folder / "later.npz")
    after = contents(results)
    new = after.keys() - before.keys()
    assert new == {"clip@added_sha256"}
    changed = {name for name in before if before[name] != after[name]}
    assert changed
    assert all(any(part in name for part in CHANGED) for name in changed), changed
    assert {path.name for path in results.parent.iterdir()} == {"some.h5"}


def test_concepts_that_are_there_are_named_and_left_out(
    folder: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = results.read_bytes()
    assert add_concepts(results, ["Striped", "  bee "], Progress()) == []
    assert capsys.readouterr().err == (
        f"'Striped' is a concept of {results} already\n'bee' is a concept of {results} already\n"
    )
    assert results.read_bytes() == before
    texts = ["snow", "striped", " SNOW ", "snow"]
    assert add_concepts(results, texts, Progress(), embeddings=folder / "later.npz") == ["snow"]
    with Store(results) as store:
        assert list(store.concept_names).count("snow") == 1


def test_null_directions_that_were_named_with_the_old_concepts_are_left_out(
    folder: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = contents(results)
    name_null_directions(results, NullWordsQuestion(), Progress())
    assert contents(results) != plain
    add_concepts(results, LATER, Progress(), embeddings=folder / "later.npz")
    assert "left out, because the concepts change: SING in words" in capsys.readouterr().err
    assert contents(results).keys() - plain.keys() == {"clip@added_sha256"}


def test_concepts_rest_on_the_images_whose_features_are_kept(
    folder: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with h5py.File(results, "r+") as file:
        rows, values = (file[f"models/first/features/{name}"][::2] for name in ("row", "value"))
        del file["models/first/features"]
        Writer(file).put("models/{model}/features/row", rows, model="first")
        Writer(file).put("models/{model}/features/value", values, model="first")
        before = file["models/first/images/top_concept"][()]
    add_concepts(results, ["snow"], Progress(), embeddings=folder / "later.npz")
    assert "first: the new concepts rest on the 39 of 77 images whose features are kept" in capsys.readouterr().err
    with Store(results) as store:
        labels, place = store.array("images/class"), len(store.concept_names) - 1
        text = store.array("clip/concept_embeddings")[place].astype(np.float64)
        weight = store.array("models/first/head/weight")
        visible = np.linalg.pinv(weight) @ weight
        folds = asking.folds(store.array("images/key")[rows])
        a, b = (store.array(f"models/first/translator/fold_{part}")[folds] for part in ("weight", "bias"))
        angles = []
        for features in (values, values @ visible):
            u = np.einsum("icd,id->ic", a.astype(np.float64), features) + b
            angles.append(np.degrees(np.arccos(u @ text / np.linalg.norm(u, axis=1))))
        for label in range(len(asking.CLASSES)):
            chosen = labels[rows] == label
            found = store.array("models/first/concepts/attribute_score")[label, place]
            assert abs(found - (angles[0] - angles[1])[chosen].mean()) < 1e-4
        others = np.setdiff1d(np.arange(len(labels)), rows)
        assert (store.array("models/first/images/top_concept")[others] == before[others]).all()


def test_the_new_file_comes_whole_or_not_at_all(folder: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = results.read_bytes()
    monkeypatch.setattr("sing_compute.questions.adding.null_directions", stopped)  # the last step of a model
    with pytest.raises(KeyboardInterrupt):
        add_concepts(results, LATER, Progress(), embeddings=folder / "later.npz")
    assert results.read_bytes() == before
    assert {path.name for path in results.parent.iterdir()} == {"some.h5"}


def test_a_file_that_is_being_written_is_left_alone(folder: Path, results: Path) -> None:
    work = WorkFolder(results, fresh=False)
    try:
        with pytest.raises(SingError, match=r"some.h5 is being written by process \d+ on .*; wait for it"):
            add_concepts(results, LATER, Progress(), embeddings=folder / "later.npz")
    finally:
        work.release(finished=False)


def test_unfinished_work_of_a_run_is_not_touched(folder: Path, results: Path) -> None:
    work = results.with_name("some.h5.work")
    work.mkdir()
    (work / "000000.safetensors").write_bytes(b"hours of work")
    with pytest.raises(SingError, match=r"some.h5.work holds unfinished work for .*: finish that run first"):
        add_concepts(results, LATER, Progress(), embeddings=folder / "later.npz")
    assert (work / "000000.safetensors").read_bytes() == b"hours of work"


def test_a_model_without_features_is_named(folder: Path, results: Path) -> None:
    with h5py.File(results, "r+") as file:
        del file["models/second/features"]
    before = results.read_bytes()
    with pytest.raises(SingError, match="second was measured without keeping its features, which concepts needs"):
        add_concepts(results, LATER, Progress(), embeddings=folder / "later.npz")
    assert results.read_bytes() == before


@pytest.mark.parametrize("text", ["", "  ", "\x1b\x07", "x" * 5000])
def test_a_text_of_no_length_or_too_much_is_refused(results: Path, text: str) -> None:
    with pytest.raises(SingError, match="a concept has 1 to 4,096 bytes"):
        add_concepts(results, [text], Progress())


def test_a_file_that_is_not_there_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SingError, match=r"none.h5 does not exist"):
        add_concepts(tmp_path / "nowhere" / "none.h5", ["snow"], Progress())
    assert list(tmp_path.iterdir()) == []
