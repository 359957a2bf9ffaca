"""Peak memory of this process, by the kernel."""

from __future__ import annotations

import contextlib
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
