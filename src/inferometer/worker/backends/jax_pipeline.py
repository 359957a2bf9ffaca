"""uint8 batches sent in pieces by several threads; JAX's own queues let copies and computation overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from inferometer.worker.backend import Batch, Outputs, Pipeline

BUFFERS = 3  # one being sent, one computed on, one on its way back
MOST_THREADS = (
    8  # device_put stages in pinned memory at one thread's speed, which a fast GPU outruns several times
)
_SMALL_BYTES = 1 << 20  # below, handing work to threads costs more than it saves

Pieces = list[list[Any]]  # for each input its rows on the device, cut along the batch


class PiecewisePipeline(Pipeline):
    """`BUFFERS` batches in flight; `infer` takes `Pieces`, joins them on the device, and returns output arrays."""

    def __init__(self, jax: Any, device: Any, infer: Callable[[Pieces], list[Any]], threads: int) -> None:
        self._jax = jax
        self._device = device
        self._infer = infer
        self._threads = max(1, min(MOST_THREADS, threads))
        self._pool = ThreadPoolExecutor(self._threads)
        self._flying: deque[list[Any]] = deque()

    def submit(self, batch: Batch) -> list[Outputs]:
        """Deliver the oldest batch if all places are taken, then start on this one."""
        ready = [self._deliver()] if len(self._flying) == BUFFERS else []
        outputs = self._infer(self.send(batch))
        for output in outputs:
            output.copy_to_host_async()
        self._flying.append(outputs)
        return ready

    def drain(self) -> list[Outputs]:
        """Deliver every batch, the oldest first."""
        return [self._deliver() for _ in range(len(self._flying))]

    def _deliver(self) -> Outputs:
        return [np.asarray(output) for output in self._flying.popleft()]

    def send(self, batch: Batch) -> Pieces:
        """Start copying a batch to the device."""
        return [list(self._pool.map(self._put, self._cut(array))) for array in batch]

    def _put(self, rows: np.ndarray[Any, Any]) -> Any:
        return self._jax.device_put(rows, self._device)

    def _cut(self, array: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        if array.nbytes < _SMALL_BYTES:
            return [array]
        return [rows for rows in np.array_split(array, self._threads) if len(rows)]
