"""What the control groups above this process allow it of the processors, by version 2 (`cpu.max`) or 1 (`cpu.cfs_*`)."""

from __future__ import annotations

from pathlib import Path

from inferometer.worker.system.cgroups import MOUNT, PROC, flat, groups, read


class Quota:
    """The groups that bound this process, found once."""

    def __init__(self, proc: Path = PROC, mount: Path = MOUNT) -> None:
        self._groups = groups("cpu", proc, mount)

    def cores(self) -> float | None:
        """Return how many processors' time is allowed; None without a quota."""
        allowed = [quota for group in self._groups if (quota := _quota(group)) is not None]
        return min(allowed, default=None)

    def throttled_s(self) -> float | None:
        """Return for how long quotas have held processes back, summed over processors; None where no group tells."""
        told = [seconds for group in self._groups if (seconds := _throttled_s(group)) is not None]
        return sum(told) if told else None


def _quota(group: Path) -> float | None:
    quota, _, period = read(group / "cpu.max").strip().partition(" ")
    if not quota:
        quota, period = (
            read(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
        )  # -1: unlimited
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _throttled_s(group: Path) -> float | None:
    facts = flat(group / "cpu.stat")
    for name, unit_s in (("throttled_usec", 1e-6), ("throttled_time", 1e-9)):
        if name in facts:
            return int(facts[name]) * unit_s
    return None
