import gzip
import sys
from pathlib import Path

import pytest

sys.path += [
    str(Path(__file__).parent),
    str(Path(__file__).parents[1] / "attack"),
]  # edit_kinds.py; mutations.py, readers.py

ARCHIVE = Path(__file__).resolve().parents[1] / "store_archives" / "schema-1.h5.gz"


@pytest.fixture
def schema_1(tmp_path: Path) -> Path:
    """A file that a real run has written, with its features."""
    path = tmp_path / "schema-1.h5"
    path.write_bytes(gzip.decompress(ARCHIVE.read_bytes()))
    return path
