"""One thread that reads every meter, seldom and at the right moments.

A counter that is updated every 100 ms is read twice around a predicted update, so that the update's time is known to
a few milliseconds at two reads; its period is learned on the way. Fast counters are read at a steady pace, power at
irregular moments (a fixed pace could fall into step with the load). The processor time of the reads is itself
measured, and the pace is lowered where it would exceed a small share of the machine.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Sequence
from typing import Any

from inferometer.energy.readings import UNKNOWN_S, Meter, Reading, read_value
from inferometer.energy.sampling.burst import BURST_PAUSE_NS, BURST_S, LONGEST_BURST_S, Burst
from inferometer.energy.sampling.channel import SLEPT_NS, Channel
from inferometer.energy.sampling.clock import Clock, SystemClock
from inferometer.energy.sampling.pacing import REGIONS, Pacing
from inferometer.errors import MeterError

SLOWEST_PACE_S = 1.0
RETRY_S = 2.0  # after a failed read
CONDITIONS_S = 2.0
NEVER_NS = 1 << 62


class Sampler:
    """Reads meters in a thread of its own, from `start` until `stop`; `step` does one read and can be called by a test."""

    def __init__(
        self,
        meters: Sequence[Meter],
        clock: Clock | None = None,
        *,
        pacing: Pacing = REGIONS,
        seed: int = 0,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.pacing = pacing
        self.channels = {meter.device.uid: Channel.of(meter) for meter in meters}
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._processors = os.cpu_count() or 1
        self._cpu_mark_ns = 0
        self._step_cpu_ns = 0.0
        self._fast = [c for c in self.channels.values() if c.fast]
        self._now_ns, self._boot_ns = self.clock.now_ns, self.clock.boot_ns
        self._edge = threading.Lock()  # held by whoever reads what is read at edges
        self._watch_ns = NEVER_NS  # when all that is read at edges is read next in between, and
        self._watched_ns = NEVER_NS  # how long after that again
        self._look_up()
        self._asleep_ns = self._slept_so_far_ns()
        for channel in self.channels.values():
            channel.asleep_ns = self._asleep_ns
            attach = getattr(channel.meter, "attach", None)
            if attach is not None:
                attach(channel.track)

    def start(self) -> None:
        """Begin to read; does nothing while it reads already or where every meter reports by itself."""
        if self._thread is None and any(not c.meter.traits.push for c in self.channels.values()):
            self._stop.clear()
            self.learn_periods()
            self._thread = threading.Thread(target=self._run, name="inferometer-meters", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def let_go(self) -> None:
        """Read nothing at edges any more: the meters are about to be closed."""
        with self._edge:
            for known in (self._fast, self._cheap, self._edges):
                known.clear()

    def forked(self) -> None:
        """Be what is left in a forked child: no thread, which may have been reading just then."""
        self._edge, self._thread = threading.Lock(), None

    @property
    def running(self) -> bool:
        """Tell whether the thread reads."""
        return self._thread is not None

    @property
    def next_ns(self) -> int:
        """Return when the next read is due."""
        polled = (c.next_ns for c in self.channels.values() if not c.meter.traits.push)
        return min((self._watch_ns, *polled))

    def step(self) -> None:
        """Read the meter that is due first, and those that may as well be read now: waking up costs more than a read."""
        polled = [c for c in self.channels.values() if not c.meter.traits.push]
        if not polled:
            return
        due = min(polled, key=lambda c: c.next_ns)
        if self._watch_ns < due.next_ns:
            self._watch()
            return
        mark_ns, self._cpu_mark_ns = self._cpu_mark_ns, self.clock.cpu_ns()
        if mark_ns and threading.current_thread() is self._thread:
            # all that the thread used since the step before: waking, reading, planning
            self._step_cpu_ns += 0.1 * (self._cpu_mark_ns - mark_ns - self._step_cpu_ns)
        for channel in self._fast:
            channel.track.catch_up()
        self._look_up()
        for channel in (due, *(c for c in polled if c is not due and self._may_join(c))):
            with self._sole(channel):
                self._read(channel)
                self._ride_along(channel)
        self._plan_watch()

    def read_fast(self) -> int:
        """Read at once every meter that shows its present value at little cost (at the edges of regions); return when that was done.

        The program that is measured waits for this, often with cold caches: the readings are noted alone, as they came, and worked
        up when the record is next used.
        """
        now_ns = self._now_ns
        with self._edge:
            before_ns = now_ns()
            # before what is read now is taken for the work of a moment
            if self._boot_ns() - before_ns - self._asleep_ns > SLEPT_NS:
                self._note_sleep()
            for look, note, channel in self._edges:
                try:
                    answer: object = look()
                except Exception as error:  # others' code; told when it is worked up
                    answer = channel.failed_look(error)
                after_ns = now_ns()
                note((before_ns, after_ns, answer))
                before_ns = after_ns
        return before_ns

    def _note_sleep(self) -> None:
        """Note that the machine slept, with every counter that is read at edges, before any is read."""
        self._asleep_ns = self._slept_so_far_ns()
        for channel in self._cheap:
            channel.note_sleep(self._asleep_ns)

    def _slept_so_far_ns(self) -> int:
        return self.clock.boot_ns() - self.clock.now_ns()

    def _sole(self, channel: Channel) -> threading.Lock:
        """Return what keeps others from reading this meter meanwhile."""
        return self._edge if any(c is channel for c in self._cheap) else channel.lock

    def learn_periods(self, seconds: float = BURST_S) -> None:
        """Read the fast counters for a moment as often as they may be updated, and learn how often they are.

        What was stored of them is looked at as well, since it may be of another machine or kernel.

        Those whose updates come so seldom, or are read so late, that the moment shows too few of them are read for longer.
        A counter of which too few updates are seen stays as it is: of one whose period is not known, intervals allow for any.
        """
        learning = {id(c): (c, Burst()) for c in self._fast if not c.served_as_known}
        start_ns, reading = self.clock.now_ns(), list(learning.values())
        while reading and self.clock.now_ns() - start_ns < LONGEST_BURST_S * 1e9:
            for channel, burst in reading:
                with self._sole(channel):
                    self._read(channel)
                if channel.previous is not None and not channel.track.failed:
                    burst.add(channel.previous)
            self.clock.wait(self.clock.now_ns() + BURST_PAUSE_NS, threading.Event())
            if self.clock.now_ns() - start_ns >= seconds * 1e9:
                reading = [(channel, burst) for channel, burst in reading if burst.promising]
        for channel, burst in learning.values():
            channel.take_burst(burst)
        self._look_up()
        self._plan_watch()

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

    def _look_up(self) -> None:
        """Keep how each meter is read at the edges of regions, and its record: looked up here, not there."""
        with self._edge:  # whoever reads one of them by the older list has done so
            self._cheap = [c for c in self._fast if not c.costly]
            self._edges = [(c.look, c.track.note, c) for c in self._cheap]

    def _plan_watch(self) -> None:
        """Plan the next reading of all that is read at edges, where bounds rest on how soon it is read again.

        It is noted alone, which costs a fraction of a step.
        """
        watched_s, cheap = self.pacing.watched_s, self._cheap
        if watched_s is None or not any(c.watched for c in cheap) or any(c.track.failed for c in cheap):
            self._watch_ns = NEVER_NS  # what fails is asked again seldom
            return
        cost_s = sum(c.cost.cpu_s for c in cheap) / self.pacing.cpus(self._processors)
        self._watched_ns = round(max(watched_s, cost_s) * 1e9)
        self._watch_ns = self.clock.now_ns() + self._watched_ns

    def _watch(self) -> None:
        # at no even pace: it would show the same part of every other update
        self._watch_ns = self.read_fast() + round(self._watched_ns * self._random.uniform(0.7, 1.3))

    def _may_join(self, channel: Channel) -> bool:
        return channel.tracker is None and channel.next_ns < self.clock.now_ns() + 0.3e9 * self.pacing.pace_s

    def _behind(self, channel: Channel, at_ns: int) -> bool:
        if channel.track.failed:
            return False
        traits = channel.meter.traits
        if traits.kind == "counter" and channel.track.updated_ns >= at_ns:
            return False
        wait_s = 2.4 * traits.period_s + traits.held_s
        wait_s = wait_s if traits.period_known else max(UNKNOWN_S, wait_s)
        return channel.track.last_ns < at_ns + wait_s * 1e9 + 1_000_000

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
        channel.note_sleep(self._slept_so_far_ns())
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
        pace_s = self.pacing.pace_s
        if whole and self.pacing.seldom_s is not None:  # what sees a part must be seen often
            pace_s = self.pacing.seldom_s
        share = self.pacing.cpus(self._processors) / max(len(self.channels), 1)
        cost_s = max(channel.cost.cpu_s, self._step_cpu_ns / 1e9)
        return min(max(pace_s, reads * cost_s / share), max(SLOWEST_PACE_S, pace_s))

    def _ride_along(self, channel: Channel) -> None:
        now_ns = self.clock.now_ns()
        if now_ns >= channel.next_conditions_ns and not channel.track.failed:
            channel.next_conditions_ns = now_ns + round(CONDITIONS_S * 1e9)
            facts = _read_conditions(channel.meter)
            if facts:
                channel.conditions.append((now_ns, facts))


def _read_conditions(meter: Meter) -> dict[str, Any]:
    try:
        return meter.conditions()
    except Exception:  # they ride along: without them the readings stand all the same
        return {}
