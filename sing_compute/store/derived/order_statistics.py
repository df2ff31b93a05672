"""Find the order statistics between which the interval of a median lies; the writer of a file and `verify` use the same ones."""

import math
from functools import cache

LEVEL = 0.95
"""Probability that an interval holds the true value."""


@cache
def order_rule(count: int) -> tuple[int, float]:
    """Return the rank of the outer order statistic, from 1, and the share of the way from it to the next inner one.

    Args:
        count: Number of values.
    """
    tail = below = 0.0
    for rank in range(max(0, int(count / 2 - 6 * math.sqrt(count))), count):
        ways = math.lgamma(count + 1) - math.lgamma(rank + 1) - math.lgamma(count - rank + 1)
        below, tail = tail, tail + math.exp(ways - count * math.log(2))
        if 2 * tail > 1 - LEVEL:
            break
    if rank == 0:
        return 1, 0.0
    share = (1 - LEVEL - 2 * below) / (2 * (tail - below))
    return rank, (count - rank) * share / (rank + (count - 2 * rank) * share)
