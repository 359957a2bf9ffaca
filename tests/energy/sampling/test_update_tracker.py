"""Hunting a slow counter's updates: the period that is learned."""

import random

import pytest

from inferometer.energy.readings import Reading
from inferometer.energy.sampling.update_tracker import UpdateTracker

TRUE_NS = 99_800_000.0
READ_NS = 3_000_000


def learned_ns(stall_ns, every, pace_ns, seconds=400.0, in_read=False):
    """Return the period learned from reads that come too late, or last longer, by ``stall_ns`` once in ``every``."""
    tracker, now, previous = UpdateTracker(100e6), 1e9, None
    chance = random.Random(3)
    while now < seconds * 1e9:
        stall = stall_ns if chance.random() < 1 / every else 0
        read_ns = READ_NS + (stall if in_read else 0)
        value = (now + read_ns * chance.random()) // TRUE_NS
        reading = Reading(round(now), round(now + read_ns), value)
        due = tracker.after(previous, reading, pace_ns)
        previous = reading
        now = max(due, now + read_ns)
        if not in_read:
            now += stall
    return tracker.period_ns


@pytest.mark.parametrize("pace_ns", [0, 300e6])
@pytest.mark.parametrize("stall_ns", [0, 60e6, 250e6, 1030e6])
@pytest.mark.parametrize("in_read", [False, True])
def test_reads_that_come_late_do_not_lengthen_the_period(stall_ns, pace_ns, in_read):
    assert learned_ns(stall_ns, 25, pace_ns, in_read=in_read) == pytest.approx(TRUE_NS, rel=0.005)
