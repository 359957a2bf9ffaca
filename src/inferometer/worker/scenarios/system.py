"""The system under test: what answers batches, and an account of what it did."""

from __future__ import annotations

import time
import traceback
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

from inferometer.worker.backend import Outputs
from inferometer.worker.scenarios.queue import BatchQueue, Request, SharedOut

Infer = Callable[[list[int], int], Outputs]  # numbers of samples, size that they are filled up to
Queue = Union[BatchQueue, SharedOut]  # noqa: UP007  (evaluated, also by Python 3.9)
Answer = Callable[[Sequence[Request], Optional[Outputs]], None]  # noqa: UP045  (evaluated, also by Python 3.9)
_clock = time.monotonic_ns


class System:
    """Answers requests in batches of the sizes that were prepared; after an error it only answers, so that the test can end."""

    def __init__(self, infer: Infer, sizes: Sequence[int], answer: Answer) -> None:
        self._infer, self._answer = infer, answer
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
        self._respond(requests, outputs)
        end = _clock()
        self.busy_ns += end - start
        return start, end

    def serve_all(self, requests: Sequence[Request]) -> None:
        """Answer requests that came together, in as few batches as there can be."""
        for start in range(0, len(requests), self.largest):
            self.serve(requests[start : start + self.largest])

    def warm(self, samples: int, until_s: float) -> None:
        """Run batches of the largest size until then (s of the monotonic clock), so that clocks and caches are as under load."""
        numbers = [number % samples for number in range(self.largest)]
        while time.monotonic() < until_s:
            self._infer(numbers, self.largest)

    def serve_queue(self, queue: Queue) -> array[int]:
        """Answer batches until the queue is closed; return of each its begin and end (ns), its requests and its size."""
        log = array("q")
        while batch := queue.next_batch():
            log.extend((*self.serve(batch), len(batch), self.size_for(len(batch))))
        return log

    def size_for(self, count: int) -> int:
        """Return the smallest prepared size that holds ``count`` requests."""
        return next(size for size in self._sizes if size >= count)

    def _respond(self, requests: Sequence[Request], outputs: Outputs | None) -> None:
        """Tell LoadGen, which would wait for an answer for ever; without outputs where they have no rows."""
        try:
            self._answer(requests, outputs)
        except Exception as error:
            traceback.print_exc()
            self.error = error
            self._answer(requests, None)

    def _outputs(self, requests: Sequence[Request]) -> Outputs | None:
        try:
            size = self.size_for(len(requests))
            outputs = self._infer([sample for _, sample in requests], size)
        except Exception as error:
            traceback.print_exc()
            self.error = error
            return None
        self.batches[size] = self.batches.get(size, 0) + 1
        self.rows += len(requests)
        self.padded += size - len(requests)
        return outputs


def account(systems: Sequence[System]) -> dict[str, Any]:
    """Return what systems did together, the time that they were busy summed up."""
    batches: dict[int, int] = {}
    for system in systems:
        for size, count in system.batches.items():
            batches[size] = batches.get(size, 0) + count
    return {
        "batches": {str(size): count for size, count in sorted(batches.items())},
        "rows": sum(system.rows for system in systems),
        "padded": sum(system.padded for system in systems),
        "busy_s": sum(system.busy_ns for system in systems) / 1e9,
    }
