"""Tar shards made here with Python's own writer, and read back without it."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sing_compute.errors import ImagesError
from sing_compute.images import listing_cache
from sing_compute.images.archives import find_archives
from sing_compute.images.decoding import decode_batches
from sing_compute.images.image_sources import list_images


def pack(path: Path, members: dict[str, bytes | str], *, kind: int = tarfile.PAX_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=kind) as archive:
        for name, content in members.items():
            raw = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            archive.addfile(entry, io.BytesIO(raw))
    return path


def png(value: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (value, value, value)).save(stream, "png")
    return stream.getvalue()


def grey(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).float().mean()


def refused(message: str) -> "pytest.RaisesExc[ImagesError]":
    return pytest.raises(ImagesError, match=message)


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_image_is_read_from_its_place_in_any_order(kind: int, tmp_path: Path) -> None:
    deep = "/".join(["a folder with quite a long name"] * 4) + "/x.png"
    first = {"n01/1.png": png(10), "n01/notes.txt": "no image", "n02/2.PNG": png(20), deep: png(30)}
    pack(tmp_path / "train-000.tar", first, kind=kind)
    pack(tmp_path / "train-001.tar", {"./n02/3.png": png(40), "n02/ü.png": png(50)}, kind=kind)
    images = list_images(tmp_path)
    names = ["000.tar/n01/1.png", "000.tar/n02/2.PNG", f"000.tar/{deep}", "001.tar/n02/3.png", "001.tar/n02/ü.png"]
    assert list(images.keys) == [f"train-{name}" for name in names]
    assert list(images.labels) == ["n01", "n02", "a folder with quite a long name", "n02", "n02"]
    assert [images.read(row) for row in (4, 0, 2)] == [png(50), png(10), png(30)]
    assert [images.size(row) for row in range(5)] == [len(png(value)) for value in (10, 20, 30, 40, 50)]
    back = images.take([3, 1])
    (batch,) = decode_batches(back, [grey], [[0, 1]], workers=1)
    assert batch.tensors[0].tolist() == [40, 20]
    assert back.path(0) == tmp_path / "train-001.tar" / "n02" / "3.png"


@pytest.mark.parametrize(
    ("told", "labels"),
    [
        ({"1.cls": "7\n", "2.cls": "cat"}, ["7", "cat"]),
        ({"1.json": '{"label": 7}', "2.json": '{"class": "cat", "caption": "x"}'}, ["7", "cat"]),
        ({"1.json": '{"label": 7, "wnid": "n07"}', "2.json": '{"class": "a", "label": "b"}'}, ["n07", "b"]),
        ({"1.json": '{"label": 7}', "1.cls": "8", "2.CLS": " tabby cat "}, ["8", "tabby cat"]),
        ({"1.cls": "8", "1.json": '{"label": 7}', "2.cls": "0", "2.json": "[1]"}, ["8", "0"]),
    ],
)
@pytest.mark.parametrize("order", ["before", "after", "beside"])
def test_a_class_is_what_the_member_of_the_same_name_says(
    told: dict[str, str], labels: list[str], order: str, tmp_path: Path
) -> None:
    photos = {f"n99/{number}.png": png(number) for number in (1, 2)}
    said = {f"n99/{name}": text for name, text in told.items()}
    members = {"before": said | photos, "after": photos | said, "beside": dict(sorted((said | photos).items()))}[order]
    images = list_images(pack(tmp_path / "x.tar", members))
    assert dict(zip(images.keys, images.labels, strict=True)) == {
        f"x.tar/n99/{number}.png": label for number, label in zip((1, 2), labels, strict=True)
    }


def test_images_of_one_sample_share_its_class_and_dots_in_names_belong_to_them(tmp_path: Path) -> None:
    members = {"v1.0.jpg": b"", "v1.0.png": b"", "v1.0.cls": "a", "v1.1.png": b"", "v1.1.cls": "b"}
    assert list(list_images(pack(tmp_path / "x.tar", members)).labels) == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"1.png": b""},
            r"x.tar: 1.png is in no folder; NAME.cls or NAME.json next to NAME.jpg gives an image's class, or",
        ),
        (
            {"a/1.png": b"", "a/1.cls": "3", "a/2.png": b""},
            r"a/2.png has no .cls or .json with its class, as others",
        ),
        ({"a/1.png": b"", "a/1.cls": b"\xe4"}, r"x.tar: a/1.cls is not the UTF-8 text of a class$"),
        ({"a/1.png": b"", "a/1.json": "{"}, r"x.tar: a/1.json is not JSON$"),
        ({"a/1.txt": b""}, r"x.tar: no images in it$"),
        ({"a/1.png": b"", "./a/1.png": b""}, r"x.tar/a/1.png is in its archive twice; pack each image once$"),
    ],
)
def test_what_cannot_be_labelled_is_named(members: dict[str, bytes | str], message: str, tmp_path: Path) -> None:
    with refused(f"^--images .*{message}") as caught:
        list_images(pack(tmp_path / "x.tar", members))
    assert "\n" not in str(caught.value)


def test_an_archive_cut_anywhere_is_refused_rather_than_read_in_part(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {f"a/{number}.png": bytes([number]) * 700 for number in range(3)})
    whole = path.read_bytes()
    end = 3 * (512 + 1024)  # three headers, three times two blocks
    assert whole[end:].strip(b"\0") == b""
    for length in (100, 512, 1000, 1536, 2 * 1536 - 5, 2 * 1536, 2 * 1536 + 512, end - 600, end):
        path.write_bytes(whole[:length])
        with refused(r"x.tar: a broken or truncated tar archive \(.+\); copy it again$"):
            list_images(path)
    path.write_bytes(whole[:end] + bytes(1024))
    assert len(list_images(path)) == 3


def test_a_damaged_header_is_refused_rather_than_taken_for_the_end(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {f"a/{number}.png": bytes(700) for number in range(3)})
    content = bytearray(path.read_bytes())
    content[1536 + 20] ^= 255
    path.write_bytes(content)
    with refused(r"x.tar: a broken or truncated tar archive"):
        list_images(path)


def test_links_and_compressed_archives_are_refused_with_the_reason(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "links.tar", "w") as archive:
        entry = tarfile.TarInfo("a/1.png")
        entry.type, entry.linkname = tarfile.LNKTYPE, "a/0.png"
        archive.addfile(entry)
    with refused(r"links.tar: .*\(a/1.png is a link or has holes\)"):
        list_images(tmp_path / "links.tar")
    for mode in ("gz", "bz2", "xz"):
        with tarfile.open(tmp_path / "packed.tar", f"w:{mode}") as archive:
            archive.addfile(tarfile.TarInfo("a/1.png"))
        with refused(r"packed.tar: it is compressed, .* unpack it to a plain .tar$"):
            list_images(tmp_path / "packed.tar")
    (tmp_path / "empty.tar").touch()
    with refused(r"empty.tar: a broken or truncated tar archive \(empty file\)"):
        list_images(tmp_path / "empty.tar")


@pytest.mark.parametrize(
    "pattern", ["t-{000..002}.tar", "t-{8..11}.tar", "{a,b}/t-{0..1}{x,}.tar", "t-{00..00}.tar", "{a,b}/{c,d}.tar"]
)
def test_braces_mean_what_the_shell_makes_of_them(pattern: str, tmp_path: Path) -> None:
    shell = subprocess.run(["bash", "-c", f"echo {pattern}"], capture_output=True, text=True, check=True).stdout.split()
    for name in shell:
        pack(tmp_path / name, {"n01/1.png": name})
    assert [path.relative_to(tmp_path).as_posix() for path in find_archives(tmp_path / pattern)] == shell
    images = list_images(tmp_path / pattern)
    assert [images.read(row).decode() for row in range(len(images))] == shell
    assert len(set(images.keys)) == len(shell)


def test_archives_that_a_pattern_names_but_that_are_not_there_are_counted(tmp_path: Path) -> None:
    pack(tmp_path / "t-0.tar", {"n01/1.png": b""})
    with refused(r"--images .*t-\{0\.\.3\}\.tar: 3 of these 4 archives are not there, the first is .*t-1\.tar$"):
        list_images(tmp_path / "t-{0..3}.tar")
    with refused("absent.tar: no such file or folder$"):
        list_images(tmp_path / "absent.tar")


def test_a_folder_with_subfolders_is_a_class_tree_whatever_archives_lie_beside(tmp_path: Path) -> None:
    pack(tmp_path / "val.tar", {"n01/1.png": b""})
    (tmp_path / "n02").mkdir()
    (tmp_path / "n02" / "2.png").touch()
    assert list(list_images(tmp_path).keys) == ["n02/2.png"]


def test_a_kept_index_holds_until_an_archive_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(listing_cache, "LARGE", 1)
    monkeypatch.setattr(listing_cache, "UNCHANGED_FOR", -(10**18))
    path = pack(
        tmp_path / "x" / "t.tar", {"n01/1.png": png(1), "n01/2.png": png(2), "n01/1.cls": "a", "n01/2.cls": "b"}
    )
    first = list_images(path)
    with monkeypatch.context() as patch:
        patch.setattr("tarfile.open", lambda *_, **__: pytest.fail("read again"))
        second = list_images(path)
    assert list(second.keys) == list(first.keys)
    assert list(second.labels) == ["a", "b"]
    assert [second.read(row) for row in (0, 1)] == [png(1), png(2)]
    size = path.stat().st_size
    pack(path, {"n01/1.png": png(3), "n01/2.png": png(4), "n01/1.cls": "b", "n01/2.cls": "a"})
    assert path.stat().st_size == size
    with refused(r"t.tar has changed since it was listed; start the same command again$"):
        second.read(0)
    third = list_images(path)
    assert list(third.labels) == ["b", "a"]
    assert third.read(1) == png(4)


def test_an_archive_that_grew_or_vanished_since_ends_the_run(tmp_path: Path) -> None:
    path = pack(tmp_path / "t.tar", {"n01/1.png": png(1)})
    images = list_images(path)
    with path.open("ab") as stream:
        stream.write(bytes(512))
    with refused(r"t.tar has changed since it was listed; start the same command again$"):
        images.read(0)
    path.unlink()
    with refused(
        r"t.tar/n01/1.png cannot be read, the images' disk is gone \(.*t.tar is not there\); finished work is"
    ):
        images.read(0)


def test_webdataset_json_of_other_kinds_says_nothing(tmp_path: Path) -> None:
    members = {"n01/1.png": b"", "n01/1.json": json.dumps({"caption": "a dog", "label": None, "class": True})}
    assert list(list_images(pack(tmp_path / "x.tar", members)).labels) == ["n01"]
