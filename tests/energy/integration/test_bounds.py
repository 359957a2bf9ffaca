"""Bounds that were false once: energy from before the span, an assumed update period, wraps that nobody saw, sleep."""

import dataclasses

import numpy as np
import pytest

from inferometer.energy.integration.integrate import span_energy
from inferometer.energy.meters.simulated import Faults, PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import Traits, Window
from inferometer.energy.session import Session
from inferometer.energy.track import Track
from simulation import RAPL_COUNTER, S, record, run

MILLISECOND = Traits("counter", 0.001, resolution=1e-4)


def energy(track, start_s, end_s):
    start, end = round(start_s * S), round(end_s * S)
    return span_energy(track.window(start, end), track.traits, start, end)


@pytest.mark.parametrize("last_s", [1.2, 1.55, 2.0, 5.0])
@pytest.mark.parametrize("period_s", [0.001, 0.1, 0.0])
def test_what_was_consumed_before_the_span_is_in_no_lower_bound(period_s, last_s):
    """100 W until 1.0 s, then nothing: 'at least 30 J' was said of 1.05 to 1.55 s."""
    times = np.arange(0, last_s, 0.1)
    track = record(dataclasses.replace(MILLISECOND, period_s=period_s), times, 100 * np.minimum(times, 1.0))
    found = energy(track, 1.05, 1.55)
    assert found.low_j == 0.0 <= found.high_j


def test_without_two_updates_there_are_bounds_and_no_estimate():
    found = energy(record(MILLISECOND, [0.5], [3.0]), 1.0, 1.5)
    assert (found.energy_j, found.low_j) == (None, 0.0) and "updated once only" in found.reason
    nothing = energy(Track(MILLISECOND), 1.0, 1.5)
    assert (nothing.energy_j, nothing.low_j, nothing.high_j) == (None, 0.0, None)


PERIODS_S = (0.001, 0.002, 0.008, 0.01)


def read_session(period_s, seed, learn):
    """A square wave of 20 to 200 W by a counter that moves so often, whoever reads it thinking every millisecond."""
    clock = SimulatedClock()
    random = np.random.default_rng(seed)
    curve = PowerCurve.cycles(200, 20, random.uniform(0.005, 0.08), 0.5, 3)
    meter = SimulatedMeter(
        curve, clock, dataclasses.replace(RAPL_COUNTER, period_s=period_s), Faults(latency_s=2e-5, seed=seed)
    )
    meter.traits = dataclasses.replace(RAPL_COUNTER, period_known=False)
    session = Session([meter], device="cpu", clock=clock)
    if learn:
        session.sampler.learn_periods()
    return session, clock, curve, random


def spans_with_edges(session, clock, random):
    for _ in range(6):
        run(session, clock, clock.time_ns / S + random.uniform(0.05, 0.2))
        session.sampler.read_fast()
        start = clock.now_ns()
        run(session, clock, clock.time_ns / S + random.uniform(0.01, 0.1))
        end = clock.now_ns()
        session.sampler.read_fast()
        yield start, end


@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("period_s", PERIODS_S)
def test_intervals_hold_the_truth_whatever_the_update_period_is(period_s, learn):
    held, widths = [], []
    for seed in range(8):
        session, clock, curve, random = read_session(period_s, seed, learn)
        spans = list(spans_with_edges(session, clock, random))
        run(session, clock, clock.time_ns / S + 0.3)
        (uid,) = session.channels
        for (start, end), found in zip(spans, session.parts(uid, spans), strict=True):
            held.append(found.low_j <= curve.span_j(start / S, end / S) <= found.high_j)
            widths.append(found.half_width)
    assert all(held), f"{sum(held)} of {len(held)}"
    if learn and period_s < 0.005:
        assert np.median(widths) < 0.5


@pytest.mark.parametrize("period_s", PERIODS_S)
def test_a_burst_of_reads_learns_the_period(period_s):
    session, clock, _, _ = read_session(period_s, 1, learn=True)
    (meter,) = session.meters
    assert clock.now_ns() / S == pytest.approx(0.05, abs=0.001)
    assert meter.traits.period_known and meter.traits.period_s == pytest.approx(period_s, rel=0.35)


@pytest.mark.parametrize("period_s", [0.014, 0.03])
def test_a_burst_that_saw_a_few_updates_goes_on_until_they_tell_the_period(period_s):
    session, clock, _, _ = read_session(period_s, 1, learn=True)
    (meter,) = session.meters
    assert meter.traits.period_known and meter.traits.period_s == pytest.approx(period_s, rel=0.05)
    assert 0.05 < clock.now_ns() / S < 0.151


def test_a_counter_that_stands_still_has_no_known_period():
    clock = SimulatedClock()
    meter = SimulatedMeter(PowerCurve.steady(0, 3), clock, RAPL_COUNTER)
    meter.traits = dataclasses.replace(RAPL_COUNTER, period_known=False)
    session = Session([meter], clock=clock)
    session.sampler.learn_periods()
    assert not meter.traits.period_known and clock.now_ns() / S == pytest.approx(0.05, abs=0.001)


RANGE_J = 262143.0
PACKAGE = dataclasses.replace(RAPL_COUNTER, range_j=RANGE_J, max_power_w=450.0)


