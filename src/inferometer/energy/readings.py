"""What meters give: devices, readings and the bounded record of them that integration works on.

A counter's reading is joules since some unknown start; a power meter's is watts. Both become one `Track`: times in
monotonic nanoseconds and joules since the first reading, wraps already counted, interruptions noted.
"""

from __future__ import annotations

import math
import threading
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Kind = Literal["counter", "power"]

MAX_READINGS = 1 << 16
MARGIN = 16  # readings on either side of a stretch, by which the power around it is known
UNKNOWN_S = 0.1  # for so long a value may have been shown where the update period is not known
ROUNDING = 1e-9  # of the value: a step back by so little is arithmetic, no reset
SOON_NS = 1_000_000_000  # no counter wraps within so short a time
LATE = 1.25  # an update may come this many periods after the one before it
LEAST_PEAK_S = 0.002  # between two readings that tell the largest power
MAX_POWER_W = 5000.0  # above this a jump of a counter is no consumption of one device


@dataclass(frozen=True)
class MeteredDevice:
    """A thing whose energy is metered: `uid` is unique among the meters of a host and stable between runs."""

    uid: str
    name: str
    type: str  # gpu, cpu, dram, psys, external
    meter: str  # the plug-in: nvml, rapl, mqtt, amd, ...


@dataclass(frozen=True)
class Traits:
    """How a meter behaves, as far as known before it is read; see docs/energy.md for each word."""

    kind: Kind
    period_s: float = 0.0  # between two updates of the value; 0: current at every read
    window_s: float = 0.0  # a power reading is the mean over this long before it was updated
    resolution: float = 0.0  # smallest step, J or W
    range_j: float | None = None  # the counter starts again from 0 here
    integrates: bool = True  # False: the counter may extrapolate from a part of the time
    push: bool = False  # readings come by themselves; there is nothing to poll
    max_power_w: float = MAX_POWER_W
    period_known: bool = (
        True  # False: the period is a typical one, until a burst of reads or `characterize` has seen it
    )
    limit_known: bool = False  # the largest power is this device's own limit, not one that fits any device


class Meter(Protocol):
    """One source of readings for one device; `read` may be called from one thread at a time."""

    device: MeteredDevice
    traits: Traits

    def read(self) -> float:
        """Return joules (counter) or watts (power); MeterError if it cannot be read (any more)."""

    def conditions(self) -> dict[str, Any]:
        """Return what rides along (clocks, temperature, throttle reasons, utilisation); empty where there is nothing."""

    def close(self) -> None:
        """Let go of the device; reading afterwards is an error."""


class PushMeter(Meter, Protocol):
    """A meter whose readings arrive by themselves (a network meter)."""

    def attach(self, track: Track) -> None:
        """Append every reading that arrives to ``track`` from now on."""


class Reading(NamedTuple):
    """One reading: the value was current at some moment between the two stamps (CLOCK_MONOTONIC)."""

    t_before_ns: int
    t_after_ns: int
    value: float


