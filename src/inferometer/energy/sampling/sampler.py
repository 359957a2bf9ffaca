"""One thread that reads every meter, seldom and at the right moments.

A counter that is updated every 100 ms is read twice around a predicted update, so that the update's time is known to
a few milliseconds at two reads; its period is learned on the way. Fast counters are read at a steady pace, power at
irregular moments (a fixed pace could fall into step with the load). The processor time of the reads is itself
measured, and the pace is lowered where it would exceed a small share of the machine.
"""

from __future__ import annotations

import math
import os
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from inferometer.energy.readings import Meter, Reading, Track
from inferometer.energy.sampling.update_tracker import UpdateTracker
from inferometer.errors import MeterError
from inferometer.worker.failures import failure_text

PACE_S = 0.1  # between two looks at a meter, where its period and cost allow
STEADY_PACE_S = (
    0.3  # at a counter that is updated seldom, where only long stretches of steady work are of interest
)
CPU_SHARE = 0.0012  # of the whole machine's processors, for all meters together
SLOWEST_PACE_S = 1.0
TRACKED_PERIOD_S = 0.02  # counters updated more seldom than this have their updates tracked
RETRY_S = 2.0  # after a failed read
CONDITIONS_S = 2.0
NEVER_NS = 1 << 62


class Clock(Protocol):
    """Where time comes from; tests bring their own."""

    def now_ns(self) -> int:
        """Return CLOCK_MONOTONIC."""

    def cpu_ns(self) -> int:
        """Return the processor time of the calling thread."""

    def wait(self, until_ns: int, wake: threading.Event) -> bool:
        """Sleep until ``until_ns``; True at once if ``wake`` is set."""


class SystemClock:
    """The host's own clock."""

    def now_ns(self) -> int:
        """Return CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def cpu_ns(self) -> int:
        """Return the processor time of the calling thread."""
        return time.thread_time_ns()

    def wait(self, until_ns: int, wake: threading.Event) -> bool:
        """Sleep until ``until_ns``; True at once if ``wake`` is set."""
        return wake.wait(max(until_ns - time.monotonic_ns(), 0) / 1e9)


@dataclass
class Cost:
    """What a read takes: the sums of wall and processor time over the reads so far."""

    reads: int = 0
    wall_ns: int = 0
    cpu_ns: int = 0

    def add(self, wall_ns: int, cpu_ns: int) -> None:
        """Count one read."""
        self.reads += 1
        self.wall_ns += wall_ns
        self.cpu_ns += cpu_ns

    @property
    def wall_s(self) -> float:
        """Return mean seconds a read."""
        return self.wall_ns / max(self.reads, 1) / 1e9

    @property
    def cpu_s(self) -> float:
        """Return mean processor seconds a read."""
        return self.cpu_ns / max(self.reads, 1) / 1e9


@dataclass
class Channel:
    """A meter with its record, its cost and its plan of reading."""

    meter: Meter
    track: Track
    cost: Cost = field(default_factory=Cost)
    next_ns: int = 0
    tracker: UpdateTracker | None = None
    previous: Reading | None = None
    conditions: deque[tuple[int, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=4096))
    next_conditions_ns: int = 0

    @classmethod
    def of(cls, meter: Meter) -> Channel:
        """Return the channel that suits the meter."""
        traits = meter.traits
        tracked = traits.kind == "counter" and traits.period_s >= TRACKED_PERIOD_S and not traits.push
        return cls(meter, Track(traits), tracker=UpdateTracker(traits.period_s * 1e9) if tracked else None)

    @property
    def period_s(self) -> float:
        """Return the meter's update period, as learned where its updates are tracked."""
        if self.tracker is not None and self.tracker.locked:
            return self.tracker.period_ns / 1e9
        return self.meter.traits.period_s

    @property
    def edge_s(self) -> float:
        """Return how well the time of an update is known."""
        if self.tracker is not None:
            return min(self.tracker.width_ns / 1e9, self.meter.traits.period_s)
        return self.meter.traits.period_s + self.cost.wall_s


