"""Null directions named by concepts: planted directions give their share and their words; the file keeps everything else."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from file_contents import contents
from numpy.typing import NDArray
from stores import write_store

from sing_compute.cli import cli
from sing_compute.errors import SingError
from sing_compute.process.progress import Progress
from sing_compute.questions.merging import merge
from sing_compute.questions.null_words.naming import NullWordsQuestion, name_null_directions
from sing_compute.store import Place, Store, open_table
from sing_compute.store.copying import dependent_paths, dependents
from sing_compute.store.verify import verify
from sing_compute.store.write import Writer

CLASSES, DIM, CLIP = 4, 16, 8
"""Of `write_store`: classes cat (30 images), dog (12), owl (1), empty (0)."""
KNOWN = (30, 12, 1, 0)


def put_features(path: Path, model: str, features: NDArray[np.float64], rows: Sequence[int] | None = None) -> None:
    """Store features of a model, of all images or of those of `rows`."""
    with h5py.File(path, "r+") as file:
        file.pop(f"models/{model}/features", None)
        Writer(file).put("models/{model}/features/row", range(len(features)) if rows is None else rows, model=model)
        Writer(file).put("models/{model}/features/value", features, model=model)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose concepts are the axes of CLIP space and their opposites, and a head that sees the first four coordinates.

    The translator takes coordinate 5 of the features to 0.5 (0.8 e1 + 0.6 e2) and coordinate 6 to 2 e3; cats differ along
    both, with standard deviations of 3 and 1; dogs along coordinate 7, which the translator takes to zero.
    """
    path = write_store(tmp_path_factory.mktemp("planted") / "planted.h5", concepts=2 * CLIP)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(sum(KNOWN), 1)) * np.eye(DIM)[0] + 2.0
    t = np.linspace(-1, 1, 30)
    u = t**2 - (t**2).mean()
    features[:30, 5] += 3 * t / t.std()
    features[:30, 6] += u / u.std()
    features[30:42, 7] += np.arange(12)
    put_features(path, "alpha", features)
    weight = np.zeros((CLIP, DIM))
    weight[1:3, 5] = 0.4, 0.3
    weight[3, 6] = 2
    bias = np.full(CLIP, 0.25)
    with h5py.File(path, "r+") as file:
        file["clip/concept_embeddings"][...] = np.concatenate([np.eye(CLIP), -np.eye(CLIP)])
        file["models/alpha/head/weight"][...] = np.eye(CLASSES, DIM)
        file["models/alpha/translator/weight"][...] = weight
        file["models/alpha/translator/bias"][...] = bias
    return path


@pytest.fixture
def results(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(planted, tmp_path / "results.h5"))


def test_planted_directions_have_their_share_their_movement_and_their_words(results: Path) -> None:
    assert name_null_directions(results, NullWordsQuestion("alpha", sizes=(1, 2)), Progress()) == ["alpha"]
    with Store(results) as store:
        base = "models/alpha/null_words/"
        share, movement = (store.array(f"{base}classes/{name}") for name in ("share", "movement"))
        np.testing.assert_allclose(share[0], [0.9, 0.1, np.nan], atol=1e-6)
        np.testing.assert_allclose(movement[0], [1.5, 2.0, np.nan], atol=1e-6)
        np.testing.assert_allclose(store.array(f"{base}classes/deviation")[0], [3, 1, np.nan], atol=1e-6)
        np.testing.assert_allclose(store.array(f"{base}modes/value"), [2.0, 0.5], atol=1e-9)
        np.testing.assert_allclose(store.array(f"{base}classes/cosine")[0, :2, :, 1], 1, atol=1e-6)
        first = store.array(f"{base}classes/coefficient")[0, 0]
        np.testing.assert_allclose(first[:, 0], [[0.8, np.nan]] * 2, atol=1e-6)
        np.testing.assert_allclose(first[:, 1], [[0.8, 0.6]] * 2, atol=1e-6)
        words = store.array(f"{base}words/name")[store.array(f"{base}classes/pick")[0, 0]].tolist()
        assert words == [
            ["concept 1", "concept 2"],
            ["concept 9", "concept 10"],
        ]  # of two concepts alike, the first decides
        typical = np.full(CLIP, 0.25) + np.array(
            [0, 0.8, 0.6, 4, 0, 0, 0, 0]
        )  # T of cats' mean feature, 2 in each coordinate
        for sign, step in ((0, 1.5), (1, -1.5)):
            other = typical + step * np.array([0, 0.8, 0.6, 0, 0, 0, 0, 0])
            cosine = typical @ other / np.linalg.norm(typical) / np.linalg.norm(other)
            angle = store.array(f"{base}classes/angle")[0, 0, sign]
            assert angle == pytest.approx(np.degrees(np.arccos(cosine)), abs=1e-5)
        table = open_table(store, Place.of("null_directions", model="alpha", null_size=1, **{"class": 0}))
        words = table.column("positive").values.all().tolist()
        assert (words[0], words[1][:14], words[2]) == ("concept 1 0.80, concept 2 0.60", "concept 3 1.00", "")
        assert table.column("negative").values.all()[0] == "concept 9 0.80, concept 10 0.60"
        assert table.column("images").values.all().tolist() == [30, 30, 30]
        modes = open_table(store, Place.of("null_modes", model="alpha"))
        assert modes.column("positive").values.all().tolist() == ["concept 3 1.00", "concept 1 0.80"]


