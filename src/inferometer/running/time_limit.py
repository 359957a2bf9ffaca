"""A run's time limit: rounds are measured whole, and one that would not fit is not begun."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TimeLimit:
    """Decides once for each round whether it may begin; threads that measure devices at once get the same answer.

    The first round always may: every row is measured, whatever the limit.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``limit_s``: seconds for all rounds together, 0 for no limit; the time runs from the first round's begin."""
        self._limit_s, self._clock = limit_s, clock
        self._begun: dict[int, float] = {}  # when each round began, s
        self._refused: int | None = None
        self._lock = threading.Lock()

    def may_begin(self, number: int) -> bool:
        """Return whether round ``number`` is to be measured; it then has begun."""
        with self._lock:
            if self._refused is not None and number >= self._refused:
                return False
            if number not in self._begun:
                now = self._clock()
                if self._limit_s and self._begun and not self._fits(now):
                    self._refused = number
                    return False
                self._begun[number] = now
            return True

    def left_s(self) -> float | None:
        """Return how many seconds of the limit are left, at least 0; None without a limit."""
        if not self._limit_s:
            return None
        now = self._clock()
        return max(0.0, self._limit_s - (now - min(self._begun.values(), default=now)))

    def _fits(self, now: float) -> bool:
        """Return whether a round as long as the last one would end in time; the first ones also compile, later ones do not."""
        starts = sorted(self._begun.values())
        return now - starts[0] + (now - starts[-1]) <= self._limit_s

    @property
    def rounds(self) -> int | None:
        """Return how many rounds there are in the end, None if none was refused."""
        return self._refused
