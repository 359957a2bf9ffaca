"""uint8 batches sent in pieces, each well before the batches ahead of it are computed on.

XLA lets a copy to the device wait for all computing that was enqueued before it, since it may be given memory that this
frees (`PjRtStreamExecutorClient`, allocation model "compute synchronized"). A batch that is sent after the one ahead was
launched would be copied after that; sent before, it is copied meanwhile. And a launch waits on the host until XLA's
threads have passed on every piece: sent two batches before, one of them may be held up for a batch's time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from inferometer.worker.backend import Batch, Outputs, Pipeline
from inferometer.worker.backends.parts.jax_transfer import Pieces, Piecewise

AHEAD = 2  # batches sent and not launched


class PiecewisePipeline(Pipeline):
    """``depth`` batches in flight: two at least launched, of the others the latest ``ahead`` sent only.

    ``infer`` takes `Pieces`, joins them on the device, and returns output arrays.
    """

    def __init__(
        self, sender: Piecewise, infer: Callable[[Pieces], list[Any]], depth: int, ahead: int = AHEAD
    ) -> None:
        self._sender = sender
        self._infer = infer
        self._depth = depth
        # with two launched the device computes while one is delivered
        self._ahead = max(0, min(ahead, depth - 2))
        self._sent: deque[Pieces] = deque()
        self._launched: deque[list[Any]] = deque()

    def submit(self, batch: Batch) -> list[Outputs]:
        """Deliver the oldest batch if all places are taken, send this one, and launch the oldest one sent."""
        full = len(self._sent) + len(self._launched) == self._depth
        ready = [self._deliver()] if full else []
        self._sent.append(self._sender.pieces(batch))
        if len(self._sent) > self._ahead:
            self._launch()
        return ready

    def drain(self) -> list[Outputs]:
        """Deliver every batch, the oldest first."""
        while self._sent:
            self._launch()
        return [self._deliver() for _ in range(len(self._launched))]

    def _launch(self) -> None:
        outputs = self._infer(self._sent.popleft())
        for output in outputs:
            output.copy_to_host_async()
        self._launched.append(outputs)

    def _deliver(self) -> Outputs:
        return [np.asarray(output) for output in self._launched.popleft()]
