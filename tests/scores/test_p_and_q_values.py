"""Figures of draws, p and q values, against plain numpy and scipy."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch

from sing_compute.scores.significance import (
    benjamini_hochberg,
    significance,
)


def test_figures_are_numpys_and_scipys() -> None:
    rng = np.random.default_rng(2)
    control = rng.normal(size=(50, 8)) + 3
    observed = control.mean(axis=0) + np.array([0.0, 0.5, -1.0, 2.0, -4.0, 9.0, -30.0, 36.0])
    found = significance(torch.from_numpy(observed), torch.from_numpy(control))
    mean, std = control.mean(axis=0), control.std(axis=0, ddof=1)
    z = (observed - mean) / std
    np.testing.assert_allclose(found.control_mean, mean)
    np.testing.assert_allclose(found.control_std, std)
    np.testing.assert_allclose(found.z, z, atol=1e-12)
    np.testing.assert_allclose(found.p_normal, 2 * scipy.stats.norm.sf(np.abs(z)), rtol=1e-9)
    assert float(found.p_normal.min()) > 0
    for concept in range(8):
        farther = sum(abs(c - mean[concept]) >= abs(observed[concept] - mean[concept]) for c in control[:, concept])
        assert float(found.p_empirical[concept]) == pytest.approx((1 + farther) / 51)


def test_classes_at_once_are_the_loop_over_them() -> None:
    rng = np.random.default_rng(3)
    observed, control = torch.from_numpy(rng.normal(size=(3, 9))), torch.from_numpy(rng.normal(size=(3, 40, 9)))
    together = significance(observed, control)
    for row in range(3):
        alone = significance(observed[row], control[row])
        for name in ("control_mean", "control_std", "z", "p_normal", "p_empirical"):
            np.testing.assert_array_equal(getattr(together, name)[row], getattr(alone, name))
        np.testing.assert_array_equal(benjamini_hochberg(together.p_normal)[row], benjamini_hochberg(alone.p_normal))


def test_no_value_in_is_no_value_out() -> None:
    rng = np.random.default_rng(4)
    observed, control = torch.from_numpy(rng.normal(size=6)), torch.from_numpy(rng.normal(size=(30, 6)))
    whole = significance(observed, control)
    observed[1], control[5, 3] = torch.nan, torch.nan
    found = significance(observed, control)
    for name in ("z", "p_normal", "p_empirical"):
        values = getattr(found, name)
        assert values.isnan().tolist() == [False, True, False, True, False, False]
        np.testing.assert_array_equal(values[[0, 2, 4, 5]], getattr(whole, name)[[0, 2, 4, 5]])


@pytest.mark.parametrize("gaps", [False, True])
def test_q_values_are_the_least_rate_at_which_each_is_found_over_the_values_there_are(gaps: bool) -> None:
    rng = np.random.default_rng(5)
    p = rng.uniform(size=(4, 50)) ** 3
    p[0, :10] = p[0, 10]
    p[1] = 1.0
    if gaps:
        p[:, ::7], p[2] = np.nan, np.nan
    found = benjamini_hochberg(torch.from_numpy(p)).numpy()
    for row in range(4):
        there = ~np.isnan(p[row])
        assert np.isnan(found[row, ~there]).all()
        if there.any():
            values = p[row, there]
            rates = [len(values) * value / (values <= value).sum() for value in values]  # if all up to it are found
            least = [min(rate for rate, other in zip(rates, values, strict=True) if other >= value) for value in values]
            np.testing.assert_allclose(found[row, there], least, rtol=1e-12)


def test_q_values_keep_shape_and_device_and_may_be_none() -> None:
    p = torch.rand(2, 3, 4, dtype=torch.float64)
    found = benjamini_hochberg(p)
    assert (found.shape, found.dtype, found.device) == (p.shape, torch.float64, p.device)
    np.testing.assert_array_equal(found[1, 2], benjamini_hochberg(p[1, 2]))
    assert benjamini_hochberg(torch.zeros(3, 0, dtype=torch.float64)).shape == (3, 0)
    assert benjamini_hochberg(torch.full((2, 5), torch.nan)).isnan().all()
