"""The verdict: same number of outputs, same shapes, all finite, and every output and slice within its limit.

The arg-max of float outputs is judged by what the errors of the other classes explain (`agreement`): classes that nearly
tie swap in lower precisions rightly. A comparison that could not fail is refused (`SpreadError`): if a constant, or one
answer for every input, would pass too, the set-up is wrong (uncalibrated weights, identical inputs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from inferometer.worker.parity import agreement
from inferometer.worker.parity.ambiguity import Ambiguity
from inferometer.worker.parity.arrays import is_float, numbers
from inferometer.worker.parity.limits import Limit, coarser, limit_of, tolerant
from inferometer.worker.parity.measures import UNKNOWN, Measures, measure, worst
from inferometer.worker.parity.slice_error import Doubt, SliceError, causes, worst_slices
from inferometer.worker.parity.spread import check_judgeable
from inferometer.worker.parity.steadiness import check_ambiguity

__all__ = ["check_judgeable", "compare"]


def compare(
    outputs: Sequence[Any],
    reference: Sequence[Any],
    precision: str,
    distinct: int | None = None,
    *,
    ambiguity: Ambiguity | None = None,
    stored: str = "",
    tolerance: float | None = None,
) -> dict[str, Any]:
    """Return the fields of `records.Parity` for ``outputs`` against ``reference`` (arrays with rows first).

    ``distinct``: how many leading rows are distinct, where the rest repeats them; the default is all. ``stored``: the
    precision inside the model's file, where it is coarser. ``tolerance``: the relative error that the user allows,
    instead of every limit. SpreadError if ``reference`` is not judgeable; ValueError for an unknown precision.
    """
    precision = coarser(precision, stored)
    limit = limit_of(precision) if tolerance is None else tolerant(limit_of(precision), tolerance)
    doubt = ambiguity if tolerance is None else None
    expected = [np.asarray(array) for array in reference]
    check_judgeable([array[:distinct] if array.ndim else array for array in expected], precision)
    if doubt:
        check_ambiguity(doubt, precision)
    actual = [np.asarray(array) for array in outputs]
    facts = {"images": _rows(expected), "tolerance": tolerance}
    cause = _shape_cause(actual, expected) or _finite_cause(actual)
    if cause:
        return {**_fields(replace(UNKNOWN, limit_rel=limit.max_rel, cause=cause)), **facts}
    found = _judged(actual, expected, limit, distinct, doubt=(doubt, precision))
    if found["passed"] and tolerance is None:
        cause = agreement.swap_cause(actual, expected, limit.unit)
    return {**found, "passed": found["passed"] and not cause, "cause": found["cause"] or cause, **facts}


def _judged(
    actual: list[Any], expected: list[Any], limit: Limit, distinct: int | None, *, doubt: Doubt
) -> dict[str, Any]:
    """Return measures, the furthest slice and the agreement of finite outputs of the right shapes."""
    ambiguity, precision = doubt
    rows = min(_rows(expected), distinct or _rows(expected))
    pairs = list(enumerate(zip(actual, expected)))
    measures = worst(
        [
            measure(a, e, limit, (ambiguity, index, precision, rows) if ambiguity else None)
            for index, (a, e) in pairs
        ]
    )
    slices = [
        found
        for index, (a, e) in pairs
        if is_float(e)
        for found in worst_slices(numbers(a), numbers(e), limit, index, distinct, doubt=doubt)
    ]
    furthest = max(slices, key=lambda item: item.excess, default=None)
    cause = "; ".join(filter(None, (measures.cause, *causes(slices))))
    return {**_fields(measures, cause), **_slice_fields(furthest), **agreement.of(actual, expected, distinct)}


def _fields(measures: Measures, cause: str = "") -> dict[str, Any]:
    cause = cause or measures.cause
    return {
        "passed": not cause,
        "max_abs": measures.max_abs if np.isfinite(measures.max_abs) else None,
        "max_rel": measures.max_rel if np.isfinite(measures.max_rel) else None,
        "cosine": measures.cosine,
        "top1": measures.top1,
        "limit_rel": measures.limit_rel,
        "cause": cause,
    }


def _slice_fields(found: SliceError | None) -> dict[str, Any]:
    if not found:
        return {}
    return {
        "worst_slice": found.name,
        "slice_rel": found.error if np.isfinite(found.error) else None,
        "slice_limit": found.limit if np.isfinite(found.limit) else None,
    }


def _shape_cause(actual: list[Any], expected: list[Any]) -> str:
    if len(actual) != len(expected):
        return f"{len(actual)} outputs, the reference has {len(expected)}"
    for index, (a, e) in enumerate(zip(actual, expected)):
        if a.shape != e.shape:
            return f"output {index} has shape {a.shape}, the reference {e.shape}"
        if a.dtype.kind not in "fiub" and a.dtype.name != "bfloat16":
            return f"output {index} has dtype {a.dtype}, which holds no numbers"
    return ""


def _finite_cause(actual: list[Any]) -> str:
    for index, array in enumerate(actual):
        bad = int(np.count_nonzero(~np.isfinite(numbers(array))))
        if bad:
            return f"output {index} has {bad} of {array.size} values NaN or infinite"
    return ""


def _rows(arrays: list[Any]) -> int:
    return int(arrays[0].shape[0]) if arrays[0].ndim else 1
