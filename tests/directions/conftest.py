import pytest
import torch


@pytest.fixture
def draw() -> torch.Generator:
    """The same random numbers in every test."""
    return torch.Generator().manual_seed(0)
