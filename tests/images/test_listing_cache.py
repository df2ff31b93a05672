"""A kept list is used while nothing has changed, and never after that."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forked import wait_for

from sing_compute.images import image_sources, listing_cache
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import ImageList

KEYS = ["cat/1.png", "cat/deep/2.png", "dog/3.png", "dog/4.png"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class tree that is large enough to be kept, and has lain still for long enough."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(listing_cache, "LARGE", 3)
    monkeypatch.setattr(listing_cache, "UNCHANGED_FOR", -(10**18))
    for key in KEYS:
        (tmp_path / "tree" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / key).touch()
    return tmp_path / "tree"


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every tree that is really listed."""
    made: list[int] = []
    real = image_sources.list_tree

    def counted(*arguments) -> ImageList:
        made.append(1)
        return real(*arguments)

    monkeypatch.setattr(image_sources, "list_tree", counted)
    return made


def kept(tree: Path) -> list[Path]:
    return sorted((tree.parent / "cache" / "sing-explorer" / "listings").glob("*"))


def test_a_second_run_takes_the_kept_list_and_it_is_the_same(tree: Path, listings: list[int]) -> None:
    first, second = list_images(tree), list_images(tree)
    assert len(listings) == 1
    assert list(first.keys) == list(second.keys) == KEYS
    assert list(first.labels) == list(second.labels) == ["cat", "cat", "dog", "dog"]
    assert second.root == tree
    assert second.path(1) == tree / KEYS[1]
    assert [path.suffix for path in kept(tree)] == [".npz"]


def _replaced(tree: Path) -> None:
    (tree / "dog").rename(tree.parent / "old")
    (tree / "dog").mkdir()
    (tree / "dog" / "9.png").touch()
    state = (tree.parent / "old").stat()
    os.utime(tree / "dog", ns=(state.st_atime_ns, state.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "new image": lambda tree: (tree / "dog" / "5.png").touch(),
    "new image in a folder within": lambda tree: (tree / "cat" / "deep" / "5.png").touch(),
    "image gone": lambda tree: (tree / "cat" / "1.png").unlink(),
    "image renamed": lambda tree: (tree / "cat" / "1.png").rename(tree / "cat" / "7.png"),
    "new class": lambda tree: ((tree / "owl").mkdir(), (tree / "owl" / "1.png").touch()),
    "class renamed": lambda tree: (tree / "dog").rename(tree / "wolf"),
    "new folder within": lambda tree: ((tree / "dog" / "x").mkdir(), (tree / "dog" / "x" / "1.png").touch()),
    "folder replaced by one of the same age": _replaced,
}


def wait_for_tick(folder: Path) -> None:
    """Wait until a file that is written now is younger, by the clock of the file system, than what was written before."""
    probe = folder / "probe"
    probe.touch()
    first = probe.stat().st_mtime_ns
    wait_for(lambda: (probe.write_bytes(b""), probe.stat().st_mtime_ns > first)[1])


@pytest.mark.parametrize("change", CHANGES)
def test_after_any_change_the_tree_is_listed_again(change: str, tree: Path) -> None:
    assert list(list_images(tree).keys) == KEYS
    wait_for_tick(tree.parent)  # UNCHANGED_FOR sees to it outside of tests
    CHANGES[change](tree)
    truth = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.png"))
    assert truth != KEYS
    for _ in range(2):
        images = list_images(tree)
        assert sorted(images.keys) == truth
        assert list(images.labels) == [key.partition("/")[0] for key in images.keys]


def test_what_changed_a_moment_ago_is_not_kept(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_cache, "UNCHANGED_FOR", 10**18)
    assert list(list_images(tree).keys) == KEYS
    assert kept(tree) == []


def test_small_lists_are_not_kept(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_cache, "LARGE", 4)
    assert list(list_images(tree).keys) == KEYS
    assert kept(tree) == []


def test_a_damaged_or_outdated_cache_is_not_believed(
    tree: Path, listings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    list_images(tree)
    (file,) = kept(tree)
    content = file.read_bytes()
    for damage in (b"", content[:-200], content[: len(content) // 2], b"no archive"):
        file.write_bytes(damage)
        assert list(list_images(tree).keys) == KEYS
    key = content.index(b"cat/1.png")
    file.write_bytes(content[:key] + b"cow" + content[key + 3 :])
    assert list(list_images(tree).keys) == KEYS
    assert len(listings) == 6
    monkeypatch.setattr(listing_cache, "VERSION", 99)
    list_images(tree)
    assert len(listings) == 7


def test_a_cache_that_cannot_be_written_costs_nothing(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree.parent / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tree.parent / "file"))
    assert list(list_images(tree).keys) == KEYS


def test_a_folder_whose_name_is_not_utf8_and_holds_no_image_is_no_matter(tree: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tree) + b"/dog/\xe4")).mkdir()
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    assert list(list_images(tree).keys) == KEYS
    assert list(list_images(tree).keys) == KEYS


def test_processes_that_list_at_once_leave_one_whole_list(tree: Path, listings: list[int]) -> None:
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append(list(list_images(tree).keys))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [KEYS] * 8
    assert len(kept(tree)) == 1
    listings.clear()
    assert list(list_images(tree).keys) == KEYS
    assert listings == []


def test_two_folders_do_not_share_a_list(tree: Path) -> None:
    list_images(tree)
    tree.rename(tree.parent / "moved")
    other = tree / "owl"
    other.mkdir(parents=True)
    for number in range(4):
        (other / f"{number}.png").touch()
    assert set(list_images(tree).labels) == {"owl"}
    assert list(list_images(tree.parent / "moved").keys) == KEYS
    assert np.unique(list_images(tree).labels.codes).tolist() == [0]
