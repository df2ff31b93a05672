"""A flat folder of images with a label file, as ImageNet's validation set comes."""

import unicodedata
from pathlib import Path

import pytest

from sing_compute.errors import ImagesError
from sing_compute.images.class_labels import match_labels
from sing_compute.images.label_files import list_with_labels

NAMES = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 6)]
WNIDS = ["n01440764", "n01443537", "n01484850", "n01491361"]


def folder(tmp_path: Path) -> Path:
    root = tmp_path / "val"
    root.mkdir()
    for name in (*NAMES, "README.txt"):
        (root / name).touch()
    return root


def labels(tmp_path: Path, text: str, name: str = "labels.txt") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def classes(tmp_path: Path, text: str, name: str = "labels.txt") -> list[int]:
    """The class of each image in the order of names."""
    images = list_with_labels(folder(tmp_path), labels(tmp_path, text, name))
    assert list(images.keys) == NAMES
    return match_labels(images, ["tench", "gold fish", "shark", "tiger"], WNIDS).classes.tolist()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("".join(f"{name} {index}\n" for name, index in zip(NAMES, [3, 0, 1, 1, 2], strict=True)), "val.txt"),
        ("".join(f"{name} {index}\n" for name, index in zip(NAMES, [4, 1, 2, 2, 3], strict=True)), "val.txt"),
        ("".join(f"{name} {WNIDS[i]}\n" for name, i in zip(NAMES[::-1], [2, 1, 1, 0, 3], strict=True)), "val.txt"),
        ("".join(f"{name}\t{text}\n" for name, text in zip(NAMES, ["tiger", "tench", "gold fish", "Gold_Fish", "shark"],
                                                            strict=True)), "val.tsv"),
        ("3\n0\n1\n1\n2\n", "index0.txt"),
        ("\ufeff4\r\n1\r\n2\r\n2\r\n3\r\n\r\n", "index1.txt"),
        ("\n".join(WNIDS[index] for index in [3, 0, 1, 1, 2]), "wnids.txt"),
        ("path,label\n" + "".join(f"{name},{WNIDS[i]}\n" for name, i in zip(NAMES, [3, 0, 1, 1, 2], strict=True)), "l.csv"),
        ("label,path\n" + "".join(f"{i},{name}\n" for name, i in zip(NAMES, [3, 0, 1, 1, 2], strict=True)), "l.csv"),
        ("ImageId,PredictionString\n" + "".join(f"{Path(name).stem},{WNIDS[i]} 85 1 499 272 {WNIDS[i]} 1 2 3 4\n"
                                                for name, i in zip(NAMES, [3, 0, 1, 1, 2], strict=True)), "LOC.csv"),
        ("other.JPEG 2\n" + "".join(f"{name} {i}\n" for name, i in zip(NAMES, [3, 0, 1, 1, 2], strict=True)), "more.txt"),
    ],
)  # fmt: skip
def test_every_usual_label_file_is_read(text: str, name: str, tmp_path: Path) -> None:
    assert classes(tmp_path, text, name) == [3, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{NAMES[0]} 1\n{NAMES[3]} 2\n", rf"labels.txt: 3 of 5 images have no label, the first is {NAMES[1]}$"),
        (f"path,label\n{NAMES[0]},1\n{NAMES[1]},\n", rf"4 of 5 images have no label, the first is {NAMES[1]}$"),
        (
            "1\n2\n3\n",
            r"labels.txt: 3 labels for 5 images; give one per line in the order of the file names, or lines of",
        ),
        ("", r"labels.txt: 0 labels for 5 images"),
        (
            "490\n361\n171\n822\n297\n",
            r"the devkit's ILSVRC ids, which have another order .* LOC_val_solution.csv$",
        ),
        (
            "1\n2\n3\n2\n1\n",
            r"from 1 to 3 for 4 classes, so they may count from 0 or from 1: say which",
        ),
        (
            "1\n2\n3\n5\n1\n",
            r"^the labels are numbers from 1 to 5 for 4 classes; give class names or WordNet ids",
        ),
        ("0\n2\n3\n4\n1\n", r"^the labels are numbers from 0 to 4 for 4 classes; give"),
        ("n01440764\nn01440764\ncat\nn01440764\ndog\n", r"2 of 3 labels match none of the 4 classes: cat, dog; "),
    ],
)
def test_labels_that_are_missing_or_mean_nothing_are_counted_and_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match=message) as caught:
        classes(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match=r"--labels .*absent.txt: not a readable label file \(No such file"):
        list_with_labels(folder(tmp_path), tmp_path / "absent.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ImagesError, match=r"--labels .*binary.txt: not a readable label file \(it is not UTF-8 text\)"):
        list_with_labels(tmp_path / "val", tmp_path / "binary.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImagesError, match=r"--images .*empty: no images in it$"):
        list_with_labels(tmp_path / "empty", tmp_path / "binary.txt")
    with pytest.raises(ImagesError, match=r"--images .*list.csv: with --labels this must be a folder of images"):
        list_with_labels(tmp_path / "list.csv", tmp_path / "binary.txt")


def flat(tmp_path: Path, *names: str) -> Path:
    root = tmp_path / "flat"
    root.mkdir()
    for name in names:
        (root / name).touch()
    return root


def test_one_label_per_line_needs_names_whose_order_is_certain(tmp_path: Path) -> None:
    root, file = flat(tmp_path, "1.png", "2.png", "10.png"), labels(tmp_path, "cat\ndog\nowl\n")
    with pytest.raises(
        ImagesError, match=r"by characters 10.png comes first, by numbers 2.png; give lines of NAME LABEL$"
    ):
        list_with_labels(root, file)
    (root / "10.png").rename(root / "3.png")
    assert list(list_with_labels(root, file).labels) == ["cat", "dog", "owl"]


def test_an_image_with_two_labels_is_refused_and_the_same_line_twice_is_not(tmp_path: Path) -> None:
    root = flat(tmp_path, "a.png", "b.png")
    twice = labels(tmp_path, "a.png cat\nb.png dog\na.png cat\n")
    assert list(list_with_labels(root, twice).labels) == ["cat", "dog"]
    two = labels(tmp_path, "path,label\na.png,cat\nb.png,dog\na.png,owl\n", "labels.csv")
    with pytest.raises(
        ImagesError, match=r"1 images have two different labels, the first is a.png \(cat, owl\); give each"
    ):
        list_with_labels(root, two)


def test_lines_without_an_image_are_counted_and_names_match_in_both_ways_to_write_a_letter(tmp_path: Path) -> None:
    root = flat(tmp_path, unicodedata.normalize("NFD", "Bär.png"), "notes.txt", ".hidden.png")
    images = list_with_labels(root, labels(tmp_path, "Bär.png bear\nx.png cat\ny.png cat\n"))
    assert list(images.labels) == ["bear"]
    assert images.notes == (
        "1 hidden entries and folders of other programs left out: 1 files",
        "1 files that are no images by their ending left out: 1 .txt",
        "2 lines of labels.txt name no image of the folder, the first names x.png",
    )
