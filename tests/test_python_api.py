"""`sing_compute.measure`: arrays in memory give the numbers of the command, and the process stays as it was."""

import asyncio
import gc
import inspect
import tempfile
from pathlib import Path
from typing import Any

import made_sounds
import numpy as np
import pytest
import torch
from file_contents import datasets
from made_sounds import CLASSES, Sounds
from process_traces import traces
from torch import nn

import sing_compute
from sing_compute.cli import cli
from sing_compute.errors import SingError
from sing_compute.python_values import keys_of, vocabularies_of
from sing_compute.store import Store
from sing_compute.store.verify import verify

FILES_AND_TIMES = {
    "clip": {"images_sha256", "concepts_sha256", "classes_sha256"},
    "models/net": {
        "command",
        "plan",
        "written",
        "spec",
        "features_file",
        "features_sha256",
        "head_file",
        "head_sha256",
    },
}
"""Attributes in which the files of the command and of `measure` differ: names and fingerprints of files, command, time."""


@pytest.fixture(autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a folder for temporary files, where no other process of the tests makes any."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


@pytest.fixture(scope="module")
def sounds() -> Sounds:
    return made_sounds.make(each=16, clap=24)


@pytest.fixture(scope="module")
def by_command(sounds: Sounds, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    sounds.save(folder)
    words: list[object] = ["--features", f"net={folder / 'features.npz'}", "--head", folder / "head.safetensors"]
    words += ["--image-embeddings", folder / "embeddings.npz", "--concept-embeddings", folder / "concepts.npz"]
    words += ["--class-names", folder / "classes.txt", "--item", "sound", "--device", "cpu", "-o", folder / "sounds.h5"]
    cli.main([str(word) for word in words], standalone_mode=False)
    return folder / "sounds.h5"


def arguments(sounds: Sounds, **others: Any) -> dict[str, Any]:
    found = {
        "features": sounds.features,
        "head": (sounds.weight, sounds.bias),
        "embeddings": sounds.embeddings,
        "concepts": (sounds.names, sounds.words),
        "labels": sounds.labels,
        "class_names": CLASSES,
        "keys": sounds.keys,
        "name": "net",
        "tag": made_sounds.TAG,
        "item": "sound",
        "device": "cpu",
        "progress": False,
    }
    return found | others


def test_measure_gives_the_file_of_the_command_bit_for_bit(sounds: Sounds, by_command: Path, tmp_path: Path) -> None:
    order = np.random.default_rng(3).permutation(len(sounds.keys))  # rows belong together by keys alone
    rows = {name: getattr(sounds, name)[order] for name in ("features", "embeddings")}
    texts = {name: [getattr(sounds, name)[row] for row in order] for name in ("labels", "keys")}
    path = tmp_path / "measured.h5"
    with sing_compute.measure(**arguments(sounds, **rows, **texts, output=path)) as results:
        assert results.models.index.tolist() == ["net"]
    wanted, found = datasets(by_command), datasets(path)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert values.tobytes() == found[name].tobytes(), name
    with Store(by_command) as old, Store(path) as new:
        for group in ("images", "clip", "models/net", "models/net/maps"):
            one, other = old.attributes(group), new.attributes(group)
            assert one.keys() == other.keys()
            assert {name for name in one if one[name] != other[name]} <= FILES_AND_TIMES.get(group, set()), group
        assert verify(new).problems == []


def other_forms(sounds: Sounds) -> dict[str, Any]:
    """The same values as torch has them, and as mappings."""
    layer = nn.Linear(made_sounds.DIM, len(CLASSES))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(sounds.weight))
        layer.bias.copy_(torch.from_numpy(sounds.bias))
    return {
        "features": torch.from_numpy(sounds.features).requires_grad_(),
        "head": layer,
        "embeddings": torch.from_numpy(sounds.embeddings),
        "concepts": dict(zip(sounds.names, sounds.words, strict=True)),
        "labels": torch.tensor([CLASSES.index(label) for label in sounds.labels]),
        "class_names": None,
        "class_embeddings": {name: torch.from_numpy(sounds.words[sounds.names.index(name)]) for name in CLASSES},
    }


async def test_two_calls_in_an_event_loop_show_nothing_and_leave_nothing_but_their_results(
    sounds: Sounds, by_command: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = datasets(by_command)
    logits = sounds.features.astype(np.float64) @ sounds.weight.T + sounds.bias
    assert [CLASSES[label] for label in logits.argmax(1)] == sounds.labels  # so labels may be left out
    calls = [arguments(sounds, **other_forms(sounds)), arguments(sounds, labels=None)]
    capfd.readouterr()
    before, tables = traces(), []
    for number, values in enumerate(calls):
        assert asyncio.get_running_loop().is_running()
        results = sing_compute.measure(**values)
        folder = results.store.path.parent
        assert folder in traces()["temporary"]
        assert str(folder) not in repr(results)
        results.save(tmp_path / f"{number}.h5")
        for name in ("images/class", "models/net/images/image_score", "models/net/concepts/q"):
            assert results.store.array(name).tobytes() == wanted[name].tobytes(), name
        assert list(results.store.class_names) == list(CLASSES)
        assert "over sounds" in results.concepts("rain").attrs["attribute_score_abs"]
        note = str(results.provenance().get("note", ""))
        assert ("no labels were given" in note) == (values["labels"] is None)
        tables.append(results.models)
        if number:
            results.close()
        else:  # results that are no longer used
            del results
            gc.collect()
        assert not folder.exists()
    assert capfd.readouterr() == ("", "")
    assert traces() == before
    for number, table in enumerate(tables):
        with sing_compute.load(tmp_path / f"{number}.h5") as kept:
            assert kept.models.equals(table)
    assert len(list(tmp_path.iterdir())) == 2


def test_rows_without_keys_are_named_by_their_positions() -> None:
    assert keys_of(None, 11) == ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"]


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"features": np.ones((80, 9), np.float32)}, r"^features: 9 dimensions, but the head reads 64; store the features at"),
        ({"features": [[1.0], [2.0, 3.0]]}, r"^features: rows of different lengths; one array is needed$"),
        ({"labels": ["rain"]}, r"^features: 80 keys but 1 labels; one per key is needed$"),
        ({"labels": np.ones(80)}, r"^labels: 1.0 is neither a class name nor the position of a class among the logits$"),
        ({"labels": ["thunder"] * 80}, r"^1 of 1 labels match none of the 5 classes: thunder; give class names"),
        ({"keys": ["a"] * 80}, r"^features: 79 keys occur more than once; they must be unique$"),
        ({"embeddings": np.ones((3, 24))}, r"^embeddings: 80 keys but embeddings of shape \(3, 24\); one row per key"),
        ({"concepts": {"noisy": np.ones(5)}}, r"^concepts has 5 dimensions, embeddings has 24: all embeddings must come"),
        ({"concepts": ["noisy"]}, r"^concepts: a list; give a mapping of name to vector, or \(names, matrix\)$"),
        ({"class_names": ["rain"]}, r"^class_names: 1 names for 5 classes; one per class, in logit order$"),
        ({"class_names": None}, r"^the names of the 5 classes are not known"),
        ({"class_names": [*CLASSES[:4], "thunder"], "labels": [0, 1] * 40}, r"^concepts: no embedding for 1 of 5 classes"),
        ({"head": np.ones((5, 64))}, r"^head: a ndarray; give \(weight, bias\) or a torch.nn.Linear$"),
        ({"head": (np.ones((5, 64)), np.ones(4))}, r"^head: weight \(5, 64\) and bias \(4,\) do not go together"),
        ({"item": "so\nund"}, r"^--item 'so\\nund' is no noun: 1 to 40 printable characters that begin with a letter$"),
        ({"lambda_": -1.0}, r"^--lambda -1.0: the penalty must be above 0 and finite$"),
        ({"head": (np.eye(64, dtype=np.float32), None), "class_names": [f"c{k}" for k in range(64)], "labels": [0] * 80,
          "class_embeddings": {f"c{k}": np.eye(64, 24)[k % 24] for k in range(64)}}, r"^no model of this run has a null space"),
    ],
)  # fmt: skip
def test_values_that_do_not_go_together_are_refused_in_one_line(
    others: dict[str, Any], message: str, sounds: Sounds
) -> None:
    before = traces()["temporary"]
    with pytest.raises(SingError, match=message) as caught:
        sing_compute.measure(**arguments(sounds, **others))
    assert "\n" not in str(caught.value)
    assert traces()["temporary"] == before


def test_a_list_of_concepts_is_a_vocabulary_and_one_text_names_one() -> None:
    (words,) = vocabularies_of(["striped", "red", "Striped"])
    assert not isinstance(words, str)
    assert (words.names, words.prompts[0]) == (("striped", "red"), "an image of striped")
    assert vocabularies_of("attributes") == ("attributes",)
    with pytest.raises(SingError, match=r"^concepts: '' is no concept; give texts$"):
        vocabularies_of(["striped", ""])


def test_functions_can_be_found_and_have_their_signatures() -> None:
    assert {"measure", "run", "load", "Results", "SingError"} <= set(dir(sing_compute))
    for function in (sing_compute.measure, sing_compute.run):
        names = inspect.signature(function).parameters
        assert {"output", "progress", "lambda_", "seed"} <= set(names)
        assert all(f"        {name}: " in (function.__doc__ or "") for name in names), "every argument is described"
