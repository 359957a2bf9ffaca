"""Bounds that were false for what meters differ in: breaks beside one another, whole servers, parts, counters that see a part."""

import dataclasses

import numpy as np
import pytest

from inferometer.energy.integration.integrate import span_energy, steady_energy
from inferometer.energy.meters.simulated import Faults, PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.session import Session
from simulation import S, record, run

MILLISECOND = Traits("counter", 0.001, resolution=1e-4)


@pytest.mark.parametrize("unread_s", [0.9, 5.0])
def test_what_a_reset_hides_is_told_once_beside_a_standstill_that_came_before_it(unread_s):
    """Breaks were searched by their end, but were in no order: what a reset had lost was in no bound."""
    times = np.concatenate((np.arange(0, 57, 0.1), np.arange(57 + unread_s, 100, 0.1)))
    counted = np.where(times < 20, times, np.where(times < 40, 20.0, times - 20)) * 100
    shown = np.where(times < 57, counted, (times - 56.9 - unread_s) * 100)
    track = record(MILLISECOND, times, shown)
    for start_s, end_s in ((50, 70), (30, 70), (10, 70), (55, 65)):
        found = span_energy(track.window(0, 100 * S), track.traits, start_s * S, end_s * S)
        truth_j = 100 * (end_s - start_s)
        assert found.low_j <= truth_j <= found.high_j, (start_s, end_s, found)
        assert start_s < 40 or found.energy_j == pytest.approx(truth_j, rel=0.06)
    beside = span_energy(track.window(0, 100 * S), track.traits, 43 * S, 53 * S)
    assert beside.high_j == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize("kind", ["external", "psys"])
@pytest.mark.parametrize("watts", [300.0, 9_700.0])
def test_a_whole_server_may_draw_ten_kilowatts(kind, watts):
    """Every step was a jump of the counter, which is worth nothing: 5 kW was the most for anything."""
    clock = SimulatedClock()
    device = MeteredDevice("sim:0", "server", kind, "sim")
    meter = SimulatedMeter(
        PowerCurve.steady(watts, 60), clock, Traits("counter", 2.0, 0.0, 1.0), device=device
    )
    session = Session([meter], clock=clock)
    run(session, clock, 50)
    (found,) = session.parts("sim:0", [(20 * S, 33 * S)])
    assert found.reason == "" and found.energy_j == pytest.approx(13 * watts, rel=0.1)
    assert found.low_j <= 13 * watts <= found.high_j
    assert meter.traits.max_power_w >= 20_000


def test_a_device_keeps_the_largest_power_that_its_meter_tells():
    for kind, told_w in (("gpu", 5_000.0), ("external", 700.0)):
        meter = SimulatedMeter(
            PowerCurve.steady(1, 1), SimulatedClock(), device=MeteredDevice("sim:0", "", kind, "sim"),
            traits=Traits("counter", 0.1, max_power_w=told_w),
        )  # fmt: skip
        Session([meter], clock=meter.clock)
        assert meter.traits.max_power_w == told_w


def test_the_estimate_of_loops_lies_within_what_the_counter_allows():
    """Power that fails at both ends: the slope said 110 J, of which the counter had shown 100."""
    times = np.arange(0, 3, 0.1) + 0.05
    joules = np.interp(times, [0, 1, 2, 3], [0, 0.1, 100.1, 100.2])
    track = record(Traits("counter", 0.1, resolution=1e-3), times, joules)
    start, end = round(0.96 * S), round(2.04 * S)
    window = track.window(start, end)
    whole = span_energy(window, track.traits, start, end)
    found = steady_energy(window, track.traits, start, end)
    assert whole.low_j <= found.low_j <= found.energy_j <= found.high_j <= whole.high_j


@pytest.mark.parametrize("rests", [True, False])
def test_a_part_that_draws_nothing_has_not_stopped_counting(rests):
    """A built-in GPU at rest for 10 s: 50 J were guessed into it, and 20 kJ were called possible."""
    times = np.arange(0, 30, 0.1)
    joules = 5 * (np.minimum(times, 10) + np.maximum(times - 20, 0))
    track = record(dataclasses.replace(MILLISECOND, rests=rests), times, joules)
    for start_s, end_s, truth_j in ((5, 25, 50), (12, 18, 0), (1, 9, 40)):
        found = span_energy(track.window(0, 30 * S), track.traits, start_s * S, end_s * S)
        assert found.low_j <= truth_j + 1e-6 and truth_j <= found.high_j
        if rests:
            assert found.reason == "" and found.high_j < truth_j + 1.5
            assert found.energy_j == pytest.approx(truth_j, abs=0.6)


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.75])
@pytest.mark.parametrize("end_s", [0.2, 0.3])
def test_a_counter_that_sees_a_part_of_the_time_is_not_believed_in_its_first_updates(phase, end_s):
    """Too few updates to tell by their scatter what it misses were taken for a counter that misses nothing."""
    for seed in range(4):
        clock, traits = (
            SimulatedClock(),
            Traits("counter", 0.1, 0.0, 1e-3, integrates=False, max_power_w=700.0),
        )
        curve = PowerCurve(np.append(0, (np.arange(20) + 1 + phase) * 0.05), np.tile((700.0, 70.0), 10))
        meter = SimulatedMeter(curve, clock, traits, Faults(duty=0.25, seed=seed))
        session = Session([meter], clock=clock)
        clock.time_ns = round(0.15 * S)
        run(session, clock, end_s + 0.12)
        (uid,) = session.channels
        (found,) = session.parts(uid, [(round(0.2 * S), round((end_s + 0.05) * S))])
        assert found.low_j <= curve.span_j(0.2, end_s + 0.05) <= found.high_j, (seed, found)
