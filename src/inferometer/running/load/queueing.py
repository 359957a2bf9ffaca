"""Requests that wait for one server, or for several, replayed with known times of service (pure).

The queue is the worker's (`worker.scenarios.queue`): first come, first served, in batches of what is there. With batches of
one and equal times of service it is M/D/1 where arrivals are Poisson's.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inferometer.records import Batching

Service = Callable[[int], float]  # seconds of a batch of so many requests
_REQUESTS = 4000
_HALVINGS = 14
_PASSING_S = 20e-6  # a request: LoadGen, the queue and the answer, all in one interpreter


def replay(
    arrived_s: Sequence[float],
    service: Service,
    max_batch: int = 1,
    max_wait_s: float = 0.0,
    servers: int = 1,
) -> list[float]:
    """Return the latency (s) of each request, from its arrival (ascending) to the end of its batch."""
    latencies: list[float] = []
    free_s, first = [0.0] * servers, 0  # when each server is, a heap
    while first < len(arrived_s):
        oldest = arrived_s[first]
        start = max(heapq.heappop(free_s), oldest)
        until = max(oldest + max_wait_s, start)
        last = min(first + max_batch, len(arrived_s))
        full_s = arrived_s[last - 1] if last - first == max_batch else until
        start = max(start, min(until, full_s))
        count = max(bisect.bisect_right(arrived_s, start, first, last) - first, 1)
        end = start + service(count)
        heapq.heappush(free_s, end)
        latencies += [end - arrived_s[place] for place in range(first, first + count)]
        first += count
    return latencies


def service_of(measured_s: Mapping[int, float]) -> Service:
    """Return the service by what was measured of the sizes that batches are filled up to, with what passing a request on takes."""
    sizes = sorted(measured_s)
    return lambda count: (
        measured_s[next((size for size in sizes if size >= count), sizes[-1])] + _PASSING_S * count
    )


def capacity(measured_s: Mapping[int, float], servers: int = 1) -> float:
    """Return the requests/s that are answered where batches are never short."""
    return servers * max(size / (seconds + _PASSING_S * size) for size, seconds in measured_s.items())


def expected_rate(
    measured_s: Mapping[int, float], batching: Batching, bound_s: float, percentile: float
) -> float:
    """Return about the highest rate of Poisson arrivals at which the percentile of latencies keeps the bound; 0: none does."""
    gaps: Any = np.cumsum(np.random.default_rng(0).exponential(size=_REQUESTS))
    service = service_of(measured_s)

    def keeps(rate: float) -> bool:
        latencies = replay(
            (gaps / rate).tolist(), service, batching.max_batch, batching.max_wait_s, batching.instances
        )
        return float(np.percentile(latencies, percentile)) <= bound_s

    low, high = 0.0, capacity(measured_s, batching.instances)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low
