"""Before scenarios: the sizes in which batches are formed are compiled and timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

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
    service = {size: _median_s(mode, samples, size, share_s) for size in request.sizes}
    switch_s = _switch_s(mode, samples, service, request.budget_s)
    return Rehearsed(
        compile_s=compile_s,
        service_s={str(k): v for k, v in service.items()},
        switch_s=switch_s,
        samples=len(samples),
    )


def _switch_s(mode: Mode, samples: Samples, service: Mapping[int, float], budget_s: float) -> float:
    """Return the median of what a batch takes longer because the one before had another size; 0 where all have one."""
    longer: list[float] = []
    begun = time.monotonic()
    while len(service) > 1 and (not longer or time.monotonic() - begun < budget_s):
        longer += [_seconds(mode, samples, size) - seconds for size, seconds in service.items()]
    return max(statistics.median(longer), 0.0) if longer else 0.0


def _median_s(mode: Mode, samples: Samples, size: int, budget_s: float) -> float:
    found: list[float] = []
    begun = time.monotonic()
    _seconds(mode, samples, size)  # of another size than the one before
    while len(found) < _LEAST or (len(found) < _MOST and time.monotonic() - begun < budget_s):
        found.append(_seconds(mode, samples, size))
    return statistics.median(found)


def _seconds(mode: Mode, samples: Samples, size: int) -> float:
    numbers = [number % len(samples) for number in range(size)]
    start = time.monotonic_ns()
    mode.outputs(samples.batch(numbers, size))
    return (time.monotonic_ns() - start) / 1e9
