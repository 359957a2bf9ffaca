"""Whether a cell had the GPU it was meant for, and had it to itself: asked of the driver, not of the framework.

A worker is known by its process number. In a container the driver may list numbers of another namespace, or none; then
the worker is known by what came after the snapshot taken just before it was started, when none was alive: a process more,
or memory more. Further ones are taken before a cell is asked for and after its answer came, never while it is timed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import msgspec

from inferometer.device import Device
from inferometer.flags import Flag, flag
from inferometer.host.gpu_snapshot import GpuSnapshot, NoAnswerError, NvmlReader
from inferometer.records import Actual, Cell, Gpu, Memory, Record

_CONTEXT_BYTES = 64 * 2**20  # a CUDA context takes more than this on every card since Maxwell
_IDLE_BYTES = 512 * 2**20  # the driver's own memory on an idle card stays below this
_BUSY_PERCENT = 5
_THROTTLED_S = 0.05  # shorter spells of throttling are not told


class Reader(Protocol):
    """Where snapshots come from."""

    def read(self, uuid: str) -> GpuSnapshot:
        """Return the GPU as it is now."""
        ...

    def close(self) -> None:
        """Let go of the driver."""


class GpuMonitor:
    """A `CellMonitor` over the GPUs that a plan names."""

    def __init__(self, gpus: Mapping[str, Gpu], reader: Reader) -> None:
        """``gpus``: by device name (cuda:0)."""
        self._gpus = gpus
        self._reader = reader
        self._first: dict[str, GpuSnapshot] = {}  # per device, before the run's first worker
        self._at_rest: dict[str, GpuSnapshot] = {}  # before the present one
        self._before: GpuSnapshot | None = None
        self._worker = 0
        self._numbers_match = False  # a worker was once found by its number, so newcomers are no workers
        self._silence = ""  # why the driver could not be asked

    def begin_run(self) -> None:
        """See who is there before any worker is."""
        found = {device: self._look(gpu) for device, gpu in self._gpus.items()}
        self._first = {device: snapshot for device, snapshot in found.items() if snapshot}
        self._at_rest = dict(self._first)

    def begin_worker(self, cell: Cell) -> None:
        """See who is there now; neighbours may have come or gone since the run began."""
        gpu = self._gpus.get(cell.device)
        if found := self._look(gpu) if gpu else None:
            self._at_rest[cell.device] = found

    def begin(self, cell: Cell, pid: int) -> None:
        """Look at the cell's GPU before it is asked for."""
        gpu = self._gpus.get(cell.device)
        self._before = self._look(gpu) if gpu else None
        self._worker = pid

    def end(self, record: Record) -> Record:
        """Add memory, flags and facts; an ok cell whose worker held no memory on its GPU ran elsewhere."""
        gpu = self._gpus.get(record.cell.device)
        if gpu is None:
            return record
        device = record.cell.device
        after, first, at_rest = self._look(gpu), self._first.get(device), self._at_rest.get(device)
        if not (first and at_rest and self._before and after):
            unchecked = flag("placement-not-checked", error=self._silence)
            return msgspec.structs.replace(record, flags=(*record.flags, unchecked))
        seen = _Cell(
            first=first,
            at_rest=at_rest,
            before=self._before,
            after=after,
            worker=self._worker,
            numbers_matched=self._numbers_match,
        )
        self._numbers_match = self._numbers_match or seen.numbers_match
        record = _with_facts(record, gpu, seen)
        if record.status == "ok" and not seen.is_placed and not seen.others_left:
            cause = f"the driver shows no memory of this worker on {device} ({gpu.uuid})"
            return msgspec.structs.replace(record, status="wrong-device", cause=cause)
        return record

    def _look(self, gpu: Gpu) -> GpuSnapshot | None:
        try:
            return self._reader.read(gpu.uuid)
        except NoAnswerError as error:
            self._silence = str(error)
            return None

    def end_run(self) -> None:
        """Let go of the driver."""
        self._reader.close()


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """Snapshots before the run, the worker and the cell, and after it, and what follows from them."""

    first: GpuSnapshot
    at_rest: GpuSnapshot
    before: GpuSnapshot
    after: GpuSnapshot
    worker: int
    numbers_matched: bool  # in an earlier cell

    @cached_property
    def _listed(self) -> set[int]:
        return {pid for pid in self.after.processes if _belongs(pid, self.worker)}

    @property
    def numbers_match(self) -> bool:
        """Whether the driver's process numbers are those of this host."""
        return bool(self._listed) or self.numbers_matched

    @property
    def _own(self) -> set[int]:
        return self._listed if self.numbers_match else {*self.after.processes} - {*self.at_rest.processes}

    @property
    def is_placed(self) -> bool:
        """Whether the worker holds memory here, by its number or by what came since it was started."""
        if self._own or self.numbers_match:
            return bool(self._own)
        return self._grown_bytes >= _CONTEXT_BYTES

    @property
    def others_left(self) -> bool:
        """Whether others gave up so much memory since the worker was started that its own cannot be told."""
        return not self.numbers_match and self._grown_bytes <= -_CONTEXT_BYTES

    @property
    def held_bytes(self) -> int | None:
        """Return the worker's memory by the driver; by the card's growth where no process has a figure."""
        told = [held for pid in self._own if (held := self.after.processes[pid]) is not None]
        if told:
            return sum(told)
        return self._grown_bytes if self._grown_bytes > 0 else None

    @property
    def _grown_bytes(self) -> int:
        return self.after.used_bytes - self.at_rest.used_bytes

    def flags(self) -> list[Flag]:
        """Return what a reader of this cell must know."""
        busy = self.first.utilisation or 0  # later ones would tell of workers too
        told = [flag("gpu-busy-before", share=busy / 100)] if busy > _BUSY_PERCENT else []
        return [*self._neighbours(), *told, *self._changes(), *self._throttling()]

    def _neighbours(self) -> list[Flag]:
        others = {pid: held for pid, held in self.after.processes.items() if pid not in self._own}
        found = [_holds(pid, held) for pid, held in others.items()]
        if not self.numbers_match and len(self._own) > 1:
            found.append(flag("gpu-newcomers", count=len(self._own)))
        active = self.after.active - self._own - set(others)
        if self.numbers_match:
            found += [flag("gpu-neighbour-computed", pid=str(pid)) for pid in sorted(active)]
        return found + ([] if others else self._unlisted())

    def _unlisted(self) -> list[Flag]:
        """Tell of neighbours by the card's memory, where the driver lists none."""
        first, at_rest, now = (s.used_bytes for s in (self.first, self.at_rest, self.after))
        found = [flag("gpu-memory-before", used_bytes=first)] if first > _IDLE_BYTES else []
        if abs(at_rest - first) >= _CONTEXT_BYTES:
            found.append(flag("gpu-memory-changed", before_bytes=first, after_bytes=at_rest))
        if self.others_left:
            found.append(flag("placement-not-shown", before_bytes=at_rest, after_bytes=now))
        return found

    def _changes(self) -> list[Flag]:
        pairs = ((name, self.before.settings.get(name), now) for name, now in self.after.settings.items())
        return [
            flag("setting-changed", setting=name, before=str(before), after=str(now))
            for name, before, now in pairs
            if before != now
        ]

    def _throttling(self) -> list[Flag]:
        spells = {
            reason: (total - self.before.throttled_ns.get(reason, total)) / 1e9
            for reason, total in self.after.throttled_ns.items()
        }
        counted = {reason: s for reason, s in spells.items() if s >= _THROTTLED_S}
        found = [flag("throttled", reason=reason, seconds=s) for reason, s in counted.items()]
        return found + [
            flag("throttled", reason=reason) for reason in self.after.reasons if reason not in counted
        ]

    def facts(self) -> dict[str, Any]:
        """Return the moment after the cell, for the record."""
        return {
            "placed_by": "process number" if self.numbers_match else "memory",
            "sm_clock_hz": self.after.sm_clock_hz,
            "memory_clock_hz": self.after.memory_clock_hz,
            "temperature_c": self.after.temperature_c,
            "temperature_before_c": self.before.temperature_c,
            "settings": dict(self.after.settings),
        }