class Sampler:
    """Reads meters in a thread of its own, from `start` until `stop`; `step` does one read and can be called by a test."""

    def __init__(
        self,
        meters: Sequence[Meter],
        clock: Clock | None = None,
        *,
        pace_s: float = PACE_S,
        track_pace_s: float | None = None,
        seed: int = 0,
    ) -> None:
        """``track_pace_s``: between two updates that are tracked, of a counter that integrates; by default ``pace_s``."""
        self.clock: Clock = clock or SystemClock()
        self.pace_s = pace_s
        self.track_pace_s = pace_s if track_pace_s is None else track_pace_s
        self.channels = {meter.device.uid: Channel.of(meter) for meter in meters}
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._read_lock = threading.Lock()
        self._processors = os.cpu_count() or 1
        self._cpu_mark_ns = 0
        self._step_cpu_ns = 0.0
        for channel in self.channels.values():
            attach = getattr(channel.meter, "attach", None)
            if attach is not None:
                attach(channel.track)

    def start(self) -> None:
        """Begin to read; does nothing while it reads already or where every meter reports by itself."""
        if self._thread is None and any(not c.meter.traits.push for c in self.channels.values()):
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="inferometer-meters", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def running(self) -> bool:
        """Tell whether the thread reads."""
        return self._thread is not None

    @property
    def next_ns(self) -> int:
        """Return when the next read is due."""
        return min((c.next_ns for c in self.channels.values() if not c.meter.traits.push), default=NEVER_NS)

    def step(self) -> None:
        """Read the meter that is due first, and those that may as well be read now: waking up costs more than a read."""
        polled = [c for c in self.channels.values() if not c.meter.traits.push]
        if not polled:
            return
        due = min(polled, key=lambda c: c.next_ns)
        mark_ns, self._cpu_mark_ns = self._cpu_mark_ns, self.clock.cpu_ns()
        if mark_ns and threading.current_thread() is self._thread:
            # all that the thread used since the step before: waking, reading, planning
            self._step_cpu_ns += 0.1 * (self._cpu_mark_ns - mark_ns - self._step_cpu_ns)
        with self._read_lock:
            for channel in (due, *(c for c in polled if c is not due and self._may_join(c))):
                self._read(channel)
                self._ride_along(channel)

    def read_fast(self, limit_s: float = 2e-4) -> None:
        """Read at once every meter that shows its present value at little cost (at the edges of regions)."""
        with self._read_lock:
            for channel in self.channels.values():
                traits = channel.meter.traits
                counter = traits.kind == "counter" and not traits.push and channel.tracker is None
                if counter and (channel.cost.reads == 0 or channel.cost.wall_s <= limit_s):
                    self._read(channel)

    def wait_past(self, at_ns: int, limit_s: float = 1.0) -> None:
        """Wait until every working meter has been updated after ``at_ns``, at most ``limit_s``; reads go on meanwhile."""
        end_ns = self.clock.now_ns() + round(limit_s * 1e9)
        while self.clock.now_ns() < end_ns and any(self._behind(c, at_ns) for c in self.channels.values()):
            if self.running or self.next_ns == NEVER_NS:
                self.clock.wait(self.clock.now_ns() + 5_000_000, threading.Event())
                self.read_fast()
            elif self.next_ns < end_ns:  # without the thread, as in tests
                self.clock.wait(self.next_ns, threading.Event())
                self.step()
            else:
                return

    def _may_join(self, channel: Channel) -> bool:
        return channel.tracker is None and channel.next_ns < self.clock.now_ns() + 0.3e9 * self.pace_s

    def _behind(self, channel: Channel, at_ns: int) -> bool:
        if channel.track.failed:
            return False
        period_ns = channel.meter.traits.period_s * 1e9
        return channel.track.last_ns < at_ns + 2.4 * period_ns + 1_000_000

    def _run(self) -> None:
        self._cpu_mark_ns = 0
        while not self.clock.wait(self.next_ns, self._stop):
            self.step()

    def _read(self, channel: Channel) -> None:
        cpu_ns, before_ns = self.clock.cpu_ns(), self.clock.now_ns()
        try:
            value = read_value(channel.meter)
        except MeterError as error:
            channel.track.fail(before_ns, str(error))
            channel.next_ns = self.clock.now_ns() + round(RETRY_S * 1e9)
            channel.previous = None
            return
        reading = Reading(before_ns, self.clock.now_ns(), value)
        channel.cost.add(reading.t_after_ns - before_ns, self.clock.cpu_ns() - cpu_ns)
        channel.track.append(reading)
        channel.next_ns = round(self._plan(channel, reading))
        channel.previous = reading

    def _plan(self, channel: Channel, reading: Reading) -> float:
        pace_ns = self._pace_s(channel) * 1e9
        if channel.tracker is not None:
            return channel.tracker.after(channel.previous, reading, pace_ns)
        if channel.meter.traits.kind == "power":
            return reading.t_after_ns + pace_ns * self._random.uniform(0.5, 1.5)
        return reading.t_before_ns + pace_ns

    def _pace_s(self, channel: Channel) -> float:
        """Return the time between two looks that keeps all meters' reads within their share of the processors."""
        reads = 2 if channel.tracker is not None else 1
        whole = channel.tracker is not None and channel.meter.traits.integrates
        pace_s = self.track_pace_s if whole else self.pace_s  # what sees a part must be seen often
        share = CPU_SHARE * self._processors / max(len(self.channels), 1)
        cost_s = max(channel.cost.cpu_s, self._step_cpu_ns / 1e9)
        return min(max(pace_s, reads * cost_s / share), max(SLOWEST_PACE_S, pace_s))

    def _ride_along(self, channel: Channel) -> None:
        now_ns = self.clock.now_ns()
        if now_ns >= channel.next_conditions_ns and not channel.track.failed:
            channel.next_conditions_ns = now_ns + round(CONDITIONS_S * 1e9)
            facts = _read_conditions(channel.meter)
            if facts:
                channel.conditions.append((now_ns, facts))


def read_value(meter: Meter) -> float:
    """Return a meter's value; MeterError whatever goes wrong, since others' code must not end the sampling."""
    try:
        value = float(meter.read())
    except MeterError:
        raise
    except Exception as error:
        raise MeterError(f"reading failed with {failure_text(error)}") from error
    if not math.isfinite(value):
        raise MeterError(f"it gave {value}")
    return value


def _read_conditions(meter: Meter) -> dict[str, Any]:
    try:
        return meter.conditions()
    except Exception:  # they ride along: without them the readings stand all the same
        return {}
