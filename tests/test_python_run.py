"""`sing_compute.run`: a network and a data set in memory give the datasets of the command, and stay as they were."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asking
import numpy as np
import pytest
import torch
import two_headed
from file_contents import datasets
from PIL import Image
from process_traces import traces
from torch import nn

import sing_compute
from sing_compute.errors import SingError


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


@pytest.fixture(autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a folder for temporary files, where no other process of the tests makes any."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


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


def test_images_over_a_bound_are_skipped_with_the_reason(pictures: Path) -> None:
    whole = Pictures(pictures / "images")
    items = [(np.array(image), whole.classes[label]) for image, label in whole]
    height, width = items[0][0].shape[:2]
    items[3] = (np.zeros((height, width + 1, 3), dtype=np.uint8), items[3][1])
    with run(pictures, items, max_pixels=height * width, **FEATURES) as results:
        assert len(results.store.array("images/class")) == len(items) - 1
        (reason,) = results.store.array("images/skipped_reason").tolist()
        assert reason == f"{width + 1} x {height} pixels, more than {height * width} (--max-pixels)"
    for option, value in (("max_pixels", 0), ("max_resized_pixels", -3), ("max_file_size", "big")):
        with pytest.raises(SingError, match=f"^--{option.replace('_', '-')} {value}: give a "):
            run(pictures, whole, **{option: value})


def test_one_head_of_two_is_chosen_by_its_name(pictures: Path) -> None:
    own = two_headed.pair()
    own.left, own.right = nn.Linear(16, 4), nn.Linear(16, 4)
    with run(pictures, pictures / "images", model={"pair": own}, head_of="right", **FEATURES) as results:
        weight = results.store.array("models/pair/head/weight")
    assert np.array_equal(weight, own.right.weight.detach().numpy())
    with pytest.raises(SingError, match=r"^weights, head, head_of, translator are of one model"):
        run(pictures, pictures / "images", model={"a": own, "b": own}, head_of="right", **FEATURES)


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