def _with_facts(record: Record, gpu: Gpu, seen: _Cell) -> Record:
    actual, memory = record.actual or Actual(), record.memory or Memory()
    details = {**actual.details, "driver": seen.facts()}
    uuid = gpu.uuid if seen.is_placed else ""
    memory = msgspec.structs.replace(memory, device_used_bytes=seen.held_bytes)
    # the worker told of it, and not that it was the host's, as the kernel would have
    if record.status == "out-of-memory" and record.memory is not None and memory.free_bytes is None:
        memory = msgspec.structs.replace(memory, free_bytes=seen.after.free_bytes)
    return msgspec.structs.replace(
        record,
        actual=msgspec.structs.replace(actual, device_uuid=uuid, details=details),
        memory=memory,
        flags=(*record.flags, *seen.flags()),
    )


def _belongs(pid: int, worker: int) -> bool:
    """Whether a process is the worker or one it started: a worker leads a session of its own."""
    if pid == worker:
        return True
    try:
        return os.getsid(pid) == worker
    except OSError:
        return False


def _holds(pid: int, held: int | None) -> Flag:
    known = {} if held is None else {"held_bytes": held}
    return flag("gpu-neighbour", pid=str(pid), **known)


def monitor_gpus(devices: Iterable[str], gpus: tuple[Gpu, ...]) -> tuple[GpuMonitor, ...]:
    """Return a watch over the GPUs among ``devices`` (one or none)."""
    named = {name: Device.parse(name) for name in devices}
    known = {gpu.index: gpu for gpu in gpus}
    wanted = {name: known[device.index] for name, device in named.items() if device.is_gpu}
    return (GpuMonitor(wanted, NvmlReader()),) if wanted else ()
