"""Images named on standard input. Tables in files: test_listing.py."""

import io
import sys
from pathlib import Path

import pytest

from sing_compute.errors import ImagesError
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import ImageList


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def listed(content: str | bytes) -> ImageList:
        raw = content.encode() if isinstance(content, str) else content
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        return list_images(Path("-"))

    return listed


@pytest.mark.parametrize(
    ("content", "groups"),
    [
        ("path,label\na/1.png,cat\n/data/b 2.png,dog\n", None),
        ("\ufefflabel,group,path\r\ncat,x,./a/1.png\r\ndog,,/data/b 2.png\r\n", ["x", ""]),
        ("path\tlabel\na/1.png\tcat\n/data/b 2.png\tdog", None),
    ],
)
def test_a_table_on_standard_input_is_read_as_one_in_a_file(
    content: str, groups: list[str] | None, piped, tmp_path: Path
) -> None:
    images = piped(content)
    assert list(images.keys) == ["a/1.png", "/data/b 2.png"]
    assert list(images.labels) == ["cat", "dog"]
    assert (images.groups and list(images.groups)) == groups
    assert images.path(0).resolve() == tmp_path / "a" / "1.png"
    assert images.path(1) == Path("/data/b 2.png")


def test_plain_paths_are_labelled_by_their_folder(piped) -> None:
    images = piped("./train/cat/1.png\r\n\ndog/ü, 2.jpg\n/data/n01440764/x.JPEG")
    assert list(images.keys) == ["train/cat/1.png", "dog/ü, 2.jpg", "/data/n01440764/x.JPEG"]
    assert list(images.labels) == ["cat", "dog", "n01440764"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"^--images -: the list is empty$"),
        ("\n\n", r"^--images -: the list is empty$"),
        ("cat/1.png\nloose.png\n", r"^--images -, line 2: loose.png is in no folder that names its class; give such"),
        ("path,class\na/1.png,cat\n", r"^--images -, line 1: path,class is in no folder .* columns path,label\[,group\]$"),
        ("path,label\na/1.png,\n", r"^--images -, line 2: path and label are both needed$"),
        ("a/1.png\n./a/1.png\n", r"^--images -: a/1.png is in it twice; list each image once$"),
        (b"a/\xe4.png\n", r"^--images -: not a readable UTF-8 list"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_used_says_where(content: str | bytes, message: str, piped) -> None:
    with pytest.raises(ImagesError, match=message) as caught:
        piped(content)
    assert "\n" not in str(caught.value)


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(ImagesError, match=r"^--images -: nothing is piped in; give a table of path,label\[,group\] or"):
        list_images(Path("-"))
