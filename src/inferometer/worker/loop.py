"""The timed loop. Its overhead per batch is one clock read and one list append."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inferometer.worker.backend import Backend, Batch, Outputs
from inferometer.worker.stopping import StoppingRule

_clock = time.monotonic_ns


@dataclass(frozen=True)
class Execution:
    """How a batch is run in one mode, so that the loop knows nothing of modes."""

    backend: Backend
    run: Callable[[Any], Any]
    finish: Callable[[], None]  # ends a loop: waits for work that `run` left unfinished
    stamps_batches: bool  # a stamp after `run` is a batch's latency
    resident: bool

    @classmethod
    def of(cls, backend: Backend, mode: str) -> Execution:
        """Return the execution of ``mode``: host or device."""
        if mode == "host":
            return cls(backend, backend.run, _nothing, stamps_batches=True, resident=False)
        if mode == "device":
            return cls(
                backend, backend.run_resident, backend.synchronise, stamps_batches=False, resident=True
            )
        raise ValueError(f"unknown mode {mode!r}")

    def place(self, batches: Sequence[Batch]) -> list[Any]:
        """Return what `run` takes, once for all loops."""
        return [self.backend.place(batch) for batch in batches] if self.resident else list(batches)

    def outputs(self, batch: Batch) -> Outputs:
        """Return one batch's outputs as numpy by this mode's own path (never timed)."""
        if not self.resident:
            return self.backend.run(batch)
        resident = self.backend.run_resident(self.backend.place(batch))
        self.backend.synchronise()
        return self.backend.fetch(resident)


def warm_up(execution: Execution, batches: Sequence[Any], count: int, budget_s: float) -> tuple[int, float]:
    """Run ``count`` batches, or as many as start within ``budget_s`` (0: no limit); return how many, and the seconds."""
    start = time.monotonic()
    done = 0
    while done < count and not (budget_s and time.monotonic() - start > budget_s):
        execution.run(batches[done % len(batches)])
        done += 1
    execution.finish()
    return done, time.monotonic() - start


def measure_loops(execution: Execution, batches: Sequence[Any], rule: StoppingRule) -> list[dict[str, Any]]:
    """Run loops over all batches until the rule is satisfied; return raw times (`records.Loop`)."""
    gc.collect()  # rubbish of the preparation must not be collected on the clock
    loops = []
    while not rule.is_finished():
        start, end, stamps = _one_loop(execution, batches)
        rule.add_loop((end - start) / 1e9)
        loops.append(_record(start, end, stamps if execution.stamps_batches else []))
    return loops


def _one_loop(execution: Execution, batches: Sequence[Any]) -> tuple[int, int, list[int]]:
    run = execution.run
    stamps: list[int] = []
    stamp = stamps.append
    start = _clock()
    for batch in batches:
        run(batch)
        stamp(_clock())
    execution.finish()
    end = _clock()
    return start, end, stamps


def _record(start: int, end: int, stamps: list[int]) -> dict[str, Any]:
    edges = [start, *stamps]
    return {
        "elapsed_s": (end - start) / 1e9,
        "start_ns": start,
        "batch_s": [(after - before) / 1e9 for before, after in zip(edges, edges[1:])],
    }


def _nothing() -> None:
    return None
