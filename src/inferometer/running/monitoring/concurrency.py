"""Which device's worker ran when, and what a record must say of those that ran beside it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from inferometer.flags import Flag, flag
from inferometer.records import Cell, Record

_SHORTEST_NS = 100_000  # less is no overlap worth telling


@dataclass
class _Stint:
    """The life of one worker process."""

    device: str
    framework: str
    start_ns: int
    end_ns: int | None = None

    def overlap_ns(self, start_ns: int, end_ns: int) -> int:
        last_ns = end_ns if self.end_ns is None else min(end_ns, self.end_ns)
        return max(last_ns - max(start_ns, self.start_ns), 0)


class Concurrency:
    """The workers of a run, from each one's start to its end (CLOCK_MONOTONIC, ns); any thread may ask or add."""

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self._stints: list[_Stint] = []

    @contextlib.contextmanager
    def worker(self, cell: Cell) -> Iterator[None]:
        """Note that a worker for ``cell`` runs."""
        stint = _Stint(cell.device, cell.framework, self._now_ns())
        self._stints.append(stint)
        try:
            yield
        finally:
            stint.end_ns = self._now_ns()

    def beside(self, device: str, start_ns: int, end_ns: int) -> dict[str, dict[str, float]]:
        """Return how long (s) workers of other devices ran between two moments, by device and framework."""
        found: dict[str, dict[str, float]] = {}
        for stint in tuple(self._stints):
            overlap_ns = stint.overlap_ns(start_ns, end_ns)
            if stint.device != device and overlap_ns >= _SHORTEST_NS:
                seconds = found.setdefault(stint.device, {})
                seconds[stint.framework] = seconds.get(stint.framework, 0.0) + overlap_ns / 1e9
        return found

    def with_flags(self, record: Record, start_ns: int) -> Record:
        """Return the record of a cell that began at ``start_ns`` and ends now, with a flag for each framework beside it on another device."""
        beside = self.beside(record.cell.device, start_ns, self._now_ns())
        flags = tuple(
            self._flag(device, framework, seconds, record)
            for device, ran in beside.items()
            for framework, seconds in ran.items()
        )
        return msgspec.structs.replace(record, flags=(*record.flags, *flags)) if flags else record

    def _flag(self, device: str, framework: str, seconds: float, record: Record) -> Flag:
        share = self._share_of_loops(device, framework, record)
        known = {} if share is None else {"loops_share": round(share, 4)}
        return flag("beside", device=device, framework=framework, seconds=round(seconds, 3), **known)

    def _share_of_loops(self, device: str, framework: str, record: Record) -> float | None:
        """Return during which share of a record's loops another device's worker ran; None where there is no loop."""
        spans = [(loop.start_ns, loop.start_ns + round(loop.elapsed_s * 1e9)) for loop in record.loops]
        total_ns = sum(end - start for start, end in spans)
        wanted = (device, framework)
        stints = [stint for stint in tuple(self._stints) if (stint.device, stint.framework) == wanted]
        overlap_ns = sum(stint.overlap_ns(*span) for stint in stints for span in spans)
        return overlap_ns / total_ns if total_ns else None
