import numpy as np
import pytest
import torch

from sing_compute.linalg.angles import cross_angle, paired_angle, unit


def reference_angle(x: np.ndarray, y: np.ndarray) -> float:
    """From the definition of the cosine, in extended precision."""
    x, y = x.astype(np.longdouble), y.astype(np.longdouble)
    return float(np.degrees(np.arccos(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1, 1))))


@pytest.mark.parametrize("degrees", [1e-6, 0.01, 1.0, 19.0, 21.0, 90.0, 150.0, 179.0, 179.99999])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 3e-5)])
def test_paired_angle_is_right_over_the_whole_range(degrees: float, dtype: torch.dtype, tolerance: float) -> None:
    turn = np.radians(degrees)
    left, right = np.array([[2.0, 0.0, 0.0]]), np.array([[3 * np.cos(turn), 3 * np.sin(turn), 0.0]])
    found = paired_angle(torch.from_numpy(left).to(dtype), torch.from_numpy(right).to(dtype))
    assert float(found) == pytest.approx(degrees, abs=tolerance)


def test_equal_rows_have_angle_exactly_zero() -> None:
    rows = torch.randn(1000, 512, generator=torch.Generator().manual_seed(0))
    assert bool((paired_angle(rows, rows.clone()) == 0).all())


def test_a_zero_vector_has_no_angle() -> None:
    found = paired_angle(torch.zeros(1, 3), torch.ones(1, 3))
    assert bool(found.isnan().all())


def test_cross_angle_agrees_with_the_definition_near_and_far() -> None:
    rng = np.random.default_rng(0)
    left = rng.normal(size=(40, 64))
    right = np.concatenate(
        [rng.normal(size=(30, 64)), left[:5], -left[5:8], left[:4] + 1e-3 * rng.normal(size=(4, 64))]
    )
    found = cross_angle(unit(torch.from_numpy(left)).float(), unit(torch.from_numpy(right)).float()).numpy()
    wanted = np.array([[reference_angle(x, y) for y in right] for x in left])
    assert np.abs(found - wanted).max() < 1e-4
