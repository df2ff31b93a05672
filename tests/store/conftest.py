import gzip
from pathlib import Path

import pytest

ARCHIVE = Path(__file__).resolve().parents[1] / "store_archives" / "schema-1.h5.gz"


@pytest.fixture
def schema_1(tmp_path: Path) -> Path:
    """A file that a real run has written, with its features."""
    path = tmp_path / "schema-1.h5"
    path.write_bytes(gzip.decompress(ARCHIVE.read_bytes()))
    return path
