"""uint8 batches sent in pieces by several threads, each before the batch ahead of it is computed on.

XLA lets a copy to the device wait for all computing that was enqueued before it, since it may be given memory that this
frees (`PjRtStreamExecutorClient`, allocation model "compute synchronized"). A batch that is sent after the one ahead was
launched would be copied after that; sent before, it is copied meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from inferometer.worker.backend import Batch, Outputs, Pipeline
from inferometer.worker.backends.jax_transfer import Pieces, Piecewise


class PiecewisePipeline(Pipeline):
    """``depth`` batches in flight, one of them sent, the others launched.

    ``infer`` takes `Pieces`, joins them on the device, and returns output arrays.
    """

    def __init__(self, sender: Piecewise, infer: Callable[[Pieces], list[Any]], depth: int) -> None:
        self._sender = sender
        self._infer = infer
        self._depth = depth
        self._sent: Pieces | None = None
        self._flying: deque[list[Any]] = deque()

    def submit(self, batch: Batch) -> list[Outputs]:
        """Deliver the oldest batch if all places are taken, send this one, and launch the one sent before it."""
        ready = [self._deliver()] if len(self._flying) == self._depth - 1 else []
        pieces = self._sender.pieces(batch)
        self._launch()
        self._sent = pieces
        return ready

    def drain(self) -> list[Outputs]:
        """Deliver every batch, the oldest first."""
        self._launch()
        return [self._deliver() for _ in range(len(self._flying))]

    def _launch(self) -> None:
        if self._sent is None:
            return
        outputs = self._infer(self._sent)
        for output in outputs:
            output.copy_to_host_async()
        self._flying.append(outputs)
        self._sent = None

    def _deliver(self) -> Outputs:
        return [np.asarray(output) for output in self._flying.popleft()]
