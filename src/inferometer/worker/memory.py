"""Memory of this process and its host, by the kernel."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path
from typing import Any


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


def free_bytes() -> int:
    """Return how much memory a process may still take: the host's, or less by the control group's limit."""
    free = [_host_free_bytes()]
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):  # no such group, or "max": no limit
            folder = Path("/sys/fs/cgroup")
            free.append(int((folder / limit).read_text()) - int((folder / used).read_text()))
    return max(0, min(free))


def _host_free_bytes() -> int:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
