"""Paths that lead nowhere: how many, and the first, before any network is loaded."""

from pathlib import Path

import pytest
from small_images import picture

from sing_compute.errors import ImagesError
from sing_compute.images import missing_images as room
from sing_compute.images.compact_text import Texts
from sing_compute.images.missing_images import check_folders, missing_images


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "cat").mkdir()
    for name in ("1.png", "2.png"):
        picture(tmp_path / "cat" / name, 10)
    return tmp_path


WAYS_OUT = (
    "are the paths right (those of a table are relative to its own folder), and is their disk there? Finished work is kept, "
    "the same command goes on"
)


def test_the_first_missing_image_and_the_number_are_said(root: Path) -> None:
    keys = Texts(["cat/1.png", "cat/3.png", "dog/1.png", "cat/2.png"])
    assert missing_images(root, keys) == f"2 of 4 images are missing, first {root}/cat/3.png: {WAYS_OUT}"


def test_of_many_images_evenly_spread_ones_are_looked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST", 2)
    keys = Texts(["cat/1.png", "x", "dog/1.png", "x"])
    assert missing_images(root, keys) == (
        f"1 of 2 images that were looked for, of 4, are missing, first {root}/dog/1.png: {WAYS_OUT}"
    )


def test_a_folder_that_does_not_exist_ends_the_run_at_once(root: Path) -> None:
    check_folders(root, Texts(["cat/1.png", "cat/absent.png", "loose.png", f"{root}/cat/2.png"]))
    with pytest.raises(ImagesError, match=rf"^1 of 2 images are missing, first {root}/photos/cat/1\.png: "):
        check_folders(root, Texts(["cat/1.png", "photos/cat/1.png"]))
