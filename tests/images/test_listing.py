import os
import re
from pathlib import Path

import numpy as np
import pytest

from sing_compute.errors import ImagesError
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import folds_of, match_classes

NAMES = ["tabby cat", "Golden Retriever", "T-shirt", "crane", "crane", "7", "jack-o'-lantern"]
WNIDS = [f"n0000000{index}" for index in range(len(NAMES))]


def touch(root: Path, *keys: str) -> Path:
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).touch()
    return root


def table(folder: Path, text: str, name: str = "list.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def refused(message: str) -> "pytest.RaisesExc[ImagesError]":
    return pytest.raises(ImagesError, match=message)


def test_a_tree_is_labelled_by_its_first_folders_and_sorted_on_every_machine(tmp_path: Path) -> None:
    touch(tmp_path, "dog/b.png", "dog/a.JPEG", "cat/deep/er/c.webp", "cat/z.jpg", "cat/notes.txt")
    touch(tmp_path, ".cache/x.png", "loose.png")
    (tmp_path / "cat" / "folder.png").mkdir()
    images = list_images(tmp_path)
    assert tuple(images.keys) == ("cat/deep/er/c.webp", "cat/z.jpg", "dog/a.JPEG", "dog/b.png")
    assert tuple(images.labels) == ("cat", "cat", "dog", "dog")
    assert images.groups is None
    assert len(images) == 4
    assert images.path(3) == tmp_path / "dog" / "b.png"


def test_a_list_keeps_its_order_labels_and_groups(tmp_path: Path) -> None:
    path = table(tmp_path, '\ufeffgroup,label,path,note\nindoor,cat,b/2.png,x\n,"dog, big",a/1.png,y\r\n')
    images = list_images(path)
    assert tuple(images.keys) == ("b/2.png", "a/1.png")
    assert tuple(images.labels) == ("cat", "dog, big")
    assert tuple(images.groups) == ("indoor", "")
    assert images.path(0) == tmp_path / "b" / "2.png"


def test_a_tsv_is_read_by_tabs_and_a_list_without_groups_has_none(tmp_path: Path) -> None:
    images = list_images(table(tmp_path, "path\tlabel\na,b.png\tcat\n", "list.TSV"))
    assert (list(images.keys), list(images.labels), images.groups) == (["a,b.png"], ["cat"], None)


def test_an_absolute_path_in_a_list_is_that_file(tmp_path: Path) -> None:
    images = list_images(table(tmp_path, "path,label\n/data/a.png,cat\n"))
    assert images.path(0) == Path("/data/a.png")


def test_an_empty_folder_asks_for_one_subfolder_per_class(tmp_path: Path) -> None:
    with refused("no images in its subfolders. It needs one subfolder per class$"):
        list_images(touch(tmp_path, "cat/notes.txt"))


def test_loose_images_are_counted_in_the_hint(tmp_path: Path) -> None:
    with refused("no images in its subfolders; 2 images are directly in it. It needs one subfolder per class$"):
        list_images(touch(tmp_path, "a.png", "b.JPG", "c.txt"))


def test_links_count_as_images_and_classes_but_do_not_lead_on(tmp_path: Path) -> None:
    touch(tmp_path / "store", "1.png", "deep/2.png")
    touch(tmp_path / "tree", "dog/3.png")
    (tmp_path / "tree" / "cat").symlink_to(tmp_path / "store")
    (tmp_path / "tree" / "dog" / "4.png").symlink_to(tmp_path / "store" / "1.png")
    (tmp_path / "tree" / "dog" / "5.png").symlink_to(tmp_path / "vanished.png")
    (tmp_path / "tree" / "dog" / "circle").symlink_to(tmp_path / "tree")
    images = list_images(tmp_path / "tree")
    assert list(images.keys) == ["cat/1.png", "cat/deep/2.png", "dog/3.png", "dog/4.png", "dog/5.png"]
    assert [images.size(row) for row in (3, 4)] == [0, -1]
    with pytest.raises(FileNotFoundError):
        images.read(4)


def test_a_folder_that_cannot_be_looked_into_ends_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: object) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for root in (touch(tmp_path, "cat/1.png", "cat/locked/2.png"), touch(tmp_path / "locked", "cat/1.png")):
        with refused("--images .*locked: this folder cannot be listed \\(Permission denied\\)$"):
            list_images(root)


def test_a_path_that_is_not_there_is_said_to_be_absent(tmp_path: Path) -> None:
    with refused("--images .*/nope: no such file or folder$"):
        list_images(tmp_path / "nope")


