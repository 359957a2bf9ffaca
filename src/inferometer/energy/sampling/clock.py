"""Where a sampler's time comes from."""

from __future__ import annotations

import functools
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from; tests bring their own."""

    def now_ns(self) -> int:
        """Return CLOCK_MONOTONIC."""

    def cpu_ns(self) -> int:
        """Return the processor time of the calling thread."""

    def boot_ns(self) -> int:
        """Return CLOCK_BOOTTIME: ahead of `now_ns` by how long the whole machine has slept."""

    def wait(self, until_ns: int, wake: threading.Event) -> bool:
        """Sleep until ``until_ns``; True at once if ``wake`` is set."""


class SystemClock:
    """The host's own clock."""

    # themselves: the edges of regions ask them many times
    now_ns = staticmethod(time.monotonic_ns)
    boot_ns = staticmethod(functools.partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME))

    def cpu_ns(self) -> int:
        """Return the processor time of the calling thread."""
        return time.thread_time_ns()

    def wait(self, until_ns: int, wake: threading.Event) -> bool:
        """Sleep until ``until_ns``; True at once if ``wake`` is set."""
        return wake.wait(max(until_ns - time.monotonic_ns(), 0) / 1e9)
