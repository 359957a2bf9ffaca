"""How batches get to JAX's device: whole, or in pieces that XLA copies side by side and that are joined there."""

from __future__ import annotations

from typing import Any

from inferometer.worker.backend import Batch
from inferometer.worker.backends.parts.copier import copying_threads, cut

Pieces = list[list[Any]]  # for each input its rows on the device, cut along the batch


class Whole:
    """One `device_put` of the batch: on the CPU without a copy, to a GPU at the speed of one thread."""

    def __init__(self, jax: Any, device: Any) -> None:
        self._jax, self._device = jax, device

    def send(self, batch: Batch) -> list[Any]:
        """Start copying a batch to the device; return its arrays there."""
        return list(self._jax.device_put(batch, self._device))


class Piecewise(Whole):
    """Every piece is copied into page-locked memory by a thread of XLA's own: at most eight, of 2 MiB or more.

    Threads of ours would have to wake and to be waited for, which a crowded machine makes slow.
    """

    def __init__(self, jax: Any, device: Any, threads: int) -> None:
        super().__init__(jax, device)
        self._most_pieces = copying_threads(threads)
        self._join = jax.jit(jax.numpy.concatenate)

    def send(self, batch: Batch) -> list[Any]:
        """Send in pieces, and join those on the device."""
        return [self._join(rows) if len(rows) > 1 else rows[0] for rows in self.pieces(batch)]

    def pieces(self, batch: Batch) -> Pieces:
        """Start copying a batch to the device in pieces; a small array stays whole."""
        parts = [cut(array, self._most_pieces) for array in batch]
        return list(self._jax.device_put(parts, self._device))