@dataclass(frozen=True)
class Break:
    """A stretch over which a meter does not tell all: it could not be read, was reset, jumped, or may have wrapped unseen."""

    start_ns: int
    end_ns: int | None  # None: it has not come back
    reason: str
    counted_j: float = 0.0  # what the record counts for it
    most_j: float = 0.0  # the most that it can have been, where that is more

    @property
    def untold_j(self) -> float:
        """Return how much more than was counted can have been taken within."""
        return max(self.most_j - self.counted_j, 0.0)

    def touches(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether it overlaps a stretch of time."""
        return self.start_ns < end_ns and (self.end_ns is None or self.end_ns > start_ns)


@dataclass(frozen=True)
class Window:
    """Readings of a stretch of time, as arrays of one length, in order, with the breaks that touch it.

    ``before_ns``, ``after_ns``: int64 [n]; ``energy_j``: float64 [n], joules since the track began; ``power_w``:
    float64 [n], only for power meters (empty otherwise). ``peak_w``: the largest mean power between two updates that the
    meter has shown so far, whenever that was; 0 where none is known.
    """

    before_ns: NDArray[np.int64]
    after_ns: NDArray[np.int64]
    energy_j: NDArray[np.float64]
    power_w: NDArray[np.float64]
    breaks: tuple[Break, ...] = ()
    peak_w: float = 0.0


@dataclass
class Track:
    """The readings of one meter, thinned when they grow too many: the counted joules stay exact, old times get coarser."""

    traits: Traits
    limit: int = MAX_READINGS
    breaks: list[Break] = field(default_factory=list)
    _before: array[int] = field(default_factory=lambda: array("q"))
    _after: array[int] = field(default_factory=lambda: array("q"))
    _joules: array[float] = field(default_factory=lambda: array("d"))
    _watts: array[float] = field(default_factory=lambda: array("d"))
    updated_ns: int = 0  # the latest update is not older than this, as far as readings tell
    _raw: float | None = None
    _shown_ns: int = 0  # when the value of the latest reading was first read
    _peak_w: float = 0.0
    _asleep_s: float = 0.0  # how long the machine slept since the latest reading
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self._before)

    @property
    def last_ns(self) -> int:
        """Return when the latest reading was taken; 0 before the first."""
        return self._after[-1] if self._after else 0

    def append(self, reading: Reading) -> None:
        """Add one reading; readings older than the latest are dropped."""
        with self._lock:
            if self._before and reading.t_before_ns < self._before[-1]:
                return
            self._end_failure(reading.t_before_ns)
            shown_ns = self._shown_ns if reading.value == self._raw else reading.t_before_ns
            if self._raw is not None and reading.value != self._raw:
                late_ns = round(LATE * self.traits.period_s * 1e9)
                since = reading.t_before_ns - late_ns if self.traits.period_known else self._before[-1]
                self.updated_ns = max(since, self._before[-1])
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

    def fail(self, at_ns: int, reason: str) -> None:
        """Note that the meter could not be read at ``at_ns``; the break lasts until the next reading."""
        with self._lock:
            if self.breaks and self.breaks[-1].end_ns is None:
                return
            self.breaks.append(Break(self.last_ns or at_ns, None, reason))

    def note_sleep(self, seconds: float) -> None:
        """Note that the whole machine slept before the next reading: time that CLOCK_MONOTONIC leaves out."""
        with self._lock:
            self._asleep_s += seconds

    @property
    def failed(self) -> str:
        """Return why the meter cannot be read now; empty while it can."""
        return self.breaks[-1].reason if self.breaks and self.breaks[-1].end_ns is None else ""

    def window(self, start_ns: int, end_ns: int, margin: int = MARGIN) -> Window:
        """Return the readings from ``margin`` before ``start_ns`` to ``margin`` after ``end_ns``, with the breaks among them."""
        import numpy as np  # not at the top: importing the package stays cheap

        with self._lock:
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
                self._peak_w,
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
        elapsed_s = max(reading.t_after_ns - self._shown_ns, 1) / 1e9 + self._late_s + asleep_s
        gap_s = max(reading.t_after_ns - self._before[-1], 1) / 1e9 + self._late_s + asleep_s
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
        else:
            self._learn_peak(reading, step)
        return self._joules[-1] + step

    @property
    def _late_s(self) -> float:
        """Return how old the value that a reading shows may be."""
        late_s = LATE * self.traits.period_s
        return late_s if self.traits.period_known else max(late_s, UNKNOWN_S)

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

    def _learn_peak(self, reading: Reading, step: float) -> None:
        """Learn the largest power from two readings so far apart that updates between them cannot be mistaken for power."""
        period_s = self.traits.period_s if self.traits.period_known else 0.0
        between_s = (reading.t_before_ns - self._after[-1]) / 1e9
        if between_s > max(2 * period_s, LEAST_PEAK_S):
            self._peak_w = max(self._peak_w, step / (between_s - period_s))

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
