"""How a batch is run in each mode, so that the loop knows nothing of modes."""

from __future__ import annotations

import abc
import time
from collections.abc import Sequence
from typing import Any

from inferometer.worker import phases
from inferometer.worker.backend import Backend, Batch, Outputs, Pipeline
from inferometer.worker.flags import Flag, flag

_clock = time.monotonic_ns

Times = tuple[
    int, int, list[float]
]  # start and end of a loop (ns), latency of each batch (s) where it can be told


class Mode(abc.ABC):
    """One backend in one mode."""

    flags: tuple[Flag, ...] = ()  # what the mode does that a reader must know
    wants_pixels = False  # batches are uint8
    keeps_last_loop = (
        False  # outputs can be had after the last loop only: between loops fetching would cost energy
    )

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._kept: tuple[int, Any] | None = (
            None  # of the last loop: a batch's number, what was returned for it
        )

    def kept(self) -> tuple[int, Outputs] | None:
        """Return the number of a batch of the last loop and the outputs it returned, None if there are none."""
        return self._kept

    def prepare(self, batch: Batch) -> None:
        """Compile and allocate for a shape."""
        self.backend.prepare(batch)

    def place(self, batches: Sequence[Batch]) -> list[Any]:
        """Return what `run` takes, once for all loops."""
        return list(batches)

    @abc.abstractmethod
    def run(self, placed: Any) -> None:
        """Run one batch, or start it."""

    def finish(self) -> None:  # noqa: B027
        """Wait for what `run` started."""

    @abc.abstractmethod
    def outputs(self, batch: Batch) -> Outputs:
        """Return one batch's outputs as numpy by this mode's own path (never timed)."""

    @abc.abstractmethod
    def timed_loop(self, placed: Sequence[Any], keep: int = 0) -> Times:
        """Run all batches once and return the times; ``keep``: whose outputs to keep for `kept`, where it can be chosen."""

    def phases(self, batch: Batch, batch_s: float) -> tuple[dict[str, float], int]:
        """Return the mean seconds of each phase of a batch, and over how many batches, sampled outside the loops.

        ``batch_s`` is about what a batch takes. ({}, 0) where phases overlap.
        """
        return {}, 0


class HostMode(Mode):
    """numpy in, numpy out, one batch after the other."""

    def run(self, placed: Batch) -> None:
        """Run one batch."""
        self.backend.run(placed)

    def outputs(self, batch: Batch) -> Outputs:
        """Run one batch."""
        return self.backend.run(batch)

    def timed_loop(self, placed: Sequence[Batch], keep: int = 0) -> Times:
        """Overhead a batch: one clock read and one list append; outputs are kept without a question asked in the loop."""
        run = self.backend.run
        stamps: list[int] = []
        stamp = stamps.append
        before, chosen, after = placed[:keep], placed[keep], placed[keep + 1 :]
        start = _clock()
        for batch in before:
            run(batch)
            stamp(_clock())
        kept = run(chosen)
        stamp(_clock())
        for batch in after:
            run(batch)
            stamp(_clock())
        end = _clock()
        self._kept = keep, kept
        edges = [start, *stamps]
        return start, end, [(last - first) / 1e9 for first, last in zip(edges, edges[1:])]

    def phases(self, batch: Batch, batch_s: float) -> tuple[dict[str, float], int]:
        """Sample the backend's phases."""
        return phases.sample(self.backend, batch, batch_s)


class DeviceMode(Mode):
    """Inputs and outputs stay on the device; one synchronisation a loop."""

    keeps_last_loop = True

    def place(self, batches: Sequence[Batch]) -> list[Any]:
        """Copy the batches to the device, the same one only once."""
        placed: dict[int, Any] = {}
        for batch in batches:
            if id(batch) not in placed:
                placed[id(batch)] = self.backend.place(batch)
        return [placed[id(batch)] for batch in batches]

    def run(self, placed: Any) -> None:
        """Start one batch."""
        self.backend.run_resident(placed)

    def finish(self) -> None:
        """Wait for the device."""
        self.backend.synchronise()

    def outputs(self, batch: Batch) -> Outputs:
        """Place, run, synchronise and fetch one batch."""
        resident = self.backend.run_resident(self.backend.place(batch))
        self.backend.synchronise()
        return self.backend.fetch(resident)

    def timed_loop(self, placed: Sequence[Any], keep: int = 0) -> Times:
        """Only the loop is timed: a batch's end is not seen without synchronising.

        The last batch's outputs are kept, since buffers on the device may be those of the batch before.
        """
        run = self.backend.run_resident
        self._kept = None
        before, last = placed[:-1], placed[-1]
        start = _clock()
        for batch in before:
            run(batch)
        kept = run(last)
        self.backend.synchronise()
        end = _clock()
        self._kept = len(placed) - 1, kept
        return start, end, []

    def kept(self) -> tuple[int, Outputs] | None:
        """Fetch the outputs of the last batch; once, before anything else runs."""
        found, self._kept = self._kept, None
        return (found[0], self.backend.fetch(found[1])) if found else None

    def phases(self, batch: Batch, batch_s: float) -> tuple[dict[str, float], int]:
        """Return what of the phases there is without copies."""
        found, count = phases.sample(self.backend, batch, batch_s)
        return {name: seconds for name, seconds in found.items() if name in ("enqueue", "compute")}, count


class PipelinedMode(Mode):
    """numpy uint8 in, numpy out, several batches in flight; throughput is from the loop, latency from submit to delivery."""

    flags = (flag("pipelined-input"),)
    wants_pixels = True

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._pipelines: dict[int, Pipeline] = {}
        self._last: Pipeline | None = None

    def prepare(self, batch: Batch) -> None:
        """Make the pipeline for a shape, and send one batch through it."""
        self._pipelines[len(batch[0])] = self.backend.pipeline(batch)
        self.outputs(batch)

    def run(self, placed: Batch) -> None:
        """Submit one batch."""
        self._submit(placed)

    def _submit(self, batch: Batch) -> list[Outputs]:
        """Submit a batch; another shape has its own pipeline, and the one before is emptied first, to keep the order."""
        pipeline = self._pipelines[len(batch[0])]
        ready = self._last.drain() if self._last not in (None, pipeline) else []
        self._last = pipeline
        return [*ready, *pipeline.submit(batch)]

    def _drain(self) -> list[Outputs]:
        return self._last.drain() if self._last else []

    def finish(self) -> None:
        """Empty the pipeline."""
        self._drain()

    def outputs(self, batch: Batch) -> Outputs:
        """Send one batch through."""
        self._drain()
        return [*self._submit(batch), *self._drain()][0]

    def timed_loop(self, placed: Sequence[Batch], keep: int = 0) -> Times:
        """A batch is delivered when the call that submits a later one, or the emptying at the end, returns it."""
        submitted: list[int] = []
        delivered: list[int] = []
        start = _clock()
        for batch in placed:
            submitted.append(_clock())
            ready = self._submit(batch)
            if ready:
                delivered += [_clock()] * len(ready)
        ready = self._drain()
        end = _clock()
        self._kept = (len(placed) - 1, ready[-1]) if ready else None
        delivered += [end] * len(ready)
        return start, end, [(after - before) / 1e9 for before, after in zip(submitted, delivered)]


MODES: dict[str, type[Mode]] = {
    "host": HostMode,
    "device": DeviceMode,
    "host-pipelined": PipelinedMode,
}
