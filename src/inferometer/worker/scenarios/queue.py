"""Where single requests wait until they make a batch."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import Any

Request = tuple[int, int]  # LoadGen's number of the response, number of the sample


class BatchQueue:
    """Forms batches in order of arrival: up to ``max_batch``, waiting ``max_wait_s`` at most since the oldest came.

    Several servers may take from it, one forms its batch at a time. A request that waited while the last batch was computed has
    waited: with ``max_wait_s`` 0 a batch is what is there.
    """

    def __init__(self, max_batch: int, max_wait_s: float) -> None:
        self._max_batch, self._max_wait_ns = max_batch, round(max_wait_s * 1e9)
        self._waiting: SimpleQueue[tuple[int, int, int] | None] = SimpleQueue()
        self._closed = False
        self._forming = threading.Lock()
        self.arrived_ns = array("q")  # of every request, in order

    def put(self, requests: Iterable[Request]) -> None:
        """Add requests; called by LoadGen's thread."""
        now = time.monotonic_ns()
        for number, sample in requests:
            self.arrived_ns.append(now)
            self._waiting.put((now, number, sample))

    def close(self) -> None:
        """Say that no more requests come."""
        self._waiting.put(None)

    def next_batch(self) -> list[Request]:
        """Return the next batch, waiting for it; [] once the queue is closed and empty."""
        with self._forming:
            return self._form()

    def _form(self) -> list[Request]:
        if self._closed:
            return []
        first = self._waiting.get()
        if first is None:
            self._closed = True
            return []
        batch, until_ns = [first[1:]], first[0] + self._max_wait_ns
        while len(batch) < self._max_batch:
            try:
                found = self._next(until_ns)
            except Empty:
                break
            if found is None:
                self._closed = True
                break
            batch.append(found[1:])
        return batch

    def _next(self, until_ns: int) -> Any:
        if not self._max_wait_ns or (left_ns := until_ns - time.monotonic_ns()) <= 0:
            return self._waiting.get_nowait()
        return self._waiting.get(timeout=left_ns / 1e9)


class SharedOut:
    """Requests that come together, for several servers: as few batches as there can be of which each server gets one."""

    def __init__(self, max_batch: int, servers: int) -> None:
        self._max_batch, self._servers = max_batch, servers
        self._batches: SimpleQueue[list[Request]] = SimpleQueue()

    def put(self, requests: Iterable[Request]) -> None:
        """Add requests; called by LoadGen's thread."""
        together = list(requests)
        size = min(self._max_batch, -(-len(together) // self._servers))
        for first in range(0, len(together), size):
            self._batches.put(together[first : first + size])

    def close(self) -> None:
        """Say that no more requests come."""
        self._batches.put([])

    def next_batch(self) -> list[Request]:
        """Return the next batch, waiting for it; [] once the queue is closed and empty."""
        batch = self._batches.get()
        if not batch:
            self._batches.put(batch)  # for the other servers
        return batch
