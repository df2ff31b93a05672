"""`sing_compute.measure` and `run`: values in memory give the numbers of the command, and the process stays as it was."""

import asyncio
import gc
import inspect
import random
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asking
import made_sounds
import numpy as np
import pytest
import torch
from file_contents import datasets
from made_sounds import CLASSES, Sounds
from PIL import Image
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


def traces() -> dict[str, Any]:
    """What `measure` must leave as it is, apart from what conftest checks after every test."""
    return {
        "handlers": [
            signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
        ],
        "numpy": np.random.get_state()[1].tolist(),
        "random": random.getstate(),
        "torch": torch.get_rng_state().tolist(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "grad": torch.is_grad_enabled(),
        "warnings": list(warnings.filters),
        "path": list(sys.path),
        "temporary": sorted(Path(tempfile.gettempdir()).glob("sing-*")),
    }


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


class Pictures:
    """A torch data set of the pictures of a folder, as torchvision's ImageFolder is."""

    def __init__(self, root: Path) -> None:
        self.root, self.classes = str(root), sorted(path.name for path in root.iterdir())
        self.samples = [
            (str(path), label) for label, name in enumerate(self.classes) for path in sorted((root / name).iterdir())
        ]
        self.targets = [label for _, label in self.samples]
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> tuple[Any, int]:
        self.read.append(position)
        path, label = self.samples[position]
        with Image.open(path) as image:
            return image.convert("RGB"), label


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures, embeddings and networks, and the results of the command."""
    folder = tmp_path_factory.mktemp("pictures")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        asking.measure(folder, "command.h5", "first")
        yield folder


def network(folder: Path) -> nn.Module:
    import asked_networks

    return asked_networks.first()


def run(folder: Path, images: Any, **others: Any) -> sing_compute.Results:
    options = {
        "class_names": asking.CLASSES,
        "image_embeddings": folder / "images.npz",
        "concept_embeddings": str(folder / "words.npz"),
        "workers": 0,
        "device": "cpu",
        "progress": False,
    }
    model = others.pop("model", None) or {"first": network(folder)}
    return sing_compute.run(model, images, **options | others)


def test_a_network_and_a_data_set_in_memory_give_the_datasets_of_the_command(pictures: Path) -> None:
    wanted = datasets(pictures / "command.h5")
    own = network(pictures).train()
    state = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    with run(pictures, Pictures(pictures / "images"), model={"first": own}) as results:
        found = datasets(results.store.path)
        assert found.keys() == wanted.keys()
        for name, values in wanted.items():
            assert values.tobytes() == found[name].tobytes(), name
        assert results.store.attributes("images")["root"] == str((pictures / "images").resolve())
    assert own.training
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in own.modules())
    assert all(torch.equal(state[name], tensor) for name, tensor in own.state_dict().items())


FEATURES = {"only": "features", "image_embeddings": None, "concept_embeddings": None}
"""Options of a run that makes no analysis."""


def test_other_kinds_of_items_and_parts_of_data_sets_give_the_same_features(pictures: Path) -> None:
    wanted = datasets(pictures / "command.h5")["models/first/features/value"]
    whole = Pictures(pictures / "images")
    keys = [Path(path).relative_to(whole.root).as_posix() for path, _ in whole.samples]
    content: list[Any] = [
        pictures / "images",
        [(np.array(image), whole.classes[label]) for image, label in whole],
        [{"image": Path(path).read_bytes(), "label": torch.tensor(label)} for path, label in whole.samples],
        [(path, label) for path, label in whole.samples],
    ]
    plain = network(pictures)
    transform = plain.transform
    del plain.transform
    for items in content:
        others = {} if isinstance(items, Path) else {"keys": keys}
        with run(pictures, items, model={"first": plain}, transform=transform, **others, **FEATURES) as results:
            assert results.store.array("models/first/features/value").tobytes() == wanted.tobytes()
            assert bool(results.store.attributes("images")["root"]) == isinstance(items, Path)
    part = torch.utils.data.Subset(whole, [index for index, (_, label) in enumerate(whole.samples) if label < 2])  # type: ignore[arg-type]
    with run(pictures, part, **FEATURES) as results:
        assert np.bincount(results.store.array("images/class")).tolist() == list(asking.PER_CLASS[:2])


def test_labels_of_a_data_set_are_in_its_own_order_not_in_that_of_the_logits(pictures: Path) -> None:
    names = asking.CLASSES[::-1]  # the network's order differs from that of the folders
    with run(pictures, Pictures(pictures / "images"), class_names=names, **FEATURES) as results:
        assert np.bincount(results.store.array("images/class")).tolist() == list(asking.PER_CLASS[::-1])


def test_ctrl_c_ends_the_run_as_it_ends_a_cell(pictures: Path) -> None:
    class Interrupted(Pictures):
        def __getitem__(self, position: int) -> tuple[Any, int]:
            if len(self.read) == 20:
                signal.raise_signal(signal.SIGINT)
            return super().__getitem__(position)

    model = {"first": network(pictures)}
    before = traces()
    with pytest.raises(KeyboardInterrupt):
        run(pictures, Interrupted(pictures / "images"), model=model)
    assert traces() == before
    with run(pictures, Pictures(pictures / "images"), model=model, **FEATURES) as results:  # the next call works
        assert len(results.images()) == sum(asking.PER_CLASS)


class Wrong(Pictures):
    def __init__(self, root: Path, item: Any = None) -> None:
        super().__init__(root)
        self.item = item

    def __getitem__(self, position: int) -> Any:
        return (super().__getitem__(position)[0], 3) if self.item is None else self.item


@pytest.mark.parametrize(
    ("item", "others", "message"),
    [
        (None, {}, r"^item \d+ of the data set has the label 3, its list of labels says 0: give labels= with one label for each"),
        ((torch.ones(3, 6, 6), 0), {}, r"^item 0 of the data set is a Tensor \(3, 6, 6\), not an image: give PIL images"),
        (7, {}, r"^item 0 of the data set is a int, not a pair \(image, label\) or a mapping"),
        ((None, 0), {"labels": [0]}, r"^labels: 1 for 77 items of the data set; one for each is needed$"),
        ((None, 0), {"labels": "labels.txt"}, r"^a label file is for a folder of images; give one label for each item"),
        ((None, 0), {"model": nn.Linear}, r"^model: a type, not a torch.nn.Module or the name of a model; call it: Linear\(\)$"),
        ((None, 0), {"model": "resnet50", "transform": str}, r"^transform is for a network in memory, and resnet50 is a name"),
    ],
)  # fmt: skip
def test_data_sets_that_cannot_be_used_are_refused_in_one_line(
    item: Any, others: dict[str, Any], message: str, pictures: Path
) -> None:
    with pytest.raises(SingError, match=message) as caught:
        run(pictures, Wrong(pictures / "images", item), **others)
    assert "\n" not in str(caught.value)


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
