import numpy as np
import pytest

from sing_compute.float_order import floats_of, ordered_bits

TINY = np.float32(1e-45)
"""The smallest number above zero."""
ASCENDING = np.array([-np.inf, -3e38, -1.5, -1e-38, -TINY, 0.0, TINY, 1e-38, 1.5, 3e38, np.inf], np.float32)


def test_integers_are_in_the_order_of_the_numbers() -> None:
    bits = ordered_bits(ASCENDING)
    assert (bits[1:] > bits[:-1]).all()
    turned = ordered_bits(ASCENDING, descending=True)
    assert (turned[1:] < turned[:-1]).all()
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**32, 100_000, dtype=np.uint32).view(np.float32)  # every kind of number, NaN among them
    values = values[np.isfinite(values)]
    assert (values[np.argsort(ordered_bits(values))] == np.sort(values)).all()


@pytest.mark.parametrize("descending", [False, True])
def test_both_zeros_are_one_and_every_nan_is_last(descending: bool) -> None:
    assert len(set(ordered_bits(np.array([0.0, -0.0], np.float32), descending=descending).tolist())) == 1
    patterns = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32)
    assert set(ordered_bits(patterns.view(np.float32), descending=descending).tolist()) == {2**32 - 1}


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_numbers_come_back(kind: type[np.floating]) -> None:
    values = np.array([[-2.5, np.nan, 0.0], [np.inf, 1.0, -np.inf]], kind)
    assert np.array_equal(floats_of(ordered_bits(values)), values.astype(np.float32), equal_nan=True)
