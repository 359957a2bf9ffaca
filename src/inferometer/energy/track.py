"""The bounded record of a meter's readings that integration works on.

Counters and power meters become one record: times in monotonic nanoseconds and joules since the first reading, wraps already
counted, interruptions noted. What is read at the edges of regions is only noted there: a program that is measured does not
wait until it is worked up.
"""

from __future__ import annotations

import contextlib
import math
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from inferometer.energy.readings import Break, Meter, Reading, Traits, Window, value_of
from inferometer.errors import MeterError

MAX_READINGS = 1 << 16
MARGIN = 16  # readings on either side of a stretch, by which the power around it is known
ROUNDING = 1e-9  # of the value: a step back by so little is arithmetic, no reset
SOON_NS = 1_000_000_000  # no counter wraps within so short a time

Noted = tuple[int, int, object]  # before and after (ns), and what the meter returned, or `failed_read`


@dataclass
class Track:
    """The readings of one meter, thinned when they grow too many: the counted joules stay exact, old times get coarser."""

    traits: Traits
    told: Callable[[object], float] | None = None  # makes a value of what was noted, where that is none yet
    limit: int = MAX_READINGS
    breaks: list[Break] = field(default_factory=list)
    _before: array[int] = field(default_factory=lambda: array("q"))
    _after: array[int] = field(default_factory=lambda: array("q"))
    _joules: array[float] = field(default_factory=lambda: array("d"))
    _watts: array[float] = field(default_factory=lambda: array("d"))
    _noted: deque[Noted] = field(default_factory=lambda: deque(maxlen=MAX_READINGS))  # not in the columns yet
    _updated_ns: int = 0
    _raw: float | None = None
    _shown_ns: int = 0  # when the value of the latest reading was first read
    _asleep_s: float = 0.0  # how long the machine slept since the latest reading
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def note(self) -> Callable[[Noted], None]:
        """Return what takes down a reading: it is worked up when the record is next used, by whoever uses it.

        The oldest are forgotten where that is never: intervals get wider then.
        """
        return self._noted.append

    def __len__(self) -> int:
        with self._caught_up():
            return len(self._before)

    @property
    def last_ns(self) -> int:
        """Return when the latest reading was taken; 0 before the first."""
        with self._caught_up():
            return self._latest_ns

    @property
    def updated_ns(self) -> int:
        """Return the moment than which the latest update is not older, as far as readings tell."""
        with self._caught_up():
            return self._updated_ns

    @property
    def failed(self) -> str:
        """Return why the meter cannot be read now; empty while it can."""
        with self._caught_up():
            return self.breaks[-1].reason if self.breaks and self.breaks[-1].end_ns is None else ""

    def catch_up(self) -> None:
        """Work up what was noted."""
        with self._caught_up():
            pass

    def append(self, reading: Reading) -> None:
        """Add one reading; readings older than the latest are dropped."""
        with self._caught_up():
            self._append(reading)

    def fail(self, at_ns: int, reason: str) -> None:
        """Note that the meter could not be read at ``at_ns``; the break lasts until the next reading."""
        with self._caught_up():
            self._fail(at_ns, reason)

    def widen(self, earlier_ns: int) -> None:
        """Take it that every reading so far may have been taken so much earlier than was told."""
        with self._caught_up():
            self._before = array("q", (before_ns - earlier_ns for before_ns in self._before))
            self._shown_ns, self._updated_ns = self._shown_ns - earlier_ns, self._updated_ns - earlier_ns
            self.breaks[:] = [replace(gap, start_ns=gap.start_ns - earlier_ns) for gap in self.breaks]

    def note_sleep(self, seconds: float) -> None:
        """Note that the whole machine slept before the next reading: time that CLOCK_MONOTONIC leaves out."""
        with self._caught_up():
            self._asleep_s += seconds

    @contextlib.contextmanager
    def _caught_up(self) -> Iterator[None]:
        """Hold the lock, with every reading that had been noted in its place."""
        with self._lock:
            for _ in range(len(self._noted)):  # not those that come meanwhile, faster than they are worked up
                before_ns, after_ns, answer = self._noted.popleft()
                try:
                    self._append(Reading(before_ns, after_ns, self._value(answer)))
                except MeterError as error:
                    self._fail(before_ns, str(error))
            yield

    def _value(self, answer: object) -> float:
        return value_of(answer if self.told is None or isinstance(answer, MeterError) else self.told(answer))

    @property
    def _latest_ns(self) -> int:
        return self._after[-1] if self._after else 0

    def _append(self, reading: Reading) -> None:
        if self._before and reading.t_before_ns < self._before[-1]:
            return
        self._end_failure(reading.t_before_ns)
        shown_ns = self._shown_ns if reading.value == self._raw else reading.t_before_ns
        if self._raw is not None and reading.value != self._raw:
            since = (
                reading.t_before_ns - round(self.traits.late_s * 1e9)
                if self.traits.period_known
                else self._before[-1]
            )
            self._updated_ns = max(since, self._before[-1])
        joules = self._count(reading) if self.traits.kind == "counter" else self._accumulate(reading)
        if self.traits.kind == "counter" and len(self._joules) > 1:
            self._drop_repeat(joules)
        self._before.append(reading.t_before_ns)
        self._after.append(reading.t_after_ns)
        self._joules.append(joules)
        if self.traits.kind == "power":
            self._watts.append(reading.value)
        self._raw, self._shown_ns = reading.value, shown_ns
        if len(self._before) > self.limit:
            self._thin()

    def _fail(self, at_ns: int, reason: str) -> None:
        if not (self.breaks and self.breaks[-1].end_ns is None):
            self.breaks.append(Break(self._latest_ns or at_ns, None, reason))

    def window(self, start_ns: int, end_ns: int, margin: int = MARGIN) -> Window:
        """Return the readings from ``margin`` before ``start_ns`` to ``margin`` after ``end_ns``, with the breaks among them."""
        import numpy as np  # not at the top: importing the package stays cheap

        with self._caught_up():
            low = max(bisect_left(self._after, start_ns) - margin, 0)
            high = min(bisect_right(self._before, end_ns) + margin, len(self._before))
            first_ns = min(start_ns, self._before[low]) if low < high else start_ns
            last_ns = max(end_ns, self._after[high - 1]) if low < high else end_ns
            breaks = tuple(b for b in self.breaks if b.touches(first_ns, last_ns))
            return Window(
                np.array(self._before[low:high], np.int64),
                np.array(self._after[low:high], np.int64),
                np.array(self._joules[low:high], np.float64),
                np.array(self._watts[low:high], np.float64),
                breaks,
            )

    def _count(self, reading: Reading) -> float:
        if self._raw is None:
            return 0.0
        soon = reading.t_after_ns - self._before[-1] < SOON_NS and not self._asleep_s
        if soon and reading.value == self._raw:
            return self._joules[-1]
        step = reading.value - self._raw
        if -ROUNDING * self._raw <= step < 0:
            step = 0.0
        asleep_s, self._asleep_s = self._asleep_s, 0.0
        elapsed_s = max(reading.t_after_ns - self._shown_ns, 1) / 1e9 + self.traits.oldest_s + asleep_s
        gap_s = max(reading.t_after_ns - self._before[-1], 1) / 1e9 + self.traits.oldest_s + asleep_s
        slept = f"the machine slept for {asleep_s:.3g} s" if asleep_s else ""
        most_j = self.traits.max_power_w * elapsed_s
        range_j = self.traits.range_j
        if step < 0 and slept:  # it may as well have been reset as have wrapped
            return self._interrupt(reading, slept, most_j)
        if range_j and self._raw <= range_j and -range_j <= step < 0 and step + range_j <= most_j:
            step += range_j
        if step < 0:
            return self._interrupt(
                reading, f"the counter went back from {self._raw:.6g} to {reading.value:.6g} J", most_j
            )
        if step > most_j + self.traits.resolution:
            return self._interrupt(
                reading, f"the counter jumped by {step:.3g} J within {elapsed_s:.3g} s", most_j
            )
        if slept or (range_j and step + range_j <= self.traits.max_power_w * gap_s):
            self._note_wraps(reading, step, most_j, slept)
        return self._joules[-1] + step

    def _note_wraps(self, reading: Reading, step: float, most_j: float, slept: str) -> None:
        """Note a gap so long that the counter may have wrapped within, unseen, or in which the machine slept."""
        range_j = self.traits.range_j
        gap_s = (reading.t_after_ns - self._before[-1]) / 1e9
        reason = slept or (
            f"no reading for {gap_s:.3g} s, in which the counter may have wrapped unseen "
            f"(every {range_j:.6g} J; at most {self.traits.max_power_w:.5g} W)"
        )
        most = step + math.floor((most_j - step) / range_j) * range_j if range_j else step
        self.breaks.append(Break(self._before[-1], reading.t_after_ns, reason, step, most))

    def _interrupt(self, reading: Reading, reason: str, most_j: float) -> float:
        self.breaks.append(Break(self._before[-1], reading.t_after_ns, reason, 0.0, most_j))
        return self._joules[-1]

    def _accumulate(self, reading: Reading) -> float:
        if self._raw is None:
            return 0.0
        seconds = (reading.t_before_ns - self._before[-1]) / 1e9
        return self._joules[-1] + seconds * (reading.value + self._raw) / 2

    def _end_failure(self, at_ns: int) -> None:
        if self.breaks and self.breaks[-1].end_ns is None:
            last = self.breaks[-1]
            self.breaks[-1] = Break(last.start_ns, at_ns, last.reason)

    def _drop_repeat(self, joules: float) -> None:
        """Of a run of equal readings keep the first and the last: the others date no update."""
        if self._joules[-2] == self._joules[-1] == joules:
            for column in (self._before, self._after, self._joules):
                column.pop()

    def _thin(self) -> None:
        half = len(self._before) // 2
        for stamps in (self._before, self._after):
            stamps[:half] = stamps[:half:2]
        for values in (self._joules, self._watts) if self._watts else (self._joules,):
            values[:half] = values[:half:2]


class PushMeter(Meter, Protocol):
    """A meter whose readings arrive by themselves (a network meter)."""

    def attach(self, track: Track) -> None:
        """Append every reading that arrives to ``track`` from now on."""
