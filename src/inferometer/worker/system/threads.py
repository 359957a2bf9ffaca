"""CPU threads for frameworks that take no number but look at the CPUs they may use."""

from __future__ import annotations

import os


def limit_affinity(threads: int) -> int:
    """Restrict this process to ``threads`` of its CPUs and return how many it may use now."""
    allowed = sorted(os.sched_getaffinity(0))
    if 0 < threads < len(allowed):
        os.sched_setaffinity(0, allowed[:threads])
    return len(os.sched_getaffinity(0))
