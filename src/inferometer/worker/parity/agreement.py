"""Of how many inputs the top class is the reference's, where outputs are class scores.

Which outputs are scores is decided by evidence, since no file says so: 2-D floats with two classes or more, whose rows are
no unit vectors (embeddings), no positive features beyond 1, and whose largest class is not the same for every input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from inferometer.worker.parity.arrays import is_float, numbers

LEAST_ROWS = 16  # below, one class for every input may be chance
LEAST_CLASSES = 8  # of which all but two tell how large the errors are
HEAVY = 1.25  # times the rms error: of right bf16 and int8 kernels up to 1.4 times as many swap as at 1 (docs/models.md)


def of(actual: Sequence[Any], expected: Sequence[Any], distinct: int | None = None) -> dict[str, Any]:
    """Return `agree_k` of `agree_n` distinct inputs, of the output that agrees least, or why it does not apply."""
    counts, reasons = [], []
    for index, (a, e) in enumerate(zip(actual, expected)):
        first = slice(0, distinct) if e.ndim else slice(None)
        reason = no_scores(e[first]) if e.ndim else "a single number"
        if reason:
            reasons.append(f"output {index}: {reason}")
        else:
            same = _top(a[first]) == _top(e[first])
            counts.append((int(np.count_nonzero(same)), len(same)))
    if not counts:
        return {"agreement": "does not apply: " + "; ".join(reasons[:3])}
    k, n = min(counts)
    return {"agree_k": k, "agree_n": n}


def no_scores(reference: Any) -> str:
    """Return why an output is no class scores or label, or ''. Rows first."""
    values = numbers(reference).reshape(len(reference), -1)
    width = values.shape[1]
    if not is_float(reference):
        return "" if width == 1 and np.ptp(values) > 0 else "integers, not one label an input"
    if max(reference.shape[1:], default=1) != width:
        return f"shape {reference.shape}, not one row of scores an input"
    return "one value an input" if width < 2 else _no_class_scores(values)


def _no_class_scores(values: Any) -> str:
    """Return what a table of floats is, where its values tell that it is no class scores."""
    if np.all(np.abs(np.linalg.norm(values, axis=1) - 1) < 1e-3) and np.any(values < 0):
        return "unit vectors (an embedding)"
    if np.min(values) >= 0 and np.max(values) > 1 + 1e-3:
        return "no negative value and some above 1 (features)"
    if len(values) >= LEAST_ROWS and np.ptp(np.argmax(values, axis=1)) == 0:
        return "the largest is the same for every input"
    return ""


def swap_cause(actual: Sequence[Any], expected: Sequence[Any], unit: float) -> str:
    """Return why more top classes differ than the errors of the other classes explain, or ''.

    A row's margin m between its two largest scores is swapped by normal errors of deviation s with the probability
    erfc(m / 2s) / 2. ``unit``: largest relative error of storing a score.
    """
    for index, (a, e) in enumerate(zip(actual, expected)):
        if not e.ndim or not is_float(e) or no_scores(e) or e[0].size < LEAST_CLASSES:
            continue
        differ, explained = _swaps(numbers(a).reshape(len(e), -1), numbers(e).reshape(len(e), -1), unit)
        if differ > explained + 4 * math.sqrt(explained) + (len(e) >= LEAST_ROWS):
            return (
                f"output {index}: the top class differs for {differ} of {len(e)} inputs, where the errors of the other "
                f"classes explain {explained:.1f}"
            )
    return ""


def _swaps(actual: Any, expected: Any, unit: float) -> tuple[int, float]:
    """Return how many rows' top classes differ, and how many the errors of all but the two largest explain."""
    rows = np.arange(len(expected))[:, None]
    largest = np.argsort(expected, axis=1)[:, -2:]
    squares = (actual - expected) ** 2
    squares[rows, largest] = 0
    deviation = np.sqrt(np.sum(squares, axis=1) / (expected.shape[1] - 2))
    top = expected[rows, largest]
    storage = unit * np.max(np.abs(top), axis=1)
    noise = HEAVY * np.sqrt(np.maximum(deviation, np.median(deviation)) ** 2 + storage**2)
    margin = top[:, 1] - top[:, 0]
    explained = sum(
        0.5 * math.erfc(m / (2 * s)) if s > 0 else (0.5 if m == 0 else 0.0) for m, s in zip(margin, noise)
    )
    differ = np.argmax(actual, axis=1) != np.argmax(expected, axis=1)
    return int(np.count_nonzero(differ & (margin > 0))), explained


def _top(array: Any) -> Any:
    values = numbers(array).reshape(len(array), -1)
    return np.argmax(values, axis=1) if values.shape[1] > 1 else values[:, 0]
