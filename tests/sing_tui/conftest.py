"""Stores on disk that the tests of the explorer share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import write_store

from sing_compute.store import Store

sys.path.append(str(Path(__file__).parent))  # for driving.py

AWKWARD = ("[red]bold[/red]", "=1+1", "ネコ科の動物たち", "bell\x07\x1b[31m tab\tend", "🦉 owl 🦉", "long " * 30)


@pytest.fixture(scope="session")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "results.h5", groups=("clean", "noisy"), concepts=60)


@pytest.fixture(scope="session")
def awkward_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("awkward") / "awkward.h5"
    return write_store(path, class_names=AWKWARD, images_per_class=(5,) * len(AWKWARD), models=("a", "@b"))


@pytest.fixture(scope="session")
def bare_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("bare") / "bare.h5", models=("vgg",), null_space=False)


@pytest.fixture(scope="session")
def three_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("three") / "three.h5"
    return write_store(
        path,
        models=("alpha", "beta", "gamma"),
        class_names=("cat", "dog", "owl", "empty"),
        images_per_class=(9, 7, 5, 0),
        concepts=24,
    )


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    with Store(store_path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Details are read sooner."""
    from sing_tui.screens import frame

    monkeypatch.setattr(frame, "_DEBOUNCE", 0.03)
