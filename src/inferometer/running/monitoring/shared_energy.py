"""Energy of cells measured beside others: each device's own meter tells it; the host's meters cannot be divided."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from inferometer.energy.view import NO_METER
from inferometer.records import Cell, DeviceEnergy, Energy, Record
from inferometer.running.monitoring.concurrency import Concurrency
from inferometer.running.monitoring.energy import DeviceEnergyMonitor, EnergyMonitor


class SharedEnergyMonitor:
    """A `CellMonitor` of one device's cells; the run's own meter starts the sampler and lets go of it."""

    def __init__(self, run: EnergyMonitor, device: str, uid: str, concurrency: Concurrency) -> None:
        """``uid``: of the device's own meter; empty for the CPU, which has the host's only."""
        self._run = run
        self._device = device
        self._uid = uid
        self._concurrency = concurrency
        self._worker = 0
        self._since_ns = 0  # when that worker's first cell began
        self._meter: DeviceEnergyMonitor = run

    def begin_run(self) -> None:
        """Take the device's own meter and the host's; the run's meter has begun."""
        self._meter = self._run.part(self._device, self._uid)

    def begin_worker(self, cell: Cell) -> None:
        """Do nothing: a worker is known by its first cell."""

    def begin(self, cell: Cell, pid: int) -> None:
        """Note whose work is metered next."""
        if pid != self._worker:
            self._worker, self._since_ns = pid, self._meter.now_ns()
        self._meter.begin(cell, pid)

    def end(self, record: Record) -> Record:
        """Return the record with its energy; the host's share only if this worker has had the host to itself."""
        record = self._meter.end(record)
        others = self._concurrency.beside(self._device, self._since_ns, self._meter.now_ns())
        if record.energy is None or not others:
            return record
        return msgspec.structs.replace(record, energy=undivided(record.energy, self._uid, others))

    def end_run(self) -> None:
        """Leave the meters to the run."""


def undivided(energy: Energy, uid: str, others: Iterable[str]) -> Energy:
    """Return the energy of a cell that shared the host with ``others``: that of its own device ``uid``, no share of the rest."""
    reason = f"shared with {' and '.join(others)}, measured at once"
    devices = tuple(
        device if device.device_uid == uid else _shared(device, reason) for device in energy.devices
    )
    if any(device.device_uid == uid for device in devices):
        return msgspec.structs.replace(energy, devices=devices)
    meters = ", ".join(dict.fromkeys(device.meter for device in devices))
    return Energy(
        devices,
        reason=energy.reason or f"{NO_METER}: {meters}: {reason}",
        absence=energy.absence or NO_METER,
    )


def _shared(device: DeviceEnergy, reason: str) -> DeviceEnergy:
    return msgspec.structs.replace(
        device, source="none", energy_j=None, low_j=None, high_j=None, idle_w=None, reason=reason
    )
