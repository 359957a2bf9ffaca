"""Updates that come at a regular period, seen by reads at the edges of visits: when they happened, and what depends on that."""

import numpy as np
import pytest

from inferometer.energy.integration.anchors import find_anchors
from inferometer.energy.integration.schedule import on_schedule
from inferometer.energy.integration.visits import visits_energy
from inferometer.energy.meters.simulated import PowerCurve
from inferometer.energy.readings import Reading, Traits
from inferometer.energy.track import Track
from simulation import S

TEN = Traits("counter", 0.0101, resolution=1e-4, max_power_w=2000.0)  # learnt by a burst: nearly right
VISITS, LENGTH_S = 300, 0.005


def updates(kind, length_s, random):
    """When a counter of 10 ms is updated: to some µs, as a busy machine's is now and then, or as it comes."""
    count = int(length_s / 0.006)
    steps = {
        "regular": 0.01 + random.normal(0, 2e-5, count),
        "late": 0.01 + np.where(random.random(count) < 0.01, random.exponential(0.007, count), 0),
        "random": random.exponential(0.01, count),
    }[kind]
    return np.cumsum(steps) - random.uniform(0, 0.01)


def read_at_edges(kind, seed, watts=None):
    """Visits of 5 ms, the counter read at each one's ends and every 100 ms besides: track, visits, updates, true joules."""
    random = np.random.default_rng(seed)
    starts = 1 + np.cumsum(random.uniform(0.0075, 0.0155, VISITS))
    edges = np.stack((starts, starts + LENGTH_S), axis=1).ravel()
    times = np.concatenate(([0.0], edges, [edges[-1] + 2]))
    within, between = watts or (100, 100)
    curve = PowerCurve(times, np.where(np.arange(len(times) - 1) % 2, within, between))
    came = updates(kind, times[-1], random)
    shown = np.floor(curve.energy_j(came) / 1e-4) * 1e-4
    track = Track(TEN)
    for at_s in np.sort(np.concatenate((edges, np.arange(0.05, times[-1], 0.1)))):
        value = shown[max(np.searchsorted(came, at_s, "right") - 1, 0)]
        track.append(Reading(round(at_s * S), round((at_s + 1e-5) * S), float(value)))
    visits = [(round(s * S), round((s + LENGTH_S) * S), round(LENGTH_S * S)) for s in starts]
    return track, visits, came, VISITS * LENGTH_S * within


def errors(track, came):
    """How far updates are dated wrongly (s), as read and on a schedule."""
    window = track.window(S, round(track.last_ns))
    read = find_anchors(window, TEN)
    found = []
    for anchors in (read, on_schedule(read, TEN.period_s)):
        true = came[np.searchsorted(came, anchors.high_ns / S, "right") - 1]
        found.append(anchors.time_ns / S - true)
    return found


def test_neighbours_date_updates_that_reads_alone_date_to_milliseconds():
    track, _, came, _ = read_at_edges("regular", 1)
    as_read, scheduled = errors(track, came)
    assert np.std(as_read) > 0.0015 and np.median(np.abs(scheduled)) < 0.0003
    assert len(scheduled) > 0.8 * len(as_read)


def test_those_after_a_late_update_are_dated_anew():
    track, _, came, _ = read_at_edges("late", 1)
    as_read, scheduled = errors(track, came)
    assert np.median(np.abs(scheduled)) < 0.0005 < np.median(np.abs(as_read))
    assert np.mean(np.abs(scheduled) < 0.001) > 0.85


def test_updates_that_keep_to_no_period_stay_as_they_are():
    track, _, _, _ = read_at_edges("random", 1)
    read = find_anchors(track.window(S, track.last_ns), TEN)
    kept = on_schedule(read, TEN.period_s)
    assert len(kept) == len(read)
    assert np.mean((kept.since_ns == read.since_ns) & (kept.high_ns == read.high_ns)) > 0.9


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 33])
def test_few_updates_are_no_trouble(count):
    track, _, _, _ = read_at_edges("regular", 2)
    read = find_anchors(track.window(S, track.last_ns), TEN)
    few = read.only(np.arange(len(read)) < count)
    assert len(on_schedule(few, TEN.period_s)) in (count, *range(count // 2, count))


@pytest.mark.parametrize(("kind", "within"), [("regular", 0.005), ("late", 0.03)])
def test_the_regression_is_right_under_even_power(kind, within):
    """It lay 12 % low: every stretch between updates lasts 10 ms, and was taken for one of 6 to 14."""
    lows = []
    for seed in range(10):
        track, visits, _, truth = read_at_edges(kind, seed)
        found = visits_energy(track.window(visits[0][0], visits[-1][1]), TEN, visits)
        joules = found.joules()
        assert joules.low_j <= truth <= joules.high_j
        assert found.bounded.energy_j == pytest.approx(truth, rel=0.01)
        lows.append(found.fit.energy_j / truth - 1)
    assert abs(np.mean(lows)) < within


def test_visits_that_draw_much_are_told_from_what_is_around_them():
    """Their figure lay 9 % low, between theirs and that of even power."""
    found = []
    for seed in range(10):
        track, visits, _, truth = read_at_edges("regular", seed, watts=(300, 40))
        joules = visits_energy(track.window(visits[0][0], visits[-1][1]), TEN, visits).joules()
        assert joules.source == "estimated" and joules.low_j <= truth <= joules.high_j
        found.append(joules.energy_j / truth - 1)
    assert abs(np.mean(found)) < 0.01 and np.max(np.abs(found)) < 0.03


@pytest.mark.parametrize(("pause_s", "learnt_s"), [(0.0053, 0.0108), (0.00525, 0.0101), (0.00475, 0.0094)])
@pytest.mark.parametrize("seed", range(3))
def test_reads_as_regular_as_the_updates_do_not_make_a_second_period(pause_s, learnt_s, seed):
    """Reads every 5.3 ms show updates every 10 ms in step with 11.3 ms too, were two of them at one moment now and then."""
    came = updates("regular", 6, np.random.default_rng(seed))
    traits = Traits("counter", learnt_s, resolution=1e-4, max_power_w=2000.0)
    track = Track(traits)
    for at_s in np.arange(0.05, 5, pause_s):
        shown = np.searchsorted(came, at_s, "right") - 1
        track.append(Reading(round(at_s * S), round((at_s + 1e-5) * S), float(shown)))
    read = find_anchors(track.window(S, track.last_ns), traits)
    scheduled = on_schedule(read, learnt_s)
    true = came[read.energy_j.astype(int) + np.searchsorted(came, 0.05, "right") - 1]
    assert len(scheduled) == len(read) and np.std(read.time_ns / S - true) > 0.001
    assert np.std(scheduled.time_ns / S - true) < 0.0003
