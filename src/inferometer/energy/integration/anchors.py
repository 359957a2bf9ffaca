"""A counter's updates, and between what the joules that it counted by any moment lie. Pure.

A reading shows what was consumed up to the counter's latest update. So each value that differs from the one before it is an
update whose time lies in a known interval. Consumption never runs backwards: by a moment at least what the last update before
it showed was consumed, and at most what the first update after it showed. That holds whatever the power did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inferometer.energy.readings import LATE, Break, Traits, Window

Floats = NDArray[np.float64]
Stamps = NDArray[np.int64]
_LONG_AGO_NS = 1 << 61


@dataclass(frozen=True)
class Anchors:
    """A counter's updates: each happened between ``low_ns`` and ``high_ns`` (int64 [n]) and showed ``energy_j`` [n].

    ``since_ns``: from when on it may have happened as likely as at any later moment; ``low_ns`` allows for a late update.
    """

    low_ns: Stamps
    high_ns: Stamps
    energy_j: Floats
    since_ns: Stamps

    @property
    def time_ns(self) -> Floats:
        """Return when each update is likely to have happened."""
        return self.since_ns + (self.high_ns - self.since_ns) / 2

    def __len__(self) -> int:
        return len(self.energy_j)

    def well_dated(self) -> Anchors:
        """Return those whose time is known about as well as that of the best quarter, and the last one.

        It stays since what follows the last of them is taken for what no update has shown yet. All of them where these are few.
        """
        widths, times = self.high_ns - self.since_ns, self.time_ns
        good = widths <= 2 * np.quantile(widths, 0.25)
        good[1:] &= np.diff(times) > 0
        good &= times < times[-1]
        good[-1] = True
        return self if np.count_nonzero(good) < 2 else self.only(good)

    def only(self, chosen: NDArray[np.bool_]) -> Anchors:
        """Return those that are chosen."""
        return Anchors(
            self.low_ns[chosen], self.high_ns[chosen], self.energy_j[chosen], self.since_ns[chosen]
        )


def find_anchors(window: Window, traits: Traits) -> Anchors:
    """Return the updates that the readings show: a reading with a new value dates an update to just before it.

    Where the update period is not known, an update happened at any time since the reading before.
    """
    before, after, joules = window.before_ns, window.after_ns, window.energy_j
    if not len(joules):
        return Anchors(before, after, joules, before)
    changed = np.append(True, joules[1:] != joules[:-1])
    late = _latest_update_ns(window, traits, changed)
    if (traits.late_s == 0 and traits.period_known) or traits.each_is_news:
        changed[:] = True  # current at every read: an equal value is news as well
    spread_ns = late / LATE if traits.period_known else traits.period_s * 1e9
    low, since = before - late, before - round(spread_ns)
    if late:
        low[1:] = np.maximum(low[1:], before[:-1])
        since[1:] = np.maximum(since[1:], before[:-1])
    return Anchors(low[changed], after[changed], joules[changed], np.maximum(since, low)[changed])


def _latest_update_ns(window: Window, traits: Traits, changed: NDArray[np.bool_]) -> int:
    """Return how long before a read its update may lie: equal readings prove a longer period than the one stated."""
    if traits.each_is_news:
        return 0
    if not traits.period_known:
        return _LONG_AGO_NS
    late = round(traits.late_s * 1e9)
    if late and not changed.all():
        first = np.flatnonzero(changed)
        last = np.append(first[1:], len(changed)) - 1
        late = max(late, int((window.before_ns[last] - window.after_ns[first]).max()))
    return late


@dataclass
class Bounds:
    """Joules counted by any moment: the least, the most, and what is likely; arrays of moments (ns) to arrays (J).

    An update on the far side of a moment is off by no more than the largest power over the time between.
    """

    anchors: Anchors
    scheduled: Anchors  # the same, dated by one another (`schedule.py`)
    dated: Anchors  # those of them that an estimate rests on
    largest_w: float
    breaks: Sequence[Break] = ()  # by their end
    quiet_until_ns: float = (
        0.0  # readings say until then that nothing more was consumed than the last update showed
    )
    believed_ns: float = (
        0.0  # for so long after that update they are believed to have it from a meter that works
    )
    mean_w: float = field(init=False)

    def __post_init__(self) -> None:
        a, per_ns = self.anchors, self.largest_w / 1e9
        self._origin = int(a.high_ns[0])
        early = a.energy_j - per_ns * (a.low_ns - self._origin)
        late = a.energy_j - per_ns * (a.high_ns - self._origin)
        self._from_before = np.minimum.accumulate(early)
        self._from_after = np.maximum.accumulate(late[::-1])[::-1]
        self._per_ns = per_ns
        self.mean_w = _mean_w(a, self.breaks)
        untold = [b for b in self.breaks if b.untold_j and b.end_ns is not None]
        self._ends = np.array([b.end_ns for b in untold], np.int64)
        self._untold = np.append(0.0, np.cumsum([b.untold_j for b in untold]))
        self._guessed = np.append(0.0, np.cumsum([self._guess(b) for b in untold]))

    def least(self, moments_ns: Stamps) -> Floats:
        """Return the least that had been consumed by each moment."""
        a = self.anchors
        place = np.searchsorted(a.high_ns, moments_ns, "right")
        known = np.where(place > 0, a.energy_j[np.maximum(place - 1, 0)], -np.inf)
        beyond = self._from_after[np.minimum(place, len(a) - 1)] + self._per_ns * (moments_ns - self._origin)
        return np.maximum(known, np.where(place < len(a), beyond, -np.inf))

    def most(self, moments_ns: Stamps) -> Floats:
        """Return the most that had been consumed by each moment, but for what breaks leave untold."""
        a = self.anchors
        place = np.searchsorted(a.low_ns, moments_ns, "left")
        known = np.where(place < len(a), a.energy_j[np.minimum(place, len(a) - 1)], np.inf)
        behind = self._from_before[np.maximum(place - 1, 0)] + self._per_ns * (moments_ns - self._origin)
        if self.believed_ns == np.inf:  # what stands still says that it drew nothing
            quiet = moments_ns <= self.quiet_until_ns
            known = np.where(quiet, np.minimum(known, a.energy_j[-1]), known)
        found: Floats = np.minimum(known, np.where(place > 0, behind, np.inf))
        return found

    def likely(self, moments_ns: Stamps) -> Floats:
        """Return what had been consumed if power is even between updates, and beyond them as it was on average."""
        anchors = self.dated
        times, joules = anchors.time_ns, anchors.energy_j
        if len(self._ends):
            joules = joules + self._guessed[np.searchsorted(self._ends, anchors.high_ns, "right")]
        inner = np.interp(moments_ns, times, joules)
        since_ns = np.maximum(moments_ns - times[-1], 0)
        quiet = since_ns <= self.believed_ns
        since_ns = np.where(quiet, np.maximum(moments_ns - max(self.quiet_until_ns, times[-1]), 0), since_ns)
        outside_ns = since_ns - np.maximum(times[0] - moments_ns, 0)
        found: Floats = inner + self.mean_w * outside_ns / 1e9
        return found

    def enclosing(self, starts_ns: Stamps, ends_ns: Stamps) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the last update before each start, and the first one after each end, by their places."""
        first = np.maximum(np.searchsorted(self.anchors.high_ns, starts_ns, "right") - 1, 0)
        last = np.minimum(np.searchsorted(self.anchors.low_ns, ends_ns, "left"), len(self.anchors) - 1)
        return first, last

    def untold_j(self, starts_ns: Stamps, ends_ns: Stamps) -> Floats:
        """Return how much more than was counted breaks may hide between the updates that enclose each span."""
        if not len(self._ends):
            return np.zeros(len(starts_ns))
        first, last = self.enclosing(starts_ns, ends_ns)
        hidden = self._untold[np.searchsorted(self._ends, self.anchors.high_ns, "right")]
        found: Floats = np.maximum(hidden[last] - hidden[first], 0.0)
        return found

    def drawable_j(self, starts_ns: Stamps, ends_ns: Stamps) -> Floats:
        """Return what the device can draw at most within each span; no limit where a break lies in it, which may hide sleep."""
        found: Floats = np.asarray(self._per_ns * (ends_ns - starts_ns), np.float64)
        for gap in self.breaks:
            found[(starts_ns < gap.until_ns) & (ends_ns > gap.start_ns)] = np.inf
        return found

    def _guess(self, gap: Break) -> float:
        seconds = ((gap.end_ns or gap.start_ns) - gap.start_ns) / 1e9
        return min(max(self.mean_w * seconds - gap.counted_j, 0.0), gap.untold_j)


def _mean_w(anchors: Anchors, breaks: Sequence[Break]) -> float:
    """Return the mean power between the first and the last update, breaks left out; 0 with a single update."""
    seconds = float(anchors.time_ns[-1] - anchors.time_ns[0]) / 1e9
    joules = float(anchors.energy_j[-1] - anchors.energy_j[0])
    for gap in breaks:
        if gap.untold_j and gap.end_ns is not None and gap.end_ns <= anchors.high_ns[-1]:
            seconds -= (gap.end_ns - gap.start_ns) / 1e9
            joules -= gap.counted_j
    return max(joules, 0.0) / seconds if seconds > 0 else 0.0
