"""The single inputs that LoadGen asks for by number, and batches made of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from inferometer.worker.aligned import aligned_like
from inferometer.worker.backend import Batch
from inferometer.worker.backends.parts.copier import PART_BYTES, copying_threads
from inferometer.worker.data import ImageStack


class Samples:
    """Rows of the stack; each batch size has one buffer, which every batch of that size overwrites.

    Large batches are filled on several threads, as a framework fills its pinned memory: one would be slower than a GPU.
    """

    def __init__(self, stack: ImageStack, threads: int = 1) -> None:
        self._rows = stack.batches(1)
        self._row_bytes = sum(array.nbytes for array in self._rows[0])
        self._threads = copying_threads(threads)
        self._pool = ThreadPoolExecutor(self._threads)
        self._buffers: dict[int, Batch] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, numbers: Sequence[int], size: int) -> Batch:
        """Return a batch of ``size`` rows: the samples of these numbers, then the last of them as often as needed."""
        if size == 1:
            return self._rows[numbers[0]]  # as the closed loop feeds it, without a copy
        if size not in self._buffers:
            self._buffers[size] = tuple(aligned_like(array, size) for array in self._rows[0])
        buffer, last = self._buffers[size], len(numbers) - 1

        def fill(first: int) -> None:
            for place in range(first, size, parts):
                for held, array in zip(buffer, self._rows[numbers[min(place, last)]]):
                    held[place] = array[0]

        parts = max(1, min(self._threads, size * self._row_bytes // PART_BYTES))
        if parts == 1:
            fill(0)
        else:
            list(self._pool.map(fill, range(parts)))
        return buffer
