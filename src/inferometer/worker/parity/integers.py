"""How many integers of an output may differ from the reference: where two candidates nearly tie, either one is right.

The class of a pixel, the places of the largest scores and a rounded value turn with the last bits of the floats before them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.worker.parity.limits import LIMITS, Limit

MANY = 1000  # values of an output; of fewer a tie is chance
SWAPPED = 2  # values that one tie may change: two neighbours among the largest
TELLING = 0.45  # of the values by which a constant, or another input's answer, differs: `steadiness.MOST`
_MOST = 1 - LIMITS["int8"].equal  # of what the reference's own ambiguity explains


def allowed(expected: Any, limit: Limit, ambiguous: float = 0.0) -> int:
    """Return how many integers may differ; ``ambiguous``: the share that does where the reference is computed otherwise."""
    size = expected.size
    near_ties = max(SWAPPED, limit.ties * size) if size > MANY and limit.ties else 0
    explained = min(ambiguous, _MOST) * size
    doubtful = min(max(near_ties, explained), TELLING * _telling(expected))
    return int(max((1 - limit.equal) * size, doubtful) + 1e-6)


def cause_of(actual: Any, expected: Any, limit: Limit, ambiguous: float) -> str:
    """Return why an output of integers differs by more than may be, or ''."""
    differs = actual != expected
    count = int(np.count_nonzero(differs))
    if not count:
        return ""
    whole_rows = bool(
        np.any(np.mean(differs.reshape(len(expected) if expected.ndim else 1, -1), axis=1) > 0.5)
    )
    most = allowed(expected, limit.without_ties() if whole_rows else limit, ambiguous)
    if count <= most:
        return ""
    return f"{count:,} of {expected.size:,} integers differ, the limit is {most:,}"


def _telling(expected: Any) -> float:
    """Return how many values a constant has wrong at least, or the answers to other inputs where they differ at all."""
    _, counts = np.unique(expected, return_counts=True)
    constant = expected.size - int(counts.max())
    other = np.count_nonzero(expected != np.roll(expected, 1, axis=0)) if expected.ndim else 0
    return float(min(constant, other or constant))
