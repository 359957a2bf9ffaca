"""Measures of a whole output, and how far the reference's own ambiguity widens their limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer.worker.parity import integers
from inferometer.worker.parity.ambiguity import Ambiguity
from inferometer.worker.parity.arrays import is_float, numbers, slope, smallest_cosine
from inferometer.worker.parity.limits import Limit
from inferometer.worker.parity.spread import SMALLEST_MAGNITUDE

MANY_ROWS = 64  # inputs over which a slope's limits were measured
Doubt = tuple[Ambiguity, int, str, int]  # the reference's ambiguity; which output, precision, how many inputs


@dataclass(frozen=True)
class Measures:
    """Of one output, or the worst of several; ``causes`` say which limits were passed."""

    max_abs: float  # largest absolute difference of any element
    max_rel: float  # over the largest absolute reference value (element by element it explodes where a logit is zero)
    cosine: float  # smallest of any row
    top1: float  # share of rows whose arg-max agrees (2-D floats), of equal elements (integers), else 1
    limit_rel: float  # of max_rel, for this model
    cause: str = ""


UNKNOWN = Measures(float("inf"), float("inf"), -1.0, 0.0, 0.0)


def measure(actual: Any, expected: Any, limit: Limit, doubt: Doubt | None = None) -> Measures:
    """Return the measures of one output, ``doubt`` being how far the reference differs from itself."""
    a, e = numbers(actual), numbers(expected)
    max_abs = float(np.max(np.abs(a - e)))
    if not is_float(expected):
        ambiguous = doubt[0].differing(doubt[1], doubt[2]) if doubt else 0.0
        cause = integers.cause_of(a, e, limit, ambiguous)
        return Measures(max_abs, 0.0, 1.0, float(np.mean(a == e)), limit.max_rel, cause)
    scale = float(np.max(np.abs(e)))
    max_rel = max_abs / scale if scale >= SMALLEST_MAGNITUDE else max_abs
    found = Measures(max_abs, max_rel, smallest_cosine(a, e), _top1(a, e), limit.max_rel)
    return _judged(found, limit, scale, slope(a, e), doubt)


def worst(measures: list[Measures]) -> Measures:
    """Return the worst of each measure, and the first cause."""
    return Measures(
        max(m.max_abs for m in measures),
        max(m.max_rel for m in measures),
        min(m.cosine for m in measures),
        min(m.top1 for m in measures),
        max(m.limit_rel for m in measures),
        next((m.cause for m in measures if m.cause), ""),
    )


def _judged(found: Measures, limit: Limit, scale: float, gain: float, doubt: Doubt | None) -> Measures:
    max_rel, cosine, off = limit.max_rel, limit.cosine, limit.gain
    if doubt:
        ambiguity, output, precision, rows = doubt
        max_rel = max(max_rel, ambiguity.largest(output, precision) / max(scale, SMALLEST_MAGNITUDE))
        cosine = min(cosine, ambiguity.cosine(output, precision))
        few = math.sqrt(
            max(1.0, MANY_ROWS / rows)
        )  # a slope of few inputs is their errors' more than the framework's
        off = max(off, few * ambiguity.gain(output, precision))
    cause = ""
    if not found.max_rel <= max_rel:
        cause = f"relative error {found.max_rel:.2e} is above the limit {max_rel:.0e}"
    elif not found.cosine >= cosine:
        cause = f"cosine {found.cosine:.6f} is below the limit {cosine:.6g}"
    elif not abs(gain - 1) <= off:
        cause = f"the outputs are the reference's times {gain:.4f}, the limit is 1 +- {off:.1g}"
    return Measures(found.max_abs, found.max_rel, found.cosine, found.top1, max_rel, cause)


def _top1(actual: Any, expected: Any) -> float:
    if expected.ndim != 2 or expected.shape[1] < 2:
        return 1.0
    return float(np.mean(np.argmax(actual, axis=1) == np.argmax(expected, axis=1)))