def test_a_file_of_another_kind_is_refused_with_what_is_taken(tmp_path: Path) -> None:
    with refused(r"give a folder with one subfolder per class, a .csv of path,label\[,group\], or .tar archives$"):
        list_images(touch(tmp_path, "images.zip") / "images.zip")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,class\na.png,cat\n", r"first line must name the columns path,label\[,group\], found file,class$"),
        ("a.png,cat\nb.png,dog\n", r"must name the columns path,label\[,group\], found a.png,cat$"),
        ("", "must name the columns path,label.*, found $"),
        ("path,label\n", "the list is empty$"),
        ("path,label\na.png,cat\nb.png,\n", "line 3: path and label are both needed$"),
        ("path,label\na.png,cat\n , cat\n", "line 3: path and label are both needed$"),
        ("path,label\na.png,cat\nb.png\n", "line 3: path and label are both needed$"),
        ("path,label\n\n\na.png,cat\n,cat\n", "line 5: path and label are both needed$"),
        ('path,label\n"a\n.png",cat\n,cat\n', "line 4: path and label are both needed$"),
        ("path,label\na/b.png,cat\nc.png,cat\n./a/b.png,dog\n", "a/b.png is in it twice; list each image once$"),
    ],
)
def test_a_list_that_cannot_be_used_says_where(text: str, message: str, tmp_path: Path) -> None:
    with refused(f"--images .*list.csv.*{message}"):
        list_images(table(tmp_path, text))


def test_a_list_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("path,label\nä.png,cat\n".encode("latin-1"))
    with refused("not a readable UTF-8 table"):
        list_images(tmp_path / "list.csv")


def test_a_file_name_that_is_not_utf8_is_named_with_escapes(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/cat/\xe4.png")).touch()
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    with refused(re.escape(r"the name 'cat/\udce4.png' is not UTF-8; rename it")):
        list_images(tmp_path)


@pytest.mark.parametrize(
    ("label", "index"),
    [
        *(("n00000003", 3), ("N00000004", 4)),
        *(("tabby cat", 0), ("tabby_cat", 0), ("TABBY-Cat", 0), (" tabby __ cat ", 0), ("golden retriever", 1)),
        *(("t shirt", 2), ("T_Shirt", 2), ("Jack_o'_Lantern", 6)),
        *(("0", 0), ("3", 3), ("006", 6)),
        ("7", 5),  # a class named 7 wins over an index, which here would be out of range anyway
    ],
)
def test_a_label_means_a_class_by_wordnet_id_name_or_index(label: str, index: int) -> None:
    assert match_classes([label], NAMES, WNIDS).tolist() == [index]


def test_a_name_that_is_a_number_wins_over_the_index() -> None:
    assert match_classes(["1", "2", "0"], ["2", "1", "x"], None).tolist() == [1, 0, 0]


def test_labels_are_matched_one_by_one_in_their_order() -> None:
    found = match_classes(["t-shirt", "0", "t-shirt", "n00000001"], NAMES, WNIDS)
    assert found.tolist() == [2, 0, 2, 1]
    assert found.dtype == np.int32


def test_unmatched_labels_are_counted_and_listed_with_the_way_out() -> None:
    labels = ["tabby cat", "fox", "fox", "owl", "99"]
    with refused(r"^3 of 4 labels match none of the 7 classes: 99, fox, owl\. Name folders by .* --class-names$"):
        match_classes(labels, NAMES, WNIDS)


def test_of_many_unmatched_labels_eight_are_named() -> None:
    with refused(r"^20 of 20 labels .*: x00, x01, x02, x03, x04, x05, x06, x07 and 12 more\. "):
        match_classes([f"x{number:02d}" for number in range(20)], NAMES, None)


def test_a_name_that_two_classes_share_is_refused_until_said_by_id() -> None:
    with refused("^labels that name several classes: Crane; use WordNet ids or indices instead$"):
        match_classes(["Crane", "tabby cat"], NAMES, WNIDS)
    assert match_classes(["n00000003", "4"], NAMES, WNIDS).tolist() == [3, 4]


def test_folds_are_the_same_on_every_machine() -> None:
    # By `printf KEY | b2sum -l 64`, read as one number, modulo 5 and 1000.
    keys = ["cat/0.png", "dog/ü.jpg", "owl/1/2.png", "x"]
    assert folds_of(keys, 5).tolist() == [4, 4, 2, 3]
    assert folds_of(keys, 1000).tolist() == [469, 894, 37, 383]


def test_a_fold_depends_on_the_key_alone_not_on_the_other_images() -> None:
    keys = [f"cat/{number}.png" for number in range(50)]
    assert folds_of(keys[::-1], 5).tolist() == folds_of(keys, 5).tolist()[::-1]
    assert folds_of(keys[20:30], 5).tolist() == folds_of(keys, 5).tolist()[20:30]


def test_folds_are_balanced() -> None:
    counts = np.bincount(folds_of([f"class/{number:05d}.png" for number in range(5000)], 5), minlength=5)
    assert counts.sum() == 5000
    assert np.abs(counts - 1000).max() < 115  # four standard deviations
