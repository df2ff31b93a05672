"""Folders of transformers that several files of tests share."""

from pathlib import Path

import pytest
from transformers_folders import save


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transformers")


@pytest.fixture(scope="module")
def vit(folders: Path) -> Path:
    return save(folders / "plain vit")
