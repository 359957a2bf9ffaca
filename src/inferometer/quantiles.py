"""Student's t, for everything that says how far off a figure may be; scipy is imported by the first call, not by this file."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFIDENCE = 0.95
SURE_TO_ONE_SIDE = 2 * CONFIDENCE - 1  # two-sided, for a bound that holds with `CONFIDENCE`
_ENDLESS = 1e9  # degrees of freedom from which Student's t is the normal distribution


@functools.lru_cache(maxsize=4096)
def t_quantile(confidence: float, dof: float) -> float:
    """Return the two-sided quantile of Student's t: 12.7 for 95 % and one degree of freedom; infinity: the normal one.

    ValueError for none: then nothing is known of the error.
    """
    if not dof > 0:
        raise ValueError(f"{dof:g} degrees of freedom tell no error")
    from scipy.special import stdtrit

    return float(stdtrit(min(dof, _ENDLESS), 0.5 + confidence / 2))


def t_cdf(value: float, dof: float) -> float:
    """Return the chance that Student's t with ``dof`` degrees of freedom is at most ``value``."""
    from scipy.special import stdtr

    return float(stdtr(min(dof, _ENDLESS), value))


def t_cdfs(values: NDArray[np.float64], dof: float) -> NDArray[np.float64]:
    """Return `t_cdf` of each value."""
    from scipy.special import stdtr

    found: NDArray[np.float64] = stdtr(min(dof, _ENDLESS), values)
    return found
