"""Images for a run that was given none. The server is out of reach here: torchvision's own download functions stand in."""

import sys
import tarfile
from pathlib import Path
from urllib.error import URLError

import pytest
import torchvision.datasets.imagenette as source
from PIL import Image

from sing_compute.errors import ImagesError
from sing_compute.images import imagenette as room
from sing_compute.images.image_sources import list_images
from sing_compute.images.imagenette import imagenette


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sing-explorer"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A server with a small archive in Imagenette's form; gives the addresses asked for."""
    for key in ("val/n01440764/a.JPEG", "val/n03888257/b.JPEG", "train/n01440764/c.JPEG"):
        path = tmp_path / "made" / "imagenette2-320" / key
        path.parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(path, "JPEG")
    asked: list[str] = []

    def fetch(url: str, root: Path, md5: str) -> None:
        asked.append(url)
        print("  0%|          | 0/341M", file=sys.stderr)
        Path(root).mkdir(parents=True, exist_ok=True)
        with tarfile.open(Path(root) / "imagenette2-320.tgz", "w:gz") as archive:
            archive.add(tmp_path / "made" / "imagenette2-320", "imagenette2-320")
        with tarfile.open(Path(root) / "imagenette2-320.tgz") as archive:
            archive.extractall(root)

    monkeypatch.setattr(source, "download_and_extract_archive", fetch)
    return asked


def test_it_is_downloaded_once_and_kept_as_a_class_tree(
    cache: Path, served: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    folder = imagenette()
    assert folder == cache / "imagenette2-320" / "val"
    assert tuple(list_images(folder).labels) == ("n01440764", "n03888257")
    assert imagenette() == folder
    assert served == [room.ARCHIVE]
    assert not (cache / "unfinished").exists()
    assert capfd.readouterr() == ("", "")  # a bar is for a terminal


def test_on_a_terminal_the_bar_is_shown(
    cache: Path, served: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    imagenette()
    assert "0/341M" in capsys.readouterr().err


def test_what_an_interrupted_download_left_is_not_taken_for_the_whole(cache: Path, served: list[str]) -> None:
    torn = cache / "unfinished" / "imagenette2-320" / "val" / "n01440764"
    torn.mkdir(parents=True)
    (torn / "torn.JPEG").touch()
    assert "n01440764/torn.JPEG" not in list_images(imagenette()).keys
    assert len(served) == 1


def test_without_a_connection_one_line_says_the_ways_out(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str, root: Path, md5: str) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(source, "download_and_extract_archive", fail)
    with pytest.raises(
        ImagesError,
        match=r"Imagenette in its place cannot be downloaded \(.*Name or service.*\)\. Ways out: --images FOLDER with",
    ) as caught:
        imagenette()
    assert str(caught.value).endswith(f"or {room.ARCHIVE} unpacked in {cache}")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in cache.iterdir()) in (["lock"], [])


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ImagesError, match=r"cannot be downloaded \(.*Not a directory"):
        imagenette()
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert room.cache_folder() == Path.home() / ".cache" / "sing-explorer"


def test_torchvision_still_serves_the_archive_that_the_message_names() -> None:
    assert source.Imagenette._ARCHIVES["320px"][0] == room.ARCHIVE
    assert Path(room.ARCHIVE).stem == room.NAME
