"""Images as users bring them, through the real command: the network is always correct, so that any wrong label shows at once."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from sing_compute.cli import cli
from sing_compute.errors import SingError
from sing_compute.store import Store

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (127, 127, 127))
"""Colour of the images of each class."""
CLASSES = ("tabby cat", "Bär", "goldfish", "tench", "panda", "sea snake")
NETWORK = """
import numpy as np
import torch
from torch import nn

COLOURS = torch.tensor({colours}, dtype=torch.float32) / 255

class Nearest(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 6)
        self.head.weight.data, self.head.bias.data = torch.eye(6), torch.zeros(6)

    def forward(self, images):
        return self.head(-((images.mean((2, 3))[:, None] - COLOURS) ** 2).sum(-1))

def nearest():
    network = Nearest()
    network.transform = lambda image: torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    return network
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with the network's module and the class names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"network_{os.path.basename(tmp_path)}.py").write_text(NETWORK.format(colours=COLOURS))
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    return tmp_path


def draw(path: Path, index: int) -> None:
    """Save an image of a class."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 6), COLOURS[index]).save(path)


def folders(root: Path, name: Callable[[int], str], classes: range = range(6)) -> Path:
    """Two images of each class, in a folder that a function names."""
    for index in classes:
        for number in range(2):
            draw(root / "images" / name(index) / f"{number}.png", index)
    return root / "images"


def run(here: Path, images: Path, *options: str) -> Result:
    network = f"net=network_{here.name}:nearest"
    fixed = ("--class-names", "classes.txt", "--only", "features", "--workers", "0", "--device", "cpu", "-o", "out.h5")
    return CliRunner().invoke(cli, ["--model", network, "--images", str(images), *fixed, *options])


def accuracy(here: Path, images: Path, *options: str) -> float:
    ended = run(here, images, *options)
    assert ended.exit_code == 0, ended.output
    with Store(here / "out.h5") as store:
        classes = store.array("images/class")
        return float(np.mean(store.array("models/net/images/prediction") == classes))


def refusal(here: Path, images: Path, *options: str) -> str:
    """Return the one line of a refused run."""
    ended = run(here, images, *options)
    assert isinstance(ended.exception, SingError), ended.output
    assert not (here / "out.h5").exists()
    assert "\n" not in str(ended.exception)
    return str(ended.exception)


@pytest.mark.parametrize(
    "name",
    [
        str,
        lambda index: str(index + 1),
        lambda index: f"{index + 1:03d}",
        lambda index: CLASSES[index].upper().replace(" ", "_"),
        lambda index: unicodedata.normalize("NFD", CLASSES[index]),
        lambda index: (
            ("tabby", "bär", "Carassius auratus", "Tinca tinca", "PANDA", "sea-snake")[index]
            if index not in (0, 2, 3)
            else ("n02123045", "n01443537", "n01440764")[(0, 2, 3).index(index)]
        ),
    ],
    ids=["from 0", "from 1", "with zeros", "capitals", "macOS", "some ids"],
)
def test_every_way_to_name_folders_gives_the_right_classes(name: Callable[[int], str], here: Path) -> None:
    assert accuracy(here, folders(here, name)) == 1


def test_five_of_six_numbered_folders_are_refused_until_said(here: Path) -> None:
    images = folders(here, lambda index: str(index + 1), range(5))
    line = refusal(here, images)
    assert "numbers from 1 to 5 for 6 classes, so they may count from 0 or from 1" in line
    assert accuracy(here, images, "--labels-from", "1") == 1


@pytest.mark.parametrize("first", [0, 1])
def test_a_table_of_numbers_counts_as_folders_do(first: int, here: Path) -> None:
    rows = ["path,label"]
    for index in range(6):
        draw(here / "flat" / f"{index}.png", index)
        rows.append(f"flat/{index}.png,{index + first}")
    (here / "list.csv").write_text("\n".join(rows))
    assert accuracy(here, here / "list.csv") == 1


def test_labels_without_names_follow_images_only_where_their_order_is_certain(here: Path) -> None:
    for place in range(12):
        draw(here / "flat" / f"{place + 1}.png", place % 6)
    (here / "labels.txt").write_text("\n".join(str(place % 6) for place in range(12)))
    line = refusal(here, here / "flat", "--labels", "labels.txt")
    assert "by characters 10.png comes first, by numbers 2.png" in line
    for place in range(12):
        (here / "flat" / f"{place + 1}.png").rename(here / "flat" / f"{place + 1:02d}.png")
    assert accuracy(here, here / "flat", "--labels", "labels.txt") == 1


def test_copies_that_tools_keep_among_the_images_are_not_measured(here: Path) -> None:
    images = folders(here, str)
    for index in range(6):
        draw(images / str(index) / ".ipynb_checkpoints" / "0-checkpoint.png", index)
        draw(images / str(index) / "@eaDir" / "0.png", index)
    draw(images / "__MACOSX" / "0" / "0.png", 3)
    ended = run(here, images)
    assert ended.exit_code == 0, ended.output
    assert (
        "13 hidden entries and folders of other programs left out: 6 .ipynb_checkpoints, 6 @eaDir, 1 __MACOSX"
        in ended.output
    )
    with Store(here / "out.h5") as store:
        assert store.count("image") == 12


def test_the_run_says_how_it_understood_the_labels(here: Path) -> None:
    assert "labels: 6 numbers, counted from 1" in run(here, folders(here, lambda index: str(index + 1))).output


def test_labels_in_another_order_than_the_logits_are_told_by_the_accuracy(here: Path) -> None:
    images = folders(here, lambda index: CLASSES[index])
    (here / "classes.txt").write_text("\n".join([*CLASSES[1:], CLASSES[0]]), encoding="utf-8")
    ended = run(here, images)
    line = (
        "accuracy 0.0% is no better than guessing among 6 classes: are labels, preprocessing and weights those of this "
        "network?"
    )
    assert f"WARNING, net: {line}" in ended.output
    with Store(here / "out.h5") as store:
        assert store.attributes("models/net")["warnings"] == line


def test_a_network_that_does_not_look_at_its_images_is_found_out(here: Path) -> None:
    module = here / f"network_{here.name}.py"
    module.write_text(module.read_text().replace("images.mean((2, 3))", "0 * images.mean((2, 3))"))
    ended = run(here, folders(here, str))
    assert "all images have the same features: the network does not look at its images" in ended.output
    assert "every image is predicted as panda" in ended.output