@pytest.mark.parametrize("watts", [5.0, 100.0, 300.0])
@pytest.mark.parametrize("start_j", [0.0, 200_000.0])
def test_wraps_that_nobody_saw_are_told_and_bounded(watts, start_j):
    """A process that was stopped for 6,000 s: 76 kJ of 600 was counted, and nothing said."""
    times = np.concatenate((np.arange(0, 10, 0.1), 6010 + np.arange(0, 5, 0.1)))
    track = record(PACKAGE, times, (start_j + watts * times) % RANGE_J)
    found = energy(track, 2.0, 6012.0)
    assert "may have wrapped unseen" in found.reason and "6e+03 s" in found.reason
    assert found.low_j <= watts * 6010 <= found.high_j <= 450 * 6015
    assert found.energy_j == pytest.approx(watts * 6010, rel=0.02)  # by the power around the gap
    beside = energy(track, 2.0, 7.0)
    assert beside.reason == "" and beside.energy_j == pytest.approx(5 * watts, rel=0.02)


def test_a_gap_too_short_for_a_wrap_is_nothing_to_tell():
    times = np.concatenate((np.arange(0, 10, 0.1), 410 + np.arange(0, 5, 0.1)))
    found = energy(record(PACKAGE, times, 100 * times), 2.0, 412.0)
    assert found.reason == "" and found.low_j <= 41_000 <= found.high_j


@pytest.mark.parametrize("reset", [True, False])
def test_a_machine_that_slept_is_told_and_its_counter_believed_in_nothing(reset):
    """CLOCK_MONOTONIC leaves the sleep out: a counter that starts anew then looks as if it had wrapped."""
    clock = SimulatedClock()
    meter = SimulatedMeter(PowerCurve.steady(100, 60), clock, PACKAGE, start_j=100_000.0)
    if reset:
        meter.shown = np.where(
            meter.updates_s >= 10, meter.shown - meter.shown[meter.updates_s >= 10][0], meter.shown
        )
    session = Session([meter], clock=clock)
    run(session, clock, 10)
    clock.slept_ns = 6000 * S
    run(session, clock, 20)
    (uid,) = session.channels
    (found,) = session.parts(uid, [(5 * S, 15 * S)])
    assert "the machine slept for 6e+03 s" in found.reason
    assert found.low_j <= 1000 + 1 and found.high_j >= 1000
    (later,) = session.parts(uid, [(12 * S, 18 * S)])
    assert later.reason == "" and later.energy_j == pytest.approx(600, rel=0.01)


@pytest.mark.parametrize("edges", [1, 3])
def test_sleep_is_told_where_a_region_begins_before_the_meters_are_read_again(edges):
    """12 kJ that a laptop drew in 6,000 s asleep were a jump within 0.1 s of its counter, and counted as nothing."""
    clock = SimulatedClock()
    meter = SimulatedMeter(PowerCurve.steady(100, 60), clock, PACKAGE)
    meter.shown = meter.shown + np.where(meter.updates_s >= 10, 12_000.0, 0.0)
    session = Session([meter], clock=clock)
    run(session, clock, 10)
    clock.slept_ns = 6000 * S
    for _ in range(edges):
        clock.time_ns += 5_000_000
        session.sampler.read_fast()
    woke = clock.now_ns()
    run(session, clock, 20)
    (uid,) = session.channels
    (found,) = session.parts(uid, [(5 * S, 15 * S)])
    assert "the machine slept for 6e+03 s" in found.reason and "jumped" not in found.reason
    assert found.low_j <= 13_000 <= found.high_j and found.energy_j == pytest.approx(13_000, rel=0.01)
    (until,) = session.parts(uid, [(5 * S, woke - 1_000_000)])
    assert until.high_j >= 12_500
    (later,) = session.parts(uid, [(12 * S, 18 * S)])
    assert later.reason == "" and later.energy_j == pytest.approx(600, rel=0.01)


@pytest.mark.parametrize(("limit_known", "widest", "narrowest"), [(False, 0.1, 0.0), (True, 9.0, 0.18)])
def test_memory_that_tells_no_limit_is_read_again_soon(limit_known, widest, narrowest):
    """5 W without a file of limits: 2,000 W for the millisecond at each edge said nothing of 0.3 s."""
    clock = SimulatedClock()
    curve = PowerCurve.cycles(7, 3, 0.04, 0.5, 5)
    meter = SimulatedMeter(curve, clock, RAPL_COUNTER, Faults(latency_s=2e-5))
    meter.traits = dataclasses.replace(RAPL_COUNTER, period_known=False, limit_known=limit_known)
    session = Session([meter], clock=clock)
    session.sampler.learn_periods()
    run(session, clock, 1)
    session.sampler.read_fast()
    start = clock.now_ns()
    run(session, clock, 1.3)
    end = clock.now_ns()
    session.sampler.read_fast()
    run(session, clock, 2)
    (uid,) = session.channels
    (found,) = session.parts(uid, [(start, end)])
    assert found.low_j <= curve.span_j(start / S, end / S) <= found.high_j
    assert narrowest < found.half_width < widest


@pytest.mark.parametrize("margin_s", [0.002, 0.03])
def test_a_badly_dated_last_update_is_no_standstill(margin_s):
    """Seen on an H100: 3 of 20 regions of 0.1 s under full load were told 0 J, the update after them being dated badly."""
    moments = np.round((np.arange(8) * 0.1 + 0.05) * S).astype(np.int64)
    margins = np.full(8, round(0.002 * S))
    margins[-2:] = round(margin_s * S)
    window = Window(
        before_ns=np.column_stack([moments - margins, moments + margins]).ravel(),
        after_ns=np.column_stack([moments - margins, moments + margins]).ravel() + 1,
        energy_j=np.column_stack([np.arange(8) * 70.0, np.arange(1, 9) * 70.0]).ravel(),
        power_w=np.zeros(0),
    )
    found = span_energy(window, Traits("counter", 0.1), round(0.58 * S), round(0.68 * S))
    assert found.energy_j == pytest.approx(70, rel=0.35)
    assert found.low_j <= 70 <= found.high_j
