"""Who else had this process's processors while the loops were timed, by the kernel's accounts (Linux; silent elsewhere).

/proc/stat counts each processor's time in ticks: busy, idle, and stolen (a hypervisor ran another guest). What was busy
and was not this process's own was some other process's. A control group with a processor quota may also have been held
back, which `cpu.stat` tells (proc(5); the kernel's admin-guide/cgroup-v2).
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

OTHERS_SHARE = 0.05  # of the processors' time, from which on a reader must know
STOLEN_SHARE = 0.01
_LEAST_S = 0.1  # ticks are 10 ms, and busy ones are sampled: less is not told
_BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq; guests are counted within the first two
_STOLEN = 7


@dataclass(frozen=True)
class Moment:
    """Seconds since some beginning, summed over the processors that this process may use."""

    capacity_s: float
    busy_s: float
    stolen_s: float
    own_s: float
    held_back_s: float = 0.0  # by a quota, summed over processors


@dataclass(frozen=True)
class Contention:
    """How much of its processors a process did not have between two moments."""

    processors: int
    capacity_s: float
    others_s: float
    stolen_s: float
    held_back_s: float

    @classmethod
    def between(cls, before: Moment, after: Moment, processors: int) -> Contention:
        """Return what came about from one moment to the next."""
        busy_s = after.busy_s - before.busy_s
        return cls(
            processors,
            after.capacity_s - before.capacity_s,
            max(busy_s - (after.own_s - before.own_s), 0.0),
            max(after.stolen_s - before.stolen_s, 0.0),
            max(after.held_back_s - before.held_back_s, 0.0),
        )

    def facts(self) -> dict[str, float]:
        """Return shares of the processors' time, for the record."""
        capacity_s = self.capacity_s or 1.0
        return {
            "processors": self.processors,
            "others_share": round(self.others_s / capacity_s, 4),
            "stolen_share": round(self.stolen_s / capacity_s, 4),
            "held_back_s": round(self.held_back_s, 3),
        }

    def flags(self) -> list[str]:
        """Return what a reader of the loops must know."""
        told = []
        if self.others_s >= max(_LEAST_S, OTHERS_SHARE * self.capacity_s):
            told.append(f"other processes had {self._share(self.others_s)} during the loops")
        if self.stolen_s >= max(_LEAST_S, STOLEN_SHARE * self.capacity_s):
            told.append(f"the hypervisor took {self._share(self.stolen_s)} during the loops")
        if self.held_back_s >= _LEAST_S:
            told.append(
                f"the control group's quota held the loops back for {self.held_back_s:.2g} s of processor time"
            )
        return told

    def _share(self, seconds: float) -> str:
        return f"{100 * seconds / self.capacity_s:.0f} % of the {self.processors} processors' time"


class Accounts:
    """Where moments are read; `now` returns None on a system that keeps no such accounts."""

    def __init__(self, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> None:
        self._proc = proc
        self._held_back = _group(proc, cgroup) / "cpu.stat"
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        self.processors = (
            frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
        )

    def now(self) -> Moment | None:
        """Return this moment; takes a read of two small files."""
        try:
            lines = [line.split() for line in (self._proc / "stat").read_text().splitlines()]
        except OSError:
            return None
        wanted = {f"cpu{number}" for number in self.processors}
        counts = [[int(field) for field in fields] for name, *fields in lines if name in wanted]
        if not counts or not any(map(sum, counts)) or len(counts[0]) <= _STOLEN:
            return None
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Moment(
            capacity_s=self._tick_s * sum(sum(fields[:8]) for fields in counts),
            busy_s=self._tick_s * sum(fields[at] for fields in counts for at in _BUSY),
            stolen_s=self._tick_s * sum(fields[_STOLEN] for fields in counts),
            own_s=usage.ru_utime + usage.ru_stime,
            held_back_s=self._throttled_s(),
        )

    def since(self, before: Moment | None) -> Contention | None:
        """Return what came about since ``before``."""
        after = self.now()
        if before is None or after is None:
            return None
        return Contention.between(before, after, len(self.processors))

    def _throttled_s(self) -> float:
        try:
            lines = self._held_back.read_text().splitlines()
        except OSError:
            return 0.0
        return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith("throttled_usec")), 0.0)


def _group(proc: Path, cgroup: Path) -> Path:
    """Return the folder of this process's control group (version 2)."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return cgroup
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return cgroup / path.lstrip("/")
