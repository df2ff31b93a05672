import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))  # its world with known directions


@pytest.fixture
def draw() -> torch.Generator:
    """The same random numbers in every test."""
    return torch.Generator().manual_seed(0)
