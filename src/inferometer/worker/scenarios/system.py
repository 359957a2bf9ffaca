"""The system under test: a backend that answers batches, and an account of what it did."""

from __future__ import annotations

import time
import traceback
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Optional

from inferometer.worker.backend import Outputs
from inferometer.worker.modes import Mode
from inferometer.worker.scenarios.queue import BatchQueue, Request
from inferometer.worker.scenarios.samples import Samples

Answer = Callable[[Sequence[Request], Optional[Outputs]], None]  # noqa: UP045  (evaluated, also by Python 3.9)
_clock = time.monotonic_ns


class System:
    """Answers requests in batches of the sizes that were prepared; after an error it only answers, so that the test can end."""

    def __init__(self, mode: Mode, samples: Samples, sizes: Sequence[int], answer: Answer) -> None:
        self._mode, self._samples, self._answer = mode, samples, answer
        self._sizes = sorted(sizes)
        self.error: BaseException | None = None
        self.busy_ns = 0
        self.batches: dict[int, int] = {}  # how many of each size, filled up or not
        self.rows = 0
        self.padded = 0

    @property
    def largest(self) -> int:
        """Return the largest batch that it takes at once."""
        return self._sizes[-1]

    def serve(self, requests: Sequence[Request]) -> tuple[int, int]:
        """Answer requests as one batch; return when that began and ended (ns)."""
        start = _clock()
        outputs = self._outputs(requests) if self.error is None else None
        self._answer(requests, outputs)
        end = _clock()
        self.busy_ns += end - start
        return start, end

    def serve_all(self, requests: Sequence[Request]) -> None:
        """Answer requests that came together, in as few batches as there can be."""
        for start in range(0, len(requests), self.largest):
            self.serve(requests[start : start + self.largest])

    def serve_queue(self, queue: BatchQueue) -> array[int]:
        """Answer batches until the queue is closed; return of each its begin and end (ns), its requests and its size."""
        log = array("q")
        while batch := queue.next_batch():
            log.extend((*self.serve(batch), len(batch), self.size_for(len(batch))))
        return log

    def size_for(self, count: int) -> int:
        """Return the smallest prepared size that holds ``count`` requests."""
        return next(size for size in self._sizes if size >= count)

    def _outputs(self, requests: Sequence[Request]) -> Outputs | None:
        try:
            size = self.size_for(len(requests))
            outputs = self._mode.outputs(self._samples.batch([sample for _, sample in requests], size))
        except Exception as error:
            traceback.print_exc()
            self.error = error
            return None
        self.batches[size] = self.batches.get(size, 0) + 1
        self.rows += len(requests)
        self.padded += size - len(requests)
        return outputs

    def facts(self) -> dict[str, Any]:
        """Return the account."""
        return {
            "batches": {str(size): count for size, count in sorted(self.batches.items())},
            "rows": self.rows,
            "padded": self.padded,
            "busy_s": self.busy_ns / 1e9,
        }
