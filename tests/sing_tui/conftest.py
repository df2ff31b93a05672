"""Stores on disk that the tests of the explorer share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from named_things import write_named
from stores import write_store

from sing_compute.store import Store
from sing_tui.finder import Finder

AWKWARD = ("[red]bold[/red]", "=1+1", "ネコ科の動物たち", "bell\x07\x1b[31m tab\tend", "🦉 owl 🦉", "long " * 30)


def shared(path: Path) -> Iterator[Path]:
    """Lend a file to many tests; fail if one of them changes it or leaves another file beside it."""
    before = path.read_bytes()
    yield path
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture(scope="session")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("store") / "results.h5"
    yield from shared(write_store(path, groups=("clean", "noisy"), concepts=60))


@pytest.fixture(scope="session")
def awkward_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("awkward") / "awkward.h5"
    images = (5,) * len(AWKWARD)
    yield from shared(write_store(path, class_names=AWKWARD, images_per_class=images, models=("a", "@b")))


@pytest.fixture(scope="session")
def bare_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("bare") / "bare.h5"
    yield from shared(write_store(path, models=("vgg",), null_space=False))


@pytest.fixture(scope="session")
def three_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("three") / "three.h5"
    models, classes = ("alpha", "beta", "gamma"), ("cat", "dog", "owl", "empty")
    yield from shared(write_store(path, models=models, class_names=classes, images_per_class=(9, 7, 5, 0), concepts=24))


@pytest.fixture(scope="session")
def named_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:

    yield from shared(write_named(tmp_path_factory.mktemp("named") / "named.h5"))


@pytest.fixture
def named(named_path: Path) -> Iterator[Finder]:
    """A finder in a file whose names are alike."""
    with Store(named_path) as store:
        yield Finder(store)


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    with Store(store_path) as opened:
        yield opened


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Details are read sooner."""
    from sing_tui.widgets import details_pane

    monkeypatch.setattr(details_pane, "REST", 0.03)
