import os
import re
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sing_compute.errors import ImagesError
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import folds_of


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


def test_what_tools_put_among_images_is_left_out_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.png", "cat/.ipynb_checkpoints/1-checkpoint.png", "cat/@eaDir/1.png/SYNO@.jpg", "cat/._1.png")
    touch(
        tmp_path, "dog/2.png", "dog/.thumbnails/2.png", "dog/Thumbs.db", "__MACOSX/cat/1.png", "dog/2.txt", "dog/3.heic"
    )
    images = list_images(tmp_path)
    assert list(images.keys) == ["cat/1.png", "dog/2.png"]
    junk, others = images.notes
    assert junk.startswith("6 hidden entries and folders of other programs left out: 2 files, ")
    assert others == "2 files that are no images by their ending left out: 1 .heic, 1 .txt"


def test_the_same_is_left_out_of_an_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("cat/1.png", "__MACOSX/cat/._1.png", "cat/.ipynb_checkpoints/1.png"):
            tar.addfile(tarfile.TarInfo(name))
    images = list_images(tmp_path / "a.tar")
    assert list(images.keys) == ["a.tar/cat/1.png"]
    assert images.notes == ("2 hidden entries and folders of other programs left out: 2 members of archives",)


@pytest.mark.parametrize("ending", ["jfif", "jpe", "avif", "jp2", "ppm", "JFIF", ""])
def test_whatever_pillow_reads_is_an_image(ending: str, tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    kind = {"jfif": "JPEG", "jpe": "JPEG", "avif": "AVIF", "jp2": "JPEG2000", "ppm": "PPM"}.get(ending.lower(), "PNG")
    path = tmp_path / "cat" / (f"1.{ending}" if ending else "1")
    with path.open("wb") as stream:
        Image.new("RGB", (32, 32), "red").save(stream, kind)
    (tmp_path / "cat" / "README").write_text("no image")
    images = list_images(tmp_path)
    assert list(images.keys) == [f"cat/{path.name}"]
    assert images.notes == ("1 files that are no images by their ending left out: 1 without ending",)
    with Image.open(BytesIO(images.read(0))) as image:
        assert max(abs(a - b) for a, b in zip(image.convert("RGB").getpixel((16, 16)), (255, 0, 0), strict=True)) < 6


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
