"""Energy of a run's cells, by the meters of this host."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from inferometer.energy import Session
from inferometer.records import Actual, Cell, Record

_IDLE_S = 3.0  # of rest before the first and after the last cell
_LOADED_S = 1.0  # of rest with a model in memory, once a worker


class EnergyMonitor:
    """Adds energy to cells; rests where idle power is wanted, but only if there is a meter to read it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._worker = 0  # process number of the latest worker
        self._rested = 0  # and of the latest that was watched at rest
        self._whole = self  # the run's, which rests at its end if anything was metered
        self._metered = False

    def part(self, device: str, uid: str) -> EnergyMonitor:
        """Return a meter of cells on ``device`` beside others (`Session.part`); this one begins and ends the run."""
        part = EnergyMonitor(self._session.part(device, uid))
        part._whole = self
        return part

    def now_ns(self) -> int:
        """Return the time on the meters' clock (CLOCK_MONOTONIC)."""
        return self._session.sampler.clock.now_ns()

    def begin_run(self) -> None:
        """Start the sampler and watch the machine at rest."""
        self._session.start()
        self._rest(_IDLE_S, "before")

    def begin_worker(self, cell: Cell) -> None:
        """Do nothing: a worker is known by its first cell."""

    def begin(self, cell: Cell, pid: int) -> None:
        """Note whose work is metered next."""
        self._session.device = cell.device
        self._worker = pid

    def end(self, record: Record) -> Record:
        """Return the record with the energy of its loops, and what a reader must know of it.

        A worker is watched at rest once, after its first cell: the model is loaded, and its first run behind it.
        """
        spans = [
            (loop.start_ns, loop.start_ns + round(loop.elapsed_s * 1e9), record.images)
            for loop in record.loops
        ]
        if not spans:
            return record
        self._whole._metered = True
        if self._rested != self._worker:
            self._rested = self._worker
            self._rest(_LOADED_S, "loaded")
        energy = self._session.energy(spans)
        flags = self._session.flags(spans, record.images / record.cell.batch_size)
        record = msgspec.structs.replace(record, energy=energy, flags=(*record.flags, *flags))
        return _with_conditions(record, self._session.conditions(spans))

    def end_run(self) -> None:
        """Watch the machine at rest again if anything was metered, and let go of the meters."""
        try:
            if self._metered:
                self._rest(_IDLE_S, "after")
        finally:
            self._session.close()

    def _rest(self, seconds: float, label: str) -> None:
        if not self._session.meters:
            return
        clock = self._session.sampler.clock
        start_ns = clock.now_ns()
        clock.wait(start_ns + round(seconds * 1e9), threading.Event())
        self._session.mark_idle(start_ns, clock.now_ns(), label)


def _with_conditions(record: Record, found: dict[str, dict[str, Any]]) -> Record:
    """Return the record with what its device told of itself during the loops: clocks, temperature, utilisation."""
    if not found:
        return record
    actual = record.actual or Actual()
    details = {**actual.details, "during_loops": found}
    return msgspec.structs.replace(record, actual=msgspec.structs.replace(actual, details=details))
