"""What meters give: devices, readings and the bounded record of them that integration works on.

A counter's reading is joules since some unknown start; a power meter's is watts. Both become one `Track`: times in
monotonic nanoseconds and joules since the first reading, wraps already counted, interruptions noted.
"""

from __future__ import annotations

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
    """A stretch over which a meter says nothing: it could not be read, was reset, or jumped."""

    start_ns: int
    end_ns: int | None  # None: it has not come back
    reason: str


@dataclass(frozen=True)
class Window:
    """Readings of a stretch of time, as arrays of one length, in order, with the breaks that touch it.

    ``before_ns``, ``after_ns``: int64 [n]; ``energy_j``: float64 [n], joules since the track began; ``power_w``:
    float64 [n], only for power meters (empty otherwise).
    """

    before_ns: NDArray[np.int64]
    after_ns: NDArray[np.int64]
    energy_j: NDArray[np.float64]
    power_w: NDArray[np.float64]
    breaks: tuple[Break, ...] = ()


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
    _raw: float | None = None
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
            joules = self._count(reading) if self.traits.kind == "counter" else self._accumulate(reading)
            if self.traits.kind == "counter" and len(self._joules) > 1:
                self._drop_repeat(joules)
            self._before.append(reading.t_before_ns)
            self._after.append(reading.t_after_ns)
            self._joules.append(joules)
            if self.traits.kind == "power":
                self._watts.append(reading.value)
            self._raw = reading.value
            if len(self._before) > self.limit:
                self._thin()

    def fail(self, at_ns: int, reason: str) -> None:
        """Note that the meter could not be read at ``at_ns``; the break lasts until the next reading."""
        with self._lock:
            if self.breaks and self.breaks[-1].end_ns is None:
                return
            self.breaks.append(Break(self.last_ns or at_ns, None, reason))

    @property
    def failed(self) -> str:
        """Return why the meter cannot be read now; empty while it can."""
        return self.breaks[-1].reason if self.breaks and self.breaks[-1].end_ns is None else ""

    def window(self, start_ns: int, end_ns: int, margin: int = 4) -> Window:
        """Return the readings from ``margin`` before ``start_ns`` to ``margin`` after ``end_ns``."""
        import numpy as np  # not at the top: importing the package stays cheap

        with self._lock:
            low = max(bisect_left(self._after, start_ns) - margin, 0)
            high = min(bisect_right(self._before, end_ns) + margin, len(self._before))
            breaks = tuple(b for b in self.breaks if b.start_ns < end_ns and (b.end_ns or end_ns) > start_ns)
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
        step = reading.value - self._raw
        elapsed_s = max(reading.t_after_ns - self._before[-1], 1) / 1e9 + self.traits.period_s
        if step < 0 and self.traits.range_j and self._raw <= self.traits.range_j:
            wrapped = step + self.traits.range_j
            step = wrapped if 0 <= wrapped <= self.traits.max_power_w * elapsed_s else step
        if step < 0:
            return self._interrupt(
                reading, f"the counter went back from {self._raw:.6g} to {reading.value:.6g} J"
            )
        if step > self.traits.max_power_w * elapsed_s + self.traits.resolution:
            return self._interrupt(reading, f"the counter jumped by {step:.3g} J within {elapsed_s:.3g} s")
        return self._joules[-1] + step

    def _interrupt(self, reading: Reading, reason: str) -> float:
        self.breaks.append(Break(self._before[-1], reading.t_after_ns, reason))
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
