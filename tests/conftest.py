"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest
from forked import Runs


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    """Runs that need no imports of their own."""
    with Runs() as runs:
        yield runs
