"""A batch cut along its rows for several threads, each of which copies at the speed of one."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MOST_THREADS = 8  # one fills pinned memory at about 10 GB/s; a fast GPU wants several times that
_SMALL_BYTES = 1 << 20  # below, handing work to threads costs more than it saves


def copying_threads(threads: int) -> int:
    """Return how many of ``threads`` copy."""
    return max(1, min(MOST_THREADS, threads))


def cut(array: Array, threads: int) -> list[Array]:
    """Return views of the rows for so many threads, in order; a small array stays whole."""
    if array.nbytes < _SMALL_BYTES:
        return [array]
    return [rows for rows in np.array_split(array, threads) if len(rows)]
