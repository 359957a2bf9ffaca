"""Where a sampler's time comes from."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from; tests bring their own."""

    def now_ns(self) -> int:
        """Return CLOCK_MONOTONIC."""

    def cpu_ns(self) -> int:
        """Return the processor time of the calling thread."""

    def asleep_ns(self) -> int:
        """Return for how long the whole machine has slept so far, which CLOCK_MONOTONIC leaves out."""

    def wait(self, until_ns: int, wake: threading.Event) -> bool:
        """Sleep until ``until_ns``; True at once if ``wake`` is set."""


class SystemClock:
    """The host's own clock."""

    now_ns = staticmethod(time.monotonic_ns)  # itself: the edges of regions ask it many times

    def cpu_ns(self) -> int:
        """Return the processor time of the calling thread."""
        return time.thread_time_ns()

    def asleep_ns(self) -> int:
        """Return for how long the machine was suspended since it was started, to some microseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()

    def wait(self, until_ns: int, wake: threading.Event) -> bool:
        """Sleep until ``until_ns``; True at once if ``wake`` is set."""
        return wake.wait(max(until_ns - time.monotonic_ns(), 0) / 1e9)
