"""A meter as the sampler has it: with the record of its readings, what they cost, and when it is read next."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from inferometer.energy.readings import (
    MAX_POWER_W,
    MAX_WHOLE_W,
    SELDOM_S,
    WATCHED_FROM_S,
    WHOLE_TYPES,
    Meter,
    Reading,
    failed_read,
)
from inferometer.energy.sampling.burst import Burst
from inferometer.energy.sampling.update_tracker import UpdateTracker
from inferometer.energy.track import Track
from inferometer.errors import MeterError

EDGE_READ_S = 2e-4  # a counter that takes longer to read is not read at the edges of regions
SLEPT_NS = 1_000_000_000  # a shorter sleep is taken for work


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
    lock: threading.Lock = field(default_factory=threading.Lock)  # one read at a time
    conditions: deque[tuple[int, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=4096))
    next_conditions_ns: int = 0
    asleep_ns: int = 0  # the machine's sleep before the latest reading

    @classmethod
    def of(cls, meter: Meter) -> Channel:
        """Return the channel that suits the meter."""
        traits = meter.traits
        if meter.device.type in WHOLE_TYPES and traits.max_power_w == MAX_POWER_W and not traits.limit_known:
            traits = meter.traits = replace(traits, max_power_w=MAX_WHOLE_W)
        told = getattr(meter, "told", None)
        tracked = traits.kind == "counter" and traits.period_s >= SELDOM_S and not traits.push
        return cls(
            meter, Track(traits, told), tracker=UpdateTracker(traits.period_s * 1e9) if tracked else None
        )

    @property
    def fast(self) -> bool:
        """Tell whether it is a counter that is read whenever its value is wanted."""
        traits = self.meter.traits
        return traits.kind == "counter" and not traits.push and self.tracker is None

    @property
    def watched(self) -> bool:
        """Tell whether a read soon after any moment is what bounds the joules by then.

        The device tells no largest power, or it may draw much until the next update.
        """
        return self.fast and not (self.meter.traits.limit_known and self.period_s < WATCHED_FROM_S)

    @property
    def costly(self) -> bool:
        """Tell whether a read takes too long for a program to wait for."""
        return self.cost.wall_ns > EDGE_READ_S * 1e9 * self.cost.reads

    @property
    def look(self) -> Callable[[], object]:
        """Return the quickest way to what the meter shows, of which `Track.told` makes its value."""
        found: Callable[[], object] = getattr(self.meter, "glance", None) or self.meter.read
        return found

    def failed_look(self, error: Exception) -> MeterError:
        """Return what a look that raised comes to."""
        if isinstance(error, OSError):
            return MeterError(f"cannot read {self.meter.device.uid}: {error.strerror or error}")
        return failed_read(error)

    def note_sleep(self, asleep_ns: int) -> None:
        """Note what the machine has slept since the latest reading, if it has, before the next."""
        slept_ns, self.asleep_ns = asleep_ns - self.asleep_ns, asleep_ns
        if slept_ns > SLEPT_NS:
            self.track.note_sleep(slept_ns / 1e9)

    @property
    def served_as_known(self) -> bool:
        """Tell whether who serves the meter has seen its period; what is read here shows how often it is served, too."""
        traits = self.meter.traits
        return bool(traits.held_s and traits.period_known and traits.period_s)

    def take_burst(self, burst: Burst) -> None:
        """Take the update period that a burst of reads saw; of one that saw none what is told stands, if it may be true.

        A period that is known already gives way to a longer one alone.
        """
        told = self.meter.traits
        if told.period_known and burst.every_read_is_news:  # as often as it was read, at least
            return
        if told.period_known and told.period_s:
            period_s, known = max(told.period_s, burst.period_s or 0.0), True
        elif burst.period_s is not None:
            period_s, known = burst.period_s, True
        else:  # a value that was shown twice is not current at every read
            period_s, known = told.period_s, told.period_known and burst.reads < 2
        self.meter.traits = self.track.traits = replace(told, period_s=period_s, period_known=known)

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
        return self.meter.traits.period_s + self.meter.traits.held_s + self.cost.wall_s
