"""The file that a stranger has changed."""

from pathlib import Path

import pytest
from stores import write_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5", groups=("indoor", "outdoor"))
