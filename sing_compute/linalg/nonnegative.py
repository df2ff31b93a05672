"""Solve many small non-negative least-squares problems at once, exactly, from their Gram matrices."""

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

_RIDGE = 1e-12
"""Added to the diagonal of a Gram matrix, so that equal atoms have a solution, too."""
_TOLERANCE = 1e-10
"""A coefficient or gradient this little below zero counts as zero."""
_TRIES = 3
"""Exchanges of many variables at once that may fail to lower the number of violations, before one is exchanged at a time."""


def nonnegative_least_squares(
    gram: Float64[Tensor, "problem atom atom"],
    target: Float64[Tensor, "problem atom"],
    positive: Bool[Tensor, "problem atom"],
) -> tuple[Float64[Tensor, "problem atom"], Bool[Tensor, "problem atom"]]:
    """Return argmin over c >= 0 of |x - A c|^2 for each problem, by block principal pivoting.

    Each problem is solved to its own end, so its solution does not depend on those that are solved with it.
    Source: Kim and Park, "Fast nonnegative matrix factorization: an active-set-like method", SIAM J. Sci. Comput. 33 (2011).

    Args:
        gram: A^T A.
        target: A^T x.
        positive: First guess of which coefficients are above zero; a close one saves time.

    Returns:
        The coefficients, and which of them are above zero.

    Raises:
        ArithmeticError: No end was found, which finite Gram matrices do not lead to.
    """
    count, size = target.shape
    positive = positive.clone()
    solution = torch.zeros_like(target)
    open_ = torch.arange(count, device=target.device)
    fewest = torch.full((count,), size + 1, device=target.device)
    tries = torch.full((count,), _TRIES, device=target.device)
    for _ in range(50 + 20 * size):
        here, inside = positive[open_], gram[open_]
        found = _solve(inside, target[open_], here)
        gradient = (inside * found[:, None]).sum(2) - target[open_]
        wrong = (here & (found < -_TOLERANCE)) | (~here & (gradient < -_TOLERANCE))
        number = wrong.sum(1)
        solution[open_] = found
        going = number > 0
        if not going.any():
            return solution.clamp_(min=0), positive
        open_, wrong, number, here = open_[going], wrong[going], number[going], here[going]
        fewer = number < fewest[open_]
        fewest[open_] = torch.where(fewer, number, fewest[open_])
        tries[open_] = torch.where(fewer, _TRIES, tries[open_] - 1)
        together = fewer | (tries[open_] >= 0)
        last = size - 1 - wrong.flip(1).to(torch.int8).argmax(1)
        alone = torch.zeros_like(wrong)
        alone[torch.arange(len(last), device=last.device), last] = True
        positive[open_] = here ^ torch.where(together[:, None], wrong, alone)
    raise ArithmeticError("non-negative least squares found no end: are all numbers finite?")


def least_squares(
    gram: Float64[Tensor, "problem atom atom"], target: Float64[Tensor, "problem atom"]
) -> Float64[Tensor, "problem atom"]:
    """Return argmin over c of |x - A c|^2 for each problem.

    Args:
        gram: A^T A.
        target: A^T x.
    """
    return _solve(gram, target, torch.ones_like(target, dtype=torch.bool))


def _solve(gram: Tensor, target: Tensor, chosen: Tensor) -> Tensor:
    """Solve with the chosen variables alone; the others are zero."""
    both = chosen[:, :, None] & chosen[:, None, :]
    matrix = torch.where(both, gram, 0.0)
    diagonal = matrix.diagonal(dim1=1, dim2=2)
    diagonal += torch.where(chosen, _RIDGE, 1.0)
    right = torch.where(chosen, target, 0.0)
    return torch.cholesky_solve(right[..., None], torch.linalg.cholesky(matrix))[..., 0]
