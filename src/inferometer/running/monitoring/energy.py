"""Energy of a run's cells, by the meters of this host."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from inferometer.energy import Session
from inferometer.energy.view import MeterView
from inferometer.records import Actual, Cell, Energy, Record
from inferometer.running.monitoring.worker_share import with_worker_share

_IDLE_S = 3.0  # of rest before the first and after the last cell
_LOADED_S = 1.0  # of rest with a model in memory, once a worker


class DeviceEnergyMonitor:
    """Adds energy to cells, from readings that somebody else has made; rests where idle power is wanted, if there are any."""

    def __init__(self, meters: MeterView) -> None:
        self._meters = meters
        self._worker = 0  # process number of the latest worker
        self._rested = 0  # and of the latest that was watched at rest
        self.metered = False  # whether any cell was

    def now_ns(self) -> int:
        """Return the time on the meters' clock (CLOCK_MONOTONIC)."""
        return self._meters.clock.now_ns()

    def begin(self, cell: Cell, pid: int) -> None:
        """Note whose work is metered next."""
        self._meters.device = cell.device
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
        self.metered = True
        if self._rested != self._worker:
            self._rested = self._worker
            self._rest(_LOADED_S, "loaded")
        energy = with_worker_share(self._energy(spans), record)
        flags = self._meters.flags(spans, record.images / record.cell.batch_size)
        record = msgspec.structs.replace(record, energy=energy, flags=(*record.flags, *flags))
        return _with_conditions(record, self._meters.conditions(spans))

    def _energy(self, spans: list[tuple[int, int, int]]) -> Energy:
        """Return the energy of loops, waiting for one more update of meters that have too few to tell it."""
        energy, clock = self._meters.energy(spans), self._meters.clock
        awaited_ns = self._meters.awaited_ns(energy, max(end for _, end, _ in spans))
        if awaited_ns <= clock.now_ns():
            return energy
        clock.wait(awaited_ns, threading.Event())
        return self._meters.energy(spans)

    def _rest(self, seconds: float, label: str) -> None:
        if not self._meters.meters:
            return
        clock = self._meters.clock
        start_ns = clock.now_ns()
        clock.wait(start_ns + round(seconds * 1e9), threading.Event())
        self._meters.mark_idle(start_ns, clock.now_ns(), label)


class EnergyMonitor(DeviceEnergyMonitor):
    """The run's `CellMonitor`: it has the meters sampled, and rests before the first cell and after the last."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._parts: list[DeviceEnergyMonitor] = []

    def part(self, device: str, uid: str) -> DeviceEnergyMonitor:
        """Return a monitor of cells on ``device`` beside others (`MeterView.part`); this one begins and ends the run."""
        part = DeviceEnergyMonitor(self._session.part(device, uid))
        self._parts.append(part)
        return part

    def begin_run(self) -> None:
        """Start the sampler and watch the machine at rest."""
        self._session.start()
        self._rest(_IDLE_S, "before")

    def begin_worker(self, cell: Cell) -> None:
        """Do nothing: a worker is known by its first cell."""

    def end_run(self) -> None:
        """Watch the machine at rest again if anything was metered, and let go of the meters."""
        try:
            if any(monitor.metered for monitor in (self, *self._parts)):
                self._rest(_IDLE_S, "after")
        finally:
            self._session.close()


def _with_conditions(record: Record, found: dict[str, dict[str, Any]]) -> Record:
    """Return the record with what its device told of itself during the loops: clocks, temperature, utilisation."""
    if not found:
        return record
    actual = record.actual or Actual()
    details = {**actual.details, "during_loops": found}
    return msgspec.structs.replace(record, actual=msgspec.structs.replace(actual, details=details))
