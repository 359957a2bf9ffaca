"""Before scenarios: the sizes in which batches are formed are compiled and timed."""

from __future__ import annotations

import statistics
import time

from inferometer.worker.modes import Mode
from inferometer.worker.protocol import Rehearse, Rehearsed
from inferometer.worker.scenarios.samples import Samples

_LEAST, _MOST = 3, 200


def rehearse(mode: Mode, samples: Samples, request: Rehearse) -> Rehearsed:
    """Return the median seconds of a batch of each size, and those that compiling all took."""
    start = time.monotonic()
    for size in request.sizes:
        mode.prepare(samples.batch([0], size))
    compile_s = time.monotonic() - start
    share_s = request.budget_s / len(request.sizes)
    service = {str(size): _median_s(mode, samples, size, share_s) for size in request.sizes}
    return Rehearsed(compile_s=compile_s, service_s=service)


def _median_s(mode: Mode, samples: Samples, size: int, budget_s: float) -> float:
    numbers = [number % len(samples) for number in range(size)]
    found: list[float] = []
    begun = time.monotonic()
    while len(found) < _LEAST or (len(found) < _MOST and time.monotonic() - begun < budget_s):
        start = time.monotonic_ns()
        mode.outputs(samples.batch(numbers, size))
        found.append((time.monotonic_ns() - start) / 1e9)
    return statistics.median(found)
