"""The single inputs that LoadGen asks for by number, and batches made of them."""

from __future__ import annotations

from collections.abc import Sequence

from inferometer.worker.aligned import aligned_like
from inferometer.worker.backend import Batch
from inferometer.worker.data import ImageStack


class Samples:
    """Rows of the stack; each batch size has one buffer, which every batch of that size overwrites."""

    def __init__(self, stack: ImageStack) -> None:
        self._rows = stack.batches(1)
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
        for place in range(size):
            for held, array in zip(buffer, self._rows[numbers[min(place, last)]]):
                held[place] = array[0]
        return buffer
