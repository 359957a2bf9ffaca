"""Arrays that begin where every framework can take them without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

ALIGNMENT = (
    64  # bytes; TensorFlow, XLA and OpenVINO load vectors of this size from a tensor's start, numpy gives 16
)


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return a C-ordered array whose first byte is at a multiple of `ALIGNMENT`."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    array: Array = raw[start : start + size].view(dtype).reshape(shape)
    return array


def aligned_like(rows: Array, count: int) -> Array:
    """Return an aligned array for ``count`` rows whose other axes lie in memory in the order of those of ``rows``."""
    axes = [0, *sorted(range(1, rows.ndim), key=lambda axis: -rows.strides[axis])]
    stored = aligned_empty((count, *(rows.shape[axis] for axis in axes[1:])), rows.dtype)
    array: Array = stored.transpose(np.argsort(axes))
    return array


def is_aligned(array: Array) -> bool:
    """Return whether the first byte is at a multiple of `ALIGNMENT`."""
    return bool(array.ctypes.data % ALIGNMENT == 0)
