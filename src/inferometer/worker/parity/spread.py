"""Whether a reference can tell right from wrong at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inferometer.worker.failures import Unsupported
from inferometer.worker.parity.arrays import is_float, numbers
from inferometer.worker.parity.limits import Limit, limit_of
from inferometer.worker.parity.slices import cuts, deviations

SMALLEST_MAGNITUDE = (
    1e-6  # below, activations near the denormals (1e-38 to 1e-45) are likely, and speed suffers too
)
LEAST_UNITS = 64.0  # of the last place: fp32 4e-6, fp16 3e-2, bf16 2.5e-1


class SpreadError(Unsupported, ValueError):
    """The reference cannot tell right from wrong: an error of the set-up, never a pass."""


def check_judgeable(reference: Sequence[Any], precision: str = "fp32") -> None:
    """Raise SpreadError unless a constant, and one answer for all rows, would fail against ``reference``.

    One judgeable output of several is enough (a detector's fixed anchors beside its scores are no fault).
    """
    limit = limit_of(precision)
    arrays = [np.asarray(array) for array in reference]
    if not arrays:
        raise SpreadError("the reference has no outputs")
    for index, array in enumerate(arrays):
        if array.size == 0:
            raise SpreadError(f"reference output {index} is empty: shape {array.shape}")
        if not np.all(np.isfinite(numbers(array))):
            raise SpreadError(f"reference output {index} contains NaN or infinity: check weights and inputs")
    causes = [_spread_cause(array, limit) for array in arrays]
    if all(causes):
        raise SpreadError(f"the reference's outputs cannot be judged: {causes[0]}")


def _spread_cause(array: Any, limit: Limit) -> str:
    """Return why an output tells nothing, or '' if it does."""
    values = numbers(array)
    scale = float(np.max(np.abs(values)))
    if not is_float(array):
        return "" if float(np.ptp(values)) > 0 else "every integer output is the same"
    if scale < SMALLEST_MAGNITUDE:
        return f"largest absolute value {scale:.1e} is below {SMALLEST_MAGNITUDE:.0e} (uncalibrated weights?)"
    if _differs_somewhere(values, limit):
        return ""
    deviation = float(np.max(np.abs(values - np.mean(values)))) / scale
    if deviation <= limit.max_rel:
        return f"all values are within {deviation:.1e} of one constant, the limit is {limit.max_rel:.0e}"
    if values.ndim and values.shape[0] > 1:
        between = float(np.max(np.abs(values - np.mean(values, axis=0)))) / scale
        if between <= limit.max_rel:
            return f"all rows are within {between:.1e} of one answer, the limit is {limit.max_rel:.0e}"
    return ""


def _differs_somewhere(values: Any, limit: Limit) -> bool:
    """Return whether the inputs change any channel by much more than storing it does, however large the others are."""
    if not values.ndim or len(values) < 2:
        return False
    spread = deviations(values)
    channels = [cut for cut in cuts(values.shape, len(values)) if cut.axis]
    return any(
        bool(np.any(cut.means(spread) > (LEAST_UNITS * limit.unit) ** 2 * cut.means(values**2)))
        for cut in channels
    )
