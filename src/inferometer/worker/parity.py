"""How far a framework's outputs are from the reference; pure numpy, so that worker and core judge alike.

Measures, each the worst over all outputs of a model:
    max_abs   largest absolute difference of any element
    max_rel   max_abs over the largest absolute value of that reference output (a norm-wise error: an element-wise
              one explodes where a logit crosses zero)
    cosine    smallest cosine similarity of any row (image)
    top1      share of rows whose arg-max agrees, for 2-D float outputs with at least two classes; share of equal
              elements for integer outputs; 1.0 otherwise
Passed means: same number of outputs, same shapes, all finite, and within `LIMITS`. The arg-max of float outputs is
told, not judged: within max_rel only classes that nearly tie can swap, and those swap in lower precisions rightly.

A comparison that could not fail is refused (`SpreadError`): if a constant, or one answer for every input, would pass
too, then the set-up is wrong (uncalibrated weights, identical inputs), and agreement says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SMALLEST_MAGNITUDE = (
    1e-6  # below, activations near the denormals (1e-38 to 1e-45) are likely, and speed suffers too
)


@dataclass(frozen=True)
class Limit:
    """What one precision may differ from fp32: largest max_rel, smallest cosine, smallest share of equal integers."""

    max_rel: float
    cosine: float
    equal: float


# fp32: nearly four times the largest error of a correct conversion of keras.applications (2.8e-5, InceptionV3; the median is
# 5e-6), below the rounding of TF32 alone (2^-11 = 5e-4). bf16: above the largest measured (1.6e-1, cosine 0.985, InceptionV3 with random weights).
# fp16 and tf32 have three bits more than bf16: an eighth of its error, doubled. int8: the reference is the quantised file
# in float, so only its execution is judged: between three times the largest error of right kernels (3.1e-2) and the
# smallest of wrong ones (2.0e-1, whose 16-bit sums overflow), both by ONNX Runtime on the CPU.
# A wrong weight, layout or preprocessing gives 0.3 to 2. docs/models.md lists the measurements.
LIMITS: dict[str, Limit] = {
    "fp32": Limit(1e-4, 0.99999, 1.0),  # 24-bit significand; only the order of summation differs
    "tf32": Limit(4e-2, 0.999, 0.99),  # 11-bit significand of the factors, fp32 sums
    "fp16": Limit(4e-2, 0.999, 0.99),  # 11-bit significand of the factors and the activations
    "bf16": Limit(2.5e-1, 0.975, 0.95),  # 8-bit significand; untrained networks amplify it, trained ones less
    "int8": Limit(1e-1, 0.99, 0.9),  # 255 steps over each tensor's range, the same in the reference
}


class SpreadError(ValueError):
    """The reference cannot tell right from wrong: an error of the set-up, never a pass."""


def compare(
    outputs: Sequence[Any], reference: Sequence[Any], precision: str, distinct: int | None = None
) -> dict[str, Any]:
    """Return the fields of `records.Parity` for ``outputs`` against ``reference`` (arrays with rows first).

    ``distinct``: how many leading rows are distinct, where the rest repeats them; the default is all.
    SpreadError if ``reference`` is not judgeable at this precision; ValueError for an unknown precision.
    """
    limit = limit_of(precision)
    expected = [np.asarray(array) for array in reference]
    check_judgeable([array[:distinct] if array.ndim else array for array in expected], precision)
    actual = [np.asarray(array) for array in outputs]
    cause = _shape_cause(actual, expected) or _finite_cause(actual)
    if cause:
        return _verdict(limit, _rows(expected), cause, _Measures(float("inf"), float("inf"), -1.0, 0.0, 0.0))
    measures = _worst([_measure(a, e) for a, e in zip(actual, expected)])
    return _verdict(limit, _rows(expected), _limit_cause(measures, limit), measures)


def limit_of(precision: str) -> Limit:
    """Return the limits of a precision; ValueError names the known ones."""
    if precision not in LIMITS:
        raise ValueError(f"no parity limits for precision '{precision}' (known: {', '.join(LIMITS)})")
    return LIMITS[precision]


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
        if not np.all(np.isfinite(_numbers(array))):
            raise SpreadError(f"reference output {index} contains NaN or infinity: check weights and inputs")
    causes = [_spread_cause(array, limit) for array in arrays]
    if all(causes):
        raise SpreadError(f"the reference's outputs cannot be judged: {causes[0]}")


def _spread_cause(array: Any, limit: Limit) -> str:
    """Return why an output tells nothing, or '' if it does."""
    values = _numbers(array)
    scale = float(np.max(np.abs(values)))
    if not _is_float(array):
        return "" if float(np.ptp(values)) > 0 else "every integer output is the same"
    if scale < SMALLEST_MAGNITUDE:
        return f"largest absolute value {scale:.1e} is below {SMALLEST_MAGNITUDE:.0e} (uncalibrated weights?)"
    deviation = float(np.max(np.abs(values - np.mean(values)))) / scale
    if deviation <= limit.max_rel:
        return f"all values are within {deviation:.1e} of one constant, the limit is {limit.max_rel:.0e}"
    if values.ndim and values.shape[0] > 1:
        between = float(np.max(np.abs(values - np.mean(values, axis=0)))) / scale
        if between <= limit.max_rel:
            return f"all rows are within {between:.1e} of one answer, the limit is {limit.max_rel:.0e}"
    return ""


@dataclass(frozen=True)
class _Measures:
    max_abs: float
    max_rel: float
    cosine: float
    top1: float
    equal: float  # share of equal elements of integer outputs


def _measure(actual: Any, expected: Any) -> _Measures:
    a, e = _numbers(actual), _numbers(expected)
    max_abs = float(np.max(np.abs(a - e)))
    if not _is_float(expected):
        equal = float(np.mean(a == e))
        return _Measures(max_abs, 0.0, 1.0, equal, equal)
    scale = float(np.max(np.abs(e)))
    max_rel = max_abs / scale if scale >= SMALLEST_MAGNITUDE else max_abs
    return _Measures(max_abs, max_rel, _cosine(a, e), _top1(a, e), 1.0)


def _cosine(actual: Any, expected: Any) -> float:
    rows = expected.shape[0] if expected.ndim else 1
    a, e = actual.reshape(rows, -1), expected.reshape(rows, -1)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(e, axis=1)
    dots = np.sum(a * e, axis=1)
    both_zero = (np.linalg.norm(a, axis=1) == 0) & (np.linalg.norm(e, axis=1) == 0)
    cosines = np.where(both_zero, 1.0, dots / np.where(norms > 0, norms, 1.0))
    return float(np.clip(np.min(cosines), -1.0, 1.0))


def _top1(actual: Any, expected: Any) -> float:
    if expected.ndim != 2 or expected.shape[1] < 2:
        return 1.0
    return float(np.mean(np.argmax(actual, axis=1) == np.argmax(expected, axis=1)))


def _worst(measures: list[_Measures]) -> _Measures:
    return _Measures(
        max(m.max_abs for m in measures),
        max(m.max_rel for m in measures),
        min(m.cosine for m in measures),
        min(m.top1 for m in measures),
        min(m.equal for m in measures),
    )


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
        bad = int(np.count_nonzero(~np.isfinite(_numbers(array))))
        if bad:
            return f"output {index} has {bad} of {array.size} values NaN or infinite"
    return ""


def _limit_cause(measures: _Measures, limit: Limit) -> str:
    if not measures.max_rel <= limit.max_rel:
        return f"relative error {measures.max_rel:.2e} is above the limit {limit.max_rel:.0e}"
    if not measures.cosine >= limit.cosine:
        return f"cosine {measures.cosine:.6f} is below the limit {limit.cosine}"
    if not measures.equal >= limit.equal:
        return f"{measures.equal:.1%} of the integer outputs agree, the limit is {limit.equal:.0%}"
    return ""


def _verdict(limit: Limit, rows: int, cause: str, measures: _Measures) -> dict[str, Any]:
    return {
        "passed": not cause,
        "max_abs": measures.max_abs if np.isfinite(measures.max_abs) else None,
        "max_rel": measures.max_rel if np.isfinite(measures.max_rel) else None,
        "cosine": measures.cosine,
        "top1": measures.top1,
        "limit_rel": limit.max_rel,
        "images": rows,
        "cause": cause,
    }


def _rows(arrays: list[Any]) -> int:
    return int(arrays[0].shape[0]) if arrays[0].ndim else 1


def _is_float(array: Any) -> bool:
    return bool(array.dtype.kind == "f" or array.dtype.name == "bfloat16")


def _numbers(array: Any) -> Any:
    return array.astype(np.float64)
