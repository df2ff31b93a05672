"""One rule for labels: names, WordNet ids and numbers, whichever way they came in."""

import json
import tarfile
import unicodedata
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from sing_compute.errors import ImagesError
from sing_compute.imagenet import ids_of_names, imagenet_names, imagenet_wnids, wnid_wordings
from sing_compute.images.class_labels import LabelledClasses, match_labels
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.image_sources import list_images
from sing_compute.images.label_files import list_with_labels
from sing_compute.images.listing import ImageList

NAMES = ["tabby cat", "Golden Retriever", "T-shirt", "crane", "crane", "7", "jack-o'-lantern"]
WNIDS = [f"n0000000{index}" for index in range(len(NAMES))]
SIX = ["circle", "square", "star", "cross", "ring", "heart"]


def refused(message: str) -> "pytest.RaisesExc[ImagesError]":
    return pytest.raises(ImagesError, match=message)


def labelled(labels: list[str], keys: list[str] | None = None) -> ImageList:
    keys = keys or [f"{number}.png" for number in range(len(labels))]
    return ImageList(Path(), Texts(keys), Categorical.of(labels))


def matched(
    labels: list[str], names: list[str] = NAMES, wnids: list[str] | None = WNIDS, *, first: int | None = None
) -> LabelledClasses:
    return match_labels(labelled(labels), names, wnids, first=first)


@pytest.mark.parametrize(
    ("label", "index"),
    [
        *(("n00000003", 3), ("N00000004", 4)),
        *(("tabby cat", 0), ("tabby_cat", 0), ("TABBY-Cat", 0), (" tabby __ cat ", 0), ("golden retriever", 1)),
        *(("t shirt", 2), ("T_Shirt", 2), ("Jack_o'_Lantern", 6)),
        ("7", 5),  # a class named 7
    ],
)
def test_a_label_means_a_class_by_wordnet_id_or_name(label: str, index: int) -> None:
    assert matched([label]).classes.tolist() == [index]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("label_form", ["NFC", "NFD"])
def test_a_letter_is_the_same_however_unicode_writes_it(form: str, label_form: str) -> None:
    names = [unicodedata.normalize(form, name) for name in ("Äpfel", "Straße", "naïve_Ζῷον")]
    labels = [unicodedata.normalize(label_form, name) for name in ("naïve Ζῷον", "STRASSE", "äpfel")]
    assert matched(labels, names, None).classes.tolist() == [2, 1, 0]


def test_names_that_are_numbers_win_where_all_labels_are_such_names() -> None:
    found = matched(["1", "2", "1"], ["2", "1", "x"], None)
    assert found.classes.tolist() == [1, 0, 1]
    assert found.reading == "2 class names"


def test_labels_are_matched_one_by_one_in_their_order() -> None:
    found = matched(["t-shirt", "tabby cat", "t-shirt", "n00000001"]).classes
    assert found.tolist() == [2, 0, 2, 1]
    assert found.dtype == np.int32


def test_names_mixed_with_numbers_are_refused() -> None:
    with refused(
        r"^the labels mix class names \(T-shirt\) with numbers \(0, 3\), so the numbers may count from anywhere; give"
    ):
        matched(["T-shirt", "0", "3"])
    with refused(r"^the labels mix class names \(1, 2\) with numbers \(0\)"):
        matched(["1", "2", "0"], ["2", "1", "x"], None)


def test_unmatched_labels_are_counted_and_listed_with_the_way_out() -> None:
    with refused(r"^3 of 4 labels match none of the 7 classes: fox, owl, yak; give class names or .* --class-names$"):
        matched(["yak", "fox", "fox", "owl", "n00000000"])
    with refused(r"^20 of 20 labels .*: x00, x01, x02, x03, x04, x05, x06, x07 and 12 more; "):
        matched([f"x{number:02d}" for number in range(20)], NAMES, None)


def test_a_name_that_two_classes_share_is_refused_until_said_by_id() -> None:
    with refused("^labels that name several classes: Crane; use WordNet ids, or numbers for all images$"):
        matched(["Crane", "tabby cat"])
    assert matched(["n00000003", "tabby cat"]).classes.tolist() == [3, 0]


def test_two_labels_of_one_class_are_merged_and_said() -> None:
    found = matched(["Tabby cat", "tabby_cat", "n00000000", "T-shirt"])
    assert found.classes.tolist() == [0, 0, 0, 2]
    assert found.reading == "4 class names; several labels mean one class: Tabby cat = n00000000 = tabby_cat"


def folders(root: Path, labels: list[str]) -> ImageList:
    for number, label in enumerate(labels):
        (root / "tree" / label).mkdir(parents=True, exist_ok=True)
        (root / "tree" / label / f"{number}.png").touch()
    return list_images(root / "tree")


def table(root: Path, labels: list[str]) -> ImageList:
    rows = "".join(f"{number}.png,{label}\n" for number, label in enumerate(labels))
    (root / "list.csv").write_text(f"path,label\n{rows}")
    return list_images(root / "list.csv")


