"""Memory of this process and its host, by the kernel."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import Any

from inferometer.worker.system.cgroups import MOUNT, PROC, flat, groups, read

_LIMITS = ("memory.max", "memory.limit_in_bytes")


def reset_peak() -> None:
    """Start a new peak of resident memory, where the kernel allows it (Linux: proc(5), clear_refs)."""
    with contextlib.suppress(OSError):  # the peak then covers the whole process, as on other systems
        Path("/proc/self/clear_refs").write_text("5")


def peaks(device_peak_bytes: int | None) -> dict[str, Any]:
    """Return `records.Memory` as JSON data."""
    return {"rss_peak_bytes": _rss_peak_bytes(), "device_peak_bytes": device_peak_bytes}


def _rss_peak_bytes() -> int:
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def free_bytes(proc: Path = PROC, mount: Path = MOUNT) -> int:
    """Return how much memory a process may still take: the host's, or less by a limit of a control group above it."""
    free = [_host_free_bytes(proc)]
    free += [left for group in groups("memory", proc, mount) if (left := _left_bytes(group)) is not None]
    return max(0, min(free))


def limit_bytes(proc: Path = PROC, mount: Path = MOUNT) -> int | None:
    """Return the least that a control group above this process allows it; None where that is all that the host has."""
    texts = [read(group / name).strip() for group in groups("memory", proc, mount) for name in _LIMITS]
    least = min((int(text) for text in texts if text.isdigit()), default=_host_bytes())  # "max": no limit
    return least if least < _host_bytes() else None


def _left_bytes(group: Path) -> int | None:
    """Return what a group's limit leaves, files that the kernel can drop at once included; None without a limit."""
    for limit, used, droppable in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, now = read(group / limit).strip(), read(group / used).strip()
        if most.isdigit() and now.isdigit():  # else "max": no limit
            return int(most) - int(now) + int(flat(group / "memory.stat").get(droppable, 0))
    return None


def _host_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _host_free_bytes(proc: Path) -> int:
    with contextlib.suppress(OSError, StopIteration):
        lines = (proc / "meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return _host_bytes()
