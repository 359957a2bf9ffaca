"""A batch cut along its rows for several threads, each of which copies at the speed of one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MOST_THREADS = 8  # one fills pinned memory at about 10 GB/s; a fast GPU wants several times that
PART_BYTES = 2 << 20  # at least, for a thread: waking one takes as long as it needs to copy half of that


def copying_threads(threads: int) -> int:
    """Return how many of ``threads`` copy."""
    return max(1, min(MOST_THREADS, threads))


def cut(array: Array, threads: int) -> list[Array]:
    """Return views of the rows for at most so many threads, in order; a small array stays whole."""
    return _split(array, _parts(array, threads))


def _parts(array: Array, threads: int) -> int:
    return max(1, min(threads, len(array), array.nbytes // PART_BYTES))


def _split(array: Array, parts: int) -> list[Array]:
    return [array] if parts == 1 else np.array_split(array, parts)


class Copier:
    """Copies between numpy arrays on several threads, which let go of the interpreter's lock meanwhile."""

    def __init__(self, threads: int) -> None:
        self._threads = copying_threads(threads)
        self._pool = ThreadPoolExecutor(self._threads)

    def copy(self, target: Array, source: Array) -> None:
        """Fill ``target``, of the same shape; numbers are cast to its type on the way."""
        parts = _parts(source, self._threads)
        if parts == 1:
            np.copyto(target, source)
        else:
            list(self._pool.map(np.copyto, _split(target, parts), _split(source, parts)))