def label_file(root: Path, labels: list[str]) -> ImageList:
    (root / "flat").mkdir()
    for number in range(len(labels)):
        (root / "flat" / f"{number}.png").touch()
    (root / "labels.txt").write_text("".join(f"{number}.png {label}\n" for number, label in enumerate(labels)))
    return list_with_labels(root / "flat", root / "labels.txt")


def archive(root: Path, labels: list[str]) -> ImageList:
    with tarfile.open(root / "shard.tar", "w") as tar:
        for number, label in enumerate(labels):
            for name, content in (
                (f"{number}.png", b"image"),
                (f"{number}.json", json.dumps({"label": label}).encode()),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, BytesIO(content))
    return list_images(root / "shard.tar")


@pytest.mark.parametrize("way", [folders, table, label_file, archive])
class TestEveryWayIn:
    """Folders, tables, label files and archives: the same labels mean the same classes, or are refused in the same words."""

    def test_numbers_with_a_0_count_from_0(self, way: Callable[[Path, list[str]], ImageList], tmp_path: Path) -> None:
        found = match_labels(way(tmp_path, ["0", "3", "003", "1"]), SIX, None)
        assert sorted(found.classes.tolist()) == [0, 1, 3, 3]
        assert found.reading == "4 numbers, counted from 0"

    def test_numbers_up_to_the_number_of_classes_count_from_1(
        self, way: Callable[[Path, list[str]], ImageList], tmp_path: Path
    ) -> None:
        images = way(tmp_path, ["1", "2", "6", "3", "5", "4"])
        found = match_labels(images, SIX, None)
        assert found.classes.tolist() == [int(label) - 1 for label in images.labels]
        assert found.reading == "6 numbers, counted from 1"

    def test_numbers_that_fit_both_ways_are_refused_until_said(
        self, way: Callable[[Path, list[str]], ImageList], tmp_path: Path
    ) -> None:
        images = way(tmp_path, ["1", "2", "3", "4", "5"])
        with refused(
            r"^the labels are numbers from 1 to 5 for 6 classes, so they may count from 0 or from 1: say which with"
        ):
            match_labels(images, SIX, None)
        assert sorted(match_labels(images, SIX, None, first=0).classes.tolist()) == [1, 2, 3, 4, 5]
        assert sorted(match_labels(images, SIX, None, first=1).classes.tolist()) == [0, 1, 2, 3, 4]

    def test_numbers_beyond_the_classes_are_refused(
        self, way: Callable[[Path, list[str]], ImageList], tmp_path: Path
    ) -> None:
        images = way(tmp_path, ["1", "7"])
        with refused(r"^the labels are numbers from 1 to 7 for 6 classes; give class names"):
            match_labels(images, SIX, None)
        with refused(r"from 1 to 7 for 6 classes, which --labels-from 1 does not allow"):
            match_labels(images, SIX, None, first=1)


def test_0_with_labels_from_1_is_refused_and_so_is_the_option_with_names() -> None:
    with refused(r"numbers from 0 to 3 for 6 classes, which --labels-from 1 does not allow"):
        matched(["0", "3"], SIX, None, first=1)
    with refused("--labels-from 0 is for labels that are numbers"):
        matched(["star"], SIX, None, first=0)


@pytest.mark.parametrize("ending", ["JPEG", "jpg"])
def test_the_development_kits_numbers_next_to_names_are_refused(ending: str) -> None:
    keys = [f"val/ILSVRC2012_val_0000000{number}.{ending}" for number in (1, 2, 3)]
    with refused("the numbers of ILSVRC's development kit, which have another order"):
        match_labels(labelled(["490", "361", "171"], keys), imagenet_names(), imagenet_wnids(), first=1)
    found = match_labels(labelled(["65", "970", "230"], keys), imagenet_names(), imagenet_wnids(), first=0)
    assert found.classes.tolist() == [65, 970, 230]


def test_every_shipped_wording_of_imagenets_classes_is_known() -> None:
    from torchvision.models import ResNet18_Weights

    torchvision = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    assert ids_of_names(torchvision) == imagenet_wnids()
    assert ids_of_names([name.upper() for name in imagenet_names()]) == imagenet_wnids()
    assert ids_of_names([wnid_wordings(wnid)[-1] for wnid in imagenet_wnids()]) == imagenet_wnids()
    assert ids_of_names(imagenet_names()[::-1]) is None
    wnids = ["n02123045", "n01440764", "n02510455"]
    labels = ["Tinca tinca", "tabby cat", "giant panda", "tabby", "tench"]
    found = match_labels(labelled(labels), ["cat", "fish", "bear"], wnids).classes
    assert found.tolist() == [1, 0, 2, 0, 1]


def test_wordnet_ids_name_the_classes_of_a_model_that_has_only_names() -> None:
    names = ["goldfish", "tabby", "sea snake"]
    found = match_labels(labelled(["n02123045", "n01443537"]), names, None)
    assert found.classes.tolist() == [1, 0]
    assert found.reading == "2 WordNet ids"
    with refused(r"^1 of 1 labels match none of the 3 classes: n01440764"):
        match_labels(labelled(["n01440764"]), names, None)