def test_a_direction_that_clip_does_not_see_has_a_share_and_no_words(results: Path) -> None:
    name_null_directions(results, NullWordsQuestion("alpha", sizes=(2,)), Progress())
    with Store(results) as store:
        base = "models/alpha/null_words/classes/"
        np.testing.assert_allclose(store.array(f"{base}share")[1], [1, np.nan, np.nan], atol=1e-6)
        assert store.array(f"{base}movement")[1, 0] == 0
        assert (store.array(f"{base}angle")[1, 0] == 0).all()
        assert (store.array(f"{base}pick")[1] == -1).all()
        assert np.isnan(store.array(f"{base}cosine")[1]).all()


def test_what_a_file_lacks_is_said_and_never_a_number(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store(results) as store:
        value = store.array("models/alpha/features/value")
    put_features(results, "alpha", value[::2], rows=range(0, sum(KNOWN), 2))
    assert name_null_directions(results, NullWordsQuestion(sizes=(2,)), Progress()) == ["alpha", "beta"]
    said = capsys.readouterr().err.splitlines()
    assert "alpha: directions of classes rest on the 22 of 43 images whose features are kept" in said
    assert "alpha: classes of fewer than 3 such images, which have no directions: 2" in said
    assert "beta: no features are stored, so its modes are named and no directions of classes" in said
    with Store(results) as store:
        assert store.array("models/alpha/null_words/classes/images").tolist() == [15, 6, 1, 0]
        assert np.isnan(store.array("models/alpha/null_words/classes/share")[2:]).all()
        assert np.isnan(store.array("models/beta/null_words/classes/share")).all()
        assert len(store.array("models/beta/null_words/modes/value")) == CLIP
        table = open_table(store, Place.of("null_directions", model="alpha", **{"class": 2}))
        assert table.column("positive").values.all().tolist() == ["", "", ""]
        assert table.column("images").values.all().tolist() == [1, 1, 1]


def problems(path: Path) -> list[str]:
    """Problems that `verify` finds in the null directions of a file."""
    with Store(path) as store:
        return [line for line in verify(store).problems if "/null_words/" in line]


def test_the_values_are_the_stored_modes_and_verify_accepts_them(tmp_path: Path) -> None:
    path = write_store(tmp_path / "random.h5")
    rng = np.random.default_rng(1)
    put_features(path, "alpha", rng.normal(size=(sum(KNOWN), DIM)))
    name_null_directions(path, NullWordsQuestion("alpha", sizes=(3, 1, 5)), Progress())
    with Store(path) as store:
        values = store.array("models/alpha/null_words/modes/value")
        np.testing.assert_allclose(values, store.array("models/alpha/spectrum/singular_value"), rtol=1e-6)
    assert problems(path) == []
    with h5py.File(path, "r+") as file:
        del file["models/alpha/features"]  # which do not fit the predictions of this file
    with Store(path) as store:
        assert verify(store).problems == []


DAMAGES = {
    "classes/share": (lambda cells: cells.__setitem__((0, 1), 0.9), "the shares of a class make more than 1"),
    "classes/coefficient": (lambda cells: cells.__setitem__((0, 0, 0, 0, 0), -0.1), "not 0 or more or NaN"),
    "classes/cosine": (lambda cells: cells.__setitem__((0, 0, 0, 0), 1.1), "not from -1 to 1 or NaN"),
    "classes/images": (lambda cells: cells.__setitem__(0, 7), "not the images whose features are stored"),
    "modes/value": (lambda cells: cells.__setitem__(0, 0.1), "not descending"),
    "modes/pick": (lambda cells: cells.__setitem__((0, 0, 0), 99), "outside the null_words"),
    "words/uses": (lambda cells: cells.__setitem__(0, 77), "do not match the poles"),
    "words/position": (lambda cells: cells.__setitem__(0, 77), "not ascending positions in the pool"),
}


def test_verify_finds_each_damage(results: Path) -> None:
    name_null_directions(results, NullWordsQuestion("alpha", sizes=(2,)), Progress())
    for name, (damage, problem) in DAMAGES.items():
        with h5py.File(results, "r+") as file:
            dataset = file[f"models/alpha/null_words/{name}"]
            whole = dataset[()]
            damaged = whole.copy()
            damage(damaged)
            dataset[...] = damaged
        assert any(problem in line and name in line for line in problems(results)), name
        with h5py.File(results, "r+") as file:
            file[f"models/alpha/null_words/{name}"][...] = whole


def test_a_second_call_replaces_the_first_and_all_else_stays_bit_for_bit(results: Path) -> None:
    before = contents(results)
    name_null_directions(results, NullWordsQuestion(sizes=(5,), class_directions=2, modes=1), Progress())
    once = contents(results)
    assert {path: cells for path, cells in once.items() if "/null_words" not in path} == before
    name_null_directions(results, NullWordsQuestion("alpha", sizes=(2,)), Progress())
    twice = contents(results)
    beta = "models/beta/null_words"
    assert {p: c for p, c in twice.items() if beta in p} == {p: c for p, c in once.items() if beta in p}
    with Store(results) as store:
        assert store.array("models/alpha/null_words/sizes/concepts").tolist() == [2]
        assert store.array("models/alpha/null_words/classes/share").shape == (CLASSES, 3)
        facts = store.attributes("models/alpha/null_words")
        assert (facts["pool_count"], len(facts["pool_sha256"])) == (2 * CLIP, 64)
    assert {path.name for path in results.parent.iterdir()} == {"results.h5"}


def test_names_go_along_with_their_model_and_not_beyond_its_concepts(results: Path) -> None:
    name_null_directions(results, NullWordsQuestion("alpha", sizes=(2,)), Progress())
    with Store(results) as store:
        stale = dependent_paths(store, "concepts", handled=["sing"])
        assert dependents(stale) == "SING in words: null directions named by concepts"
        assert "models/alpha/null_words" in stale
        assert not [path for path in stale if "/null_words" not in path]
        assert dependent_paths(store, "models") == []
    shutil.copy(results, "other.h5")
    merge([results, Path("other.h5")], Path("both.h5"), Progress(), renames=["alpha=again", "beta=twice"])
    both = contents(Path("both.h5"))
    own = {path: cells for path, cells in contents(results).items() if "/null_words" in path}
    assert own
    for path, cells in own.items():
        assert both[path] == both[path.replace("alpha", "again")] == cells


MISTAKES = {
    "no such file": (("none.h5",), "none.h5 does not exist"),
    "no such model": (("results.h5", "--model", "gamma"), "gamma"),
    "more concepts than there are": (
        ("results.h5", "--sizes", "17"),
        "--sizes 17: the concepts of results.h5 has only 16",
    ),
    "sizes": (("results.h5", "--sizes", "five"), "--sizes 'five': write numbers of concepts"),
    "clip alone": (("results.h5", "--clip", "ViT-B-32/openai"), "--clip is for --words or --vocabulary"),
    "no null space": (("flat.h5",), "alpha has no scores to ask about: its head has no null space"),
    "no classifier": (("bare.h5",), "holds no classifiers"),
    "no translator": (("untranslated.h5", "--model", "alpha"), "alpha has no translator into CLIP space"),
    "not finite": (("nan.h5", "--model", "alpha"), "models/alpha/features/value: not all finite"),
    "stored embeddings": (("results.h5", "--words", "words.txt"), "was made from stored embeddings"),
}


@pytest.fixture
def damaged(results: Path) -> Path:
    """Files that lack what the verb needs."""
    write_store(Path("flat.h5"), models=("alpha",), null_space=False)
    for name in ("bare", "untranslated", "nan"):
        shutil.copy(results, f"{name}.h5")
    with (
        h5py.File("bare.h5", "r+") as bare,
        h5py.File("untranslated.h5", "r+") as other,
        h5py.File("nan.h5", "r+") as nan,
    ):
        del bare["models"], bare["comparison"]
        del other["models/alpha/translator"]
        nan["models/alpha/features/value"][3, 3] = np.nan
    with h5py.File(results, "r+") as file:
        file["clip"].attrs["source"] = np.bytes_("stored embeddings")
    Path("words.txt").write_text("red\ngreen\n")
    return results


def test_a_mistake_is_one_line_and_changes_nothing(damaged: Path) -> None:
    before = {path.name: path.read_bytes() for path in damaged.parent.iterdir()}
    for name, (arguments, line) in MISTAKES.items():
        with pytest.raises(SingError) as raised:
            cli.main(["words", *arguments], standalone_mode=False)
        assert line in str(raised.value), name
        assert "\n" not in str(raised.value)
    assert {path.name: path.read_bytes() for path in damaged.parent.iterdir()} == before


def test_a_model_without_a_null_space_is_said_where_others_have_one(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert name_null_directions(Path("untranslated.h5"), NullWordsQuestion(sizes=(2,)), Progress()) == ["beta"]
    assert "alpha has no translator into CLIP space; measure it again, with --clip" in capsys.readouterr().err


def test_the_command_prints_the_classes_that_move_farthest_and_the_first_mode(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["words", "results.h5", "--model", "alpha", "--sizes", "2"], standalone_mode=False)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:2] == [
        "alpha: 2 modes, 3 directions of 2 classes, named by 16 concepts",
        "share moves cosine positive negative",
    ]
    assert "cat 90.0% 1.500 1.000 concept 1 0.80, concept 2 0.60 concept 9 0.80, concept 10 0.60" in lines
    assert "dog 100.0% 0.000 -" in lines
    assert lines[4].startswith("mode 0 2 ")
