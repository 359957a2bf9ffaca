"""Where the time of one batch goes, by host timers: for backends whose work is told apart by synchronising."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from inferometer.worker.backend import Backend, Batch

MOST = 10  # samples
_BUDGET_S = 0.05  # of several samples
_LONGEST_S = 1.0  # of a batch that is sampled once, though it is over the budget


def timed(
    place: Callable[[], Any],
    run: Callable[[Any], Any],
    synchronise: Callable[[], None],
    fetch: Callable[[Any], Any],
) -> dict[str, float]:
    """Return copy_in, enqueue, compute (begins with enqueue) and copy_out of one batch (s); see `Backend.phases`."""
    stamps = [time.perf_counter()]
    placed = place()
    synchronise()
    stamps.append(time.perf_counter())
    resident = run(placed)
    stamps.append(time.perf_counter())
    synchronise()
    stamps.append(time.perf_counter())
    fetch(resident)
    stamps.append(time.perf_counter())
    return {
        "copy_in": stamps[1] - stamps[0],
        "enqueue": stamps[2] - stamps[1],
        "compute": stamps[3] - stamps[1],
        "copy_out": stamps[4] - stamps[3],
    }


def sample(backend: Backend, batch: Batch, batch_s: float) -> tuple[dict[str, float], int]:
    """Return mean phases (s) and over how many batches: as many as fit 0.05 s, at least one and at most `MOST`.

    ({}, 0) where a batch takes over a second, or the backend cannot tell its phases apart.
    """
    if batch_s > _LONGEST_S:
        return {}, 0
    count = max(1, min(MOST, int(_BUDGET_S / batch_s))) if batch_s > 0 else 1
    samples = [backend.phases(batch) for _ in range(count)]
    means = {name: sum(each[name] for each in samples) / count for name in samples[0]}
    return means, count if means else 0
