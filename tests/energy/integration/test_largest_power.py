"""Peaks that are short beside what a meter shows: the largest power that bounds rest on must hold for them."""

import numpy as np
import pytest

from inferometer.energy.meters.simulated import Faults, PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.session import Session
from simulation import S, run

MEMORY = MeteredDevice("sim:0", "memory", "dram", "sim")
ANY_W = 2000.0  # of a zone that tells no limit


def bursts(moments_s, lasting_s, high_w, low_w, until_s):
    """Power that is high for a moment after each of ``moments_s``."""
    edges = np.stack((moments_s, np.asarray(moments_s) + lasting_s), axis=1).ravel()
    return PowerCurve(
        np.concatenate(([0.0], edges, [until_s])), np.append(np.tile((low_w, high_w), len(moments_s)), low_w)
    )


def memory_session(curve, period_s, seed):
    """A counter without a limit that moves so often, which is looked at when it is opened."""
    clock = SimulatedClock()
    told = Traits("counter", period_s, resolution=1e-4, max_power_w=ANY_W)
    meter = SimulatedMeter(curve, clock, told, Faults(latency_s=2e-5, seed=seed), MEMORY)
    meter.traits = Traits("counter", 0.001, resolution=1e-4, max_power_w=ANY_W, period_known=False)
    session = Session([meter], clock=clock)
    session.sampler.learn_periods()
    return session, clock


@pytest.mark.parametrize("place", ["before it begins", "when it begins", "before it ends", "after it ended"])
@pytest.mark.parametrize("lasting_s", [0.002, 0.005, 0.02])
@pytest.mark.parametrize("period_s", [0.001, 0.008, 0.01])
def test_a_burst_at_the_edge_of_a_region_is_in_its_bounds(period_s, lasting_s, place):
    """Means over 0.1 s told nothing of what memory draws while a program copies its data before its loop: 4 times these were the most."""
    wrong, widths = [], []
    for seed in range(12):
        random = np.random.default_rng(seed)
        start_s = 1 + random.uniform(0, 0.2)
        length_s = random.uniform(0.25, 0.5)
        moment_s = {
            "before it begins": start_s - lasting_s,
            "when it begins": start_s,
            "before it ends": start_s + length_s - lasting_s,
            "after it ended": start_s + length_s,
        }[place]
        curve = bursts([moment_s], lasting_s, 100.0, 5.0, 4.0)
        session, clock = memory_session(curve, period_s, seed)
        run(session, clock, start_s)
        session.sampler.read_fast()
        start = clock.now_ns()
        run(session, clock, start_s + length_s)
        end = clock.now_ns()
        session.sampler.read_fast()
        run(session, clock, start_s + length_s + 0.5)
        (found,) = session.parts("sim:0", [(start, end)])
        truth_j = curve.span_j(start / S, end / S)
        wrong += [(found, truth_j)] if not found.low_j <= truth_j <= found.high_j else []
        widths.append(found.half_width)
    assert not wrong
    assert np.median(widths) < 0.6


@pytest.mark.parametrize("duty", [0.05, 0.1, 0.2])
def test_means_over_a_slow_counters_updates_tell_nothing_of_peaks_within(duty):
    """A card that works for 10 of 100 ms has a mean of 133 W, of which 4 times were the most: it draws 700 W."""
    for seed in range(6):
        random = np.random.default_rng(seed)
        curve = PowerCurve.cycles(700.0, 70.0, 0.1, duty, 10)
        clock = SimulatedClock()
        traits = Traits("counter", 0.1, resolution=1e-3)
        meter = SimulatedMeter(curve, clock, traits, Faults(latency_s=4e-3, seed=seed))
        session = Session([meter], clock=clock)
        run(session, clock, 9)
        starts = random.uniform(2, 5, 40)
        spans = [(round(s * S), round((s + 0.45) * S)) for s in starts]
        (uid,) = session.channels
        for (start, end), found in zip(spans, session.parts(uid, spans), strict=True):
            assert found.low_j <= curve.span_j(start / S, end / S) <= found.high_j
