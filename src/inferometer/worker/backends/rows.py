"""A batch cut along its rows for several threads, each of which copies at the speed of one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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
    return [array] if array.nbytes < _SMALL_BYTES else _split(array, threads)


def _split(array: Array, parts: int) -> list[Array]:
    return [rows for rows in np.array_split(array, parts) if len(rows)]


class Copier:
    """Copies between numpy arrays on several threads, which let go of the interpreter's lock meanwhile."""

    def __init__(self, threads: int) -> None:
        self._threads = copying_threads(threads)
        self._pool = ThreadPoolExecutor(self._threads)

    def copy(self, target: Array, source: Array) -> None:
        """Fill ``target``, of the same shape; numbers are cast to its type on the way."""
        parts = cut(source, self._threads)
        if len(parts) == 1:
            np.copyto(target, source)
        else:  # the target may be small where the source is not
            list(self._pool.map(np.copyto, _split(target, self._threads), parts))
