"""What the control groups above this process allow it of the processors (Linux; nothing elsewhere).

A quota may lie at the process's own group or at any above it, in version 2 (`cpu.max`, `cpu.stat`) or 1 (`cpu.cfs_*`); a
container may see its own group at the mount's root only (cgroups(7); the kernel's admin-guide on cgroup v1 and v2).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_PROC, _MOUNT = Path("/proc"), Path("/sys/fs/cgroup")


class Quota:
    """The groups that bound this process, found once."""

    def __init__(self, proc: Path = _PROC, mount: Path = _MOUNT) -> None:
        self._groups = tuple(dict.fromkeys(path.resolve() for path in _groups(proc, mount) if path.is_dir()))

    def cores(self) -> float | None:
        """Return how many processors' time is allowed; None without a quota."""
        allowed = [quota for group in self._groups if (quota := _quota(group)) is not None]
        return min(allowed, default=None)

    def held_back_s(self) -> float | None:
        """Return for how long quotas have held processes back, summed over processors; None where no group tells."""
        told = [seconds for group in self._groups if (seconds := _throttled_s(group)) is not None]
        return sum(told) if told else None


def _groups(proc: Path, mount: Path) -> Iterator[Path]:
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            bases = (mount, mount / "unified")
        elif "cpu" in controllers.split(","):
            bases = (mount / controllers, mount / "cpu")
        else:
            continue
        for base in bases:
            own = base / path.lstrip("/")
            yield from (group for group in (own, *own.parents) if group.is_relative_to(base))


def _quota(group: Path) -> float | None:
    quota, _, period = _read(group / "cpu.max").strip().partition(" ")
    if not quota:
        quota, period = (
            _read(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
        )  # -1: unlimited
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _throttled_s(group: Path) -> float | None:
    facts = dict(line.split(maxsplit=1) for line in _read(group / "cpu.stat").splitlines() if " " in line)
    for name, unit_s in (("throttled_usec", 1e-6), ("throttled_time", 1e-9)):
        if name in facts:
            return int(facts[name]) * unit_s
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
