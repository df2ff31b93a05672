"""Stores of three models that the tests of comparisons read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from compared_tables import MODELS
from stores import write_store

from sing_compute.store import Store


@pytest.fixture(scope="session")
def shared_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("beside") / "results.h5", models=MODELS)


@pytest.fixture
def store(shared_path: Path) -> Iterator[Store]:
    with Store(shared_path) as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5", models=MODELS)
