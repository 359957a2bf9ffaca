"""Who else had this process's processors while the loops were timed, by the kernel's accounts (Linux; silent elsewhere).

/proc/stat counts each processor's time in ticks: busy, idle, and stolen (a hypervisor ran another guest). What was busy
and was not this process's own was some other process's. A quota may have held the process back besides (`worker/quota.py`).
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inferometer.worker.flags import Flag, flag
from inferometer.worker.system.quota import Quota

OTHERS_SHARE = 0.05  # of the processors' time, from which on a reader must know
CROWDED_SHARE = 0.2  # from which on it is told by another word, so that tables do not mix a little with much
STOLEN_SHARE = 0.01
SHORTEST_S = 0.1  # ticks are 10 ms, and busy ones are sampled: of shorter loops nothing is told
_BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq; guests are counted within the first two
_STOLEN = 7


@dataclass(frozen=True)
class CpuSnapshot:
    """Seconds since some beginning, summed over the processors that this process may use."""

    capacity_s: float
    busy_s: float
    stolen_s: float
    own_s: float
    throttled_s: float | None = None  # by a quota, summed over processors; None: not told
    host_busy_s: float = 0.0  # of every processor of the host, used by whomever


@dataclass(frozen=True)
class Contention:
    """How much of its processors a process had between two moments, and who had the rest."""

    processors: int
    capacity_s: float
    own_s: float
    others_s: float
    stolen_s: float
    throttled_s: float | None
    host_busy_s: float = 0.0  # every processor of the host, whoever used it

    @classmethod
    def between(cls, before: CpuSnapshot, after: CpuSnapshot, processors: int) -> Contention:
        """Return what came about from one moment to the next."""
        busy_s, own_s = after.busy_s - before.busy_s, after.own_s - before.own_s
        told = before.throttled_s is not None and after.throttled_s is not None
        throttled_s = (after.throttled_s or 0.0) - (before.throttled_s or 0.0)
        return cls(
            processors,
            after.capacity_s - before.capacity_s,
            own_s,
            max(busy_s - own_s, 0.0),
            max(after.stolen_s - before.stolen_s, 0.0),
            max(throttled_s, 0.0) if told else None,
            after.host_busy_s - before.host_busy_s,
        )

    @property
    def elapsed_s(self) -> float:
        """Return the wall time (s), by the processors' own accounts."""
        return self.capacity_s / self.processors if self.processors else 0.0

    def facts(self) -> dict[str, float]:
        """Return shares of the processors' time, for the record."""
        found = {
            "processors": self.processors,
            "own_share": round(self.own_s / self.capacity_s, 4),
            "others_share": round(self.others_s / self.capacity_s, 4),
            "stolen_share": round(self.stolen_s / self.capacity_s, 4),
        }
        if self.host_busy_s > 0 and self.own_s > 0:  # ticks are coarser than a process's own account
            found["own_of_all"] = round(min(self.own_s / self.host_busy_s, 1.0), 4)
        if self.throttled_s is not None:
            found["throttled_s"] = round(self.throttled_s, 3)
        return found

    def flags(self) -> list[Flag]:
        """Return what a reader of the loops must know."""
        told = []
        if self.others_s >= OTHERS_SHARE * self.capacity_s:
            crowded = self.others_s >= CROWDED_SHARE * self.capacity_s
            told.append(self._flag("crowded" if crowded else "others-computed", self.others_s))
        if self.stolen_s >= STOLEN_SHARE * self.capacity_s:
            told.append(self._flag("hypervisor", self.stolen_s))
        if self.throttled_s is not None and self.throttled_s >= STOLEN_SHARE * self.capacity_s:
            told.append(self._flag("quota", self.throttled_s))
        return told

    def _flag(self, kind: str, seconds: float) -> Flag:
        return flag(kind, share=round(seconds / self.capacity_s, 4), processors=self.processors)


class CpuAccounting:
    """Where moments are read, of the processors that any thread of this process may use."""

    def __init__(
        self, proc: Path = Path("/proc"), quota: Quota | None = None, children: Sequence[int] = ()
    ) -> None:
        """``children``: processes whose time counts as this one's own."""
        self._proc, self._children = proc, children
        self._quota = quota or Quota()
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        self.processors = _processors()

    def now(self) -> CpuSnapshot | None:
        """Return this moment; None on a system that does not keep accounts of all these processors."""
        try:
            lines = [line.split() for line in (self._proc / "stat").read_text().splitlines()]
        except OSError:
            return None
        wanted = {f"cpu{number}" for number in self.processors}
        counts = [[int(field) for field in fields] for name, *fields in lines if name in wanted]
        if not counts or len(counts) < len(wanted) or len(counts[0]) <= _STOLEN or not any(map(sum, counts)):
            return None
        whole = next(([int(field) for field in fields] for name, *fields in lines if name == "cpu"), [])
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return CpuSnapshot(
            capacity_s=self._tick_s * sum(sum(fields[:8]) for fields in counts),
            busy_s=self._tick_s * sum(fields[at] for fields in counts for at in _BUSY),
            stolen_s=self._tick_s * sum(fields[_STOLEN] for fields in counts),
            own_s=usage.ru_utime + usage.ru_stime + sum(map(self._used_s, self._children)),
            throttled_s=self._quota.throttled_s(),
            host_busy_s=self._tick_s * sum(whole[at] for at in _BUSY) if len(whole) > _STOLEN else 0.0,
        )

    def _used_s(self, process: int) -> float:
        """Return a process's processor time so far; 0 once it is gone."""
        try:
            fields = (self._proc / str(process) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return self._tick_s * (int(fields[11]) + int(fields[12]))

    def since(self, before: CpuSnapshot | None) -> Contention | None:
        """Return what came about since ``before``; None if that is not known, or too short a time to tell."""
        after = self.now()
        if before is None or after is None:
            return None
        found = Contention.between(before, after, len(self.processors))
        return found if found.elapsed_s >= SHORTEST_S else None


def _processors() -> frozenset[int]:
    """Return the processors that any thread may use: some runtimes pin theirs, the first thread too."""
    found: set[int] = set()
    for thread in Path("/proc/self/task").glob("*"):
        try:
            found |= os.sched_getaffinity(int(thread.name))
        except (OSError, AttributeError):  # the thread has ended, or the system has no affinities
            continue
    return frozenset(found)
