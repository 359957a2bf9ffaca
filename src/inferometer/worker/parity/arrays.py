"""What the parts of parity ask of an output."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_float(array: Any) -> bool:
    """Return whether an output holds floats of any width."""
    return bool(array.dtype.kind == "f" or array.dtype.name == "bfloat16")


def numbers(array: Any) -> Any:
    """Return an output in double precision."""
    return array.astype(np.float64)


def smallest_cosine(actual: Any, expected: Any) -> float:
    """Return the smallest cosine similarity of any row; 1 for two rows of zeros."""
    rows = expected.shape[0] if expected.ndim else 1
    a, e = actual.reshape(rows, -1), expected.reshape(rows, -1)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(e, axis=1)
    dots = np.sum(a * e, axis=1)
    both_zero = (np.linalg.norm(a, axis=1) == 0) & (np.linalg.norm(e, axis=1) == 0)
    cosines = np.where(both_zero, 1.0, dots / np.where(norms > 0, norms, 1.0))
    return float(np.clip(np.min(cosines), -1.0, 1.0))


def slope(outputs: Any, reference: Any) -> float:
    """Return the slope of outputs over the reference, both around their means over rows; 1 where nothing varies."""
    a, e = np.asarray(outputs, np.float64), np.asarray(reference, np.float64)
    if e.ndim and len(e) > 1:
        a, e = a - np.mean(a, axis=0), e - np.mean(e, axis=0)
    square = float(np.sum(e * e))
    return float(np.sum(a * e)) / square if square > 0 else 1.0
