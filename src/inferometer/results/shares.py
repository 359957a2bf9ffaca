"""Shares of inputs, with what so few inputs can say."""

from __future__ import annotations

import math

from inferometer.quantiles import CONFIDENCE, t_quantile


def wilson(k: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share seen in ``k`` of ``n`` (Wilson 1927): 4 of 4 is [0.51, 1], 64 of 64 [0.94, 1].

    It holds for independent inputs; parts of one photo are less than that.
    """
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"{k} of {n} is no share")
    z = t_quantile(CONFIDENCE, math.inf)
    share, square = k / n, z * z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return (0.0 if k <= 0 else centre - half), (1.0 if k >= n else centre + half)
