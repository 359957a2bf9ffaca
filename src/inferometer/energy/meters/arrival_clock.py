"""When readings that another host stamped were taken, by this host's clock. Pure.

What lies between two hosts' clocks is known from the messages that came quickest, but for what even these took: the way, and how
old a reading was when it was sent. A publisher that sends its own time beside its readings (`inferometer meters publish`) leaves
the way alone. Of any other a reading may be as old as its messages are apart, since that is how often it looks.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

TRANSIT_NS = 5_000_000  # a message may have been under way for so long even when it came quickly
DEFAULT_PERIOD_NS = 1_000_000_000  # between messages, before there are two
DRIFT = 2e-4  # by less than this two hosts' clocks run apart
NOTED_NS = 1_000_000  # messages that are quicker by less tell nothing new
STEP_NS = 1_000_000_000  # when all are later by so much, the publisher has slept, or its clock was set
KEPT = 64
UNTIMED = 3  # readings in a row without the publisher's own time


class Placed(NamedTuple):
    """Between which moments (ns, here) a reading was taken, and by how much all before it may have been taken earlier than told."""

    low_ns: int
    high_ns: int
    earlier_ns: int = 0


class ArrivalClock:
    """Ties a publisher's stamps to this host's clock."""

    def __init__(self, transit_ns: int = TRANSIT_NS) -> None:
        """``transit_ns``: what a message may be under way when it comes quickly."""
        self.transit_ns = transit_ns
        self._seen: deque[tuple[int, int]] = deque(maxlen=KEPT)  # readings: arrival ns, publisher ns
        self._apart: deque[int] = deque(maxlen=KEPT)  # what lay between arrival and stamp
        self._offset_ns = 0  # of the message that came quickest
        self._tied_ns = 0  # when that came
        self._told_ns: tuple[int, int] | None = (
            None  # the publisher's latest own time, and how well it dates readings
        )
        self._untimed = 0  # readings since that came
        self._late_ns = 0
        self._earlier_ns = 0
        self._low_ns: int | None = None

    def tick(self, arrival_ns: int, sent_ns: int, width_ns: int) -> None:
        """Take the publisher's own time as of sending, and how long before its stamp the next reading may have been taken."""
        if self._told_ns is None or sent_ns < self._told_ns[0]:
            self._apart.clear()  # tied by readings, or by a clock that began anew
            if (
                self._told_ns is None and self._low_ns is not None
            ):  # what was placed by readings alone was older
                self._earlier_ns += max(self._offset_ns - (arrival_ns - sent_ns), 0)
        self._told_ns, self._untimed = (sent_ns, width_ns), 0
        self._late_ns = self._tie(arrival_ns, sent_ns)

    def place(self, arrival_ns: int, stamp_ns: int) -> Placed:
        """Return when a reading was taken that was stamped so."""
        anew = bool(self._seen) and stamp_ns < self._seen[-1][1]
        if anew:
            self._seen.clear()
        self._seen.append((arrival_ns, stamp_ns))
        self._untimed += 1
        if self._untimed > UNTIMED and self._told_ns is not None:  # another publisher, which tells no time
            self._told_ns = None
            self._apart.clear()
        if self._told_ns is None:
            if anew:
                self._apart.clear()
            late_ns, width_ns = self._tie(arrival_ns, stamp_ns), self._period_ns
        else:
            late_ns, width_ns = self._late_ns, self._told_ns[1]
        at_ns = stamp_ns + self._offset_ns
        doubt_ns = self._drifted_ns(arrival_ns) + round(DRIFT * max(arrival_ns - at_ns, 0))
        late_ns = late_ns if late_ns > self.transit_ns else 0  # or not late: the publisher's clock was set
        high_ns = min(at_ns + doubt_ns + late_ns, arrival_ns)
        low_ns = at_ns - doubt_ns - self.transit_ns - width_ns
        if anew and self._told_ns is None and self._low_ns is not None:
            low_ns, high_ns = self._low_ns, arrival_ns  # nothing ties the new clock yet
        return self._in_order(low_ns, high_ns)

    @property
    def period_s(self) -> float:
        """Return the mean time between the latest messages; 0 before the second."""
        if len(self._seen) < 2:
            return 0.0
        (arrival, stamp), (last_arrival, last_stamp) = self._seen[0], self._seen[-1]
        # by the publisher's clock where messages came all at once
        return max(last_arrival - arrival, last_stamp - stamp) / (len(self._seen) - 1) / 1e9

    @property
    def _period_ns(self) -> int:
        return round(self.period_s * 1e9) or DEFAULT_PERIOD_NS

    def _in_order(self, low_ns: int, high_ns: int) -> Placed:
        """Return the moments, none before that of the reading before, whose time may just have been corrected."""
        earlier_ns, self._earlier_ns = self._earlier_ns, 0
        if self._low_ns is not None:
            low_ns = max(low_ns, self._low_ns - earlier_ns)
        self._low_ns = min(low_ns, high_ns)
        return Placed(self._low_ns, high_ns, earlier_ns)

    def _tie(self, arrival_ns: int, sent_ns: int) -> int:
        """Take a message that was sent then by its publisher's clock; return how much later it came than the quickest."""
        apart_ns = arrival_ns - sent_ns
        first, drifted_ns = not self._apart, self._drifted_ns(arrival_ns)
        self._apart.append(apart_ns)
        quicker_ns = self._offset_ns - drifted_ns - apart_ns
        if not first and quicker_ns > NOTED_NS:
            self._earlier_ns += self._offset_ns - apart_ns
        if first or apart_ns <= self._offset_ns + drifted_ns:
            self._offset_ns, self._tied_ns = apart_ns, arrival_ns
        elif len(self._apart) == KEPT and min(self._apart) > self._offset_ns + STEP_NS:
            self._offset_ns, self._tied_ns = min(self._apart), arrival_ns
        return max(apart_ns - self._offset_ns - self._drifted_ns(arrival_ns), 0)

    def _drifted_ns(self, now_ns: int) -> int:
        return round(DRIFT * max(now_ns - self._tied_ns, 0)) if self._apart else 0
