"""The promises about joules, kept against a device whose true power is known."""

import dataclasses

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.energy.integration.integrate import span_energy, steady_energy
from inferometer.energy.meters.simulated import (
    Faults,
    PowerCurve,
    SimulatedClock,
    SimulatedMeter,
    simulate_updates,
)
from inferometer.energy.readings import MeteredDevice, Reading, Track, Traits
from inferometer.energy.sampling.pacing import STEADY
from inferometer.energy.session import Session
from simulation import GPU_COUNTER, GPU_FAULTS, RAPL_COUNTER, RAPL_FAULTS, S, loops, run, simulate


@given(
    seed=st.integers(0, 10_000),
    start_s=st.floats(3.0, 4.0),
    high_w=st.floats(150, 700),
    low_w=st.floats(20, 150),
    duty=st.floats(0.1, 0.9),
)
@settings(max_examples=40, deadline=None)
def test_20_ms_regions_back_to_back_are_within_1_percent(seed, start_s, high_w, low_w, duty):
    curve = PowerCurve.cycles(high_w, low_w, 0.020, duty, 14)
    faults = dataclasses.replace(GPU_FAULTS, seed=seed)
    session, _ = simulate(curve, faults=faults)
    spans = loops(start_s, 0.020, 250)  # 5 s
    device = session.energy(spans).devices[0]
    truth = curve.span_j(spans[0][0] / S, spans[-1][1] / S)
    assert device.source == "counter"
    assert device.images == 250 * 64
    assert msgspec.json.encode(device)  # no numpy scalar among the fields
    assert device.energy_j == pytest.approx(truth, rel=0.01)


@given(seed=st.integers(0, 10_000), start_s=st.floats(3.0, 4.0))
@settings(max_examples=15, deadline=None)
def test_20_ms_regions_back_to_back_with_rapl(seed, start_s):
    curve = PowerCurve.cycles(95, 30, 0.020, 0.6, 8)
    session, _ = simulate(curve, RAPL_COUNTER, dataclasses.replace(RAPL_FAULTS, seed=seed), device="cpu")
    spans = loops(start_s, 0.020, 100)
    device = session.energy(spans).devices[0]
    assert device.energy_j == pytest.approx(curve.span_j(spans[0][0] / S, spans[-1][1] / S), rel=0.01)


@given(seed=st.integers(0, 10_000), start_s=st.floats(2.0, 3.0))
@settings(max_examples=40, deadline=None)
def test_a_single_20_ms_region_has_an_estimate_and_a_wide_interval(seed, start_s):
    curve = PowerCurve.cycles(400, 60, 0.020, 0.5, 6)
    session, _ = simulate(curve, faults=dataclasses.replace(GPU_FAULTS, seed=seed), until_s=4)
    start, end = round(start_s * S), round((start_s + 0.020) * S)
    joules = session.span(start, end)["sim:0"]
    assert joules.source == "counter" and joules.low_j <= joules.energy_j <= joules.high_j
    assert joules.half_width > 0.5 and "too short" in joules.reason
    assert joules.low_j <= curve.span_j(start / S, end / S) <= joules.high_j


SEEDS = 1000


def random_curve(random, length_s):
    """Power that wanders, with bursts: steps of 5 to 60 ms between 40 and 400 W on a slow swell."""
    times = np.concatenate(([0.0], np.cumsum(random.uniform(0.005, 0.060, int(length_s / 0.02)))))
    swell = 1 + 0.3 * np.sin(times[:-1] * random.uniform(0.5, 5) + random.uniform(0, 6))
    return PowerCurve(times, random.uniform(40, 400, len(swell)) * swell)


def readings_around_updates(updates_s, shown, random, latency_s=0.004, margin_s=0.002):
    """What a tracker gives: two reads around each update, in one vectorised step; arrays [2 n]."""
    before = updates_s - margin_s - latency_s + random.uniform(-0.001, 0.001, len(updates_s))
    after = updates_s + margin_s + random.uniform(-0.001, 0.001, len(updates_s))
    starts = np.stack((before, after), axis=1).ravel()
    moments = starts + latency_s * random.uniform(0, 1, len(starts))
    values = shown[np.maximum(np.searchsorted(updates_s, moments, "right") - 1, 0)]
    return starts, starts + latency_s, values


def filled_track(traits, starts, ends, values):
    track = Track(traits)
    for start, end, value in zip(starts, ends, values, strict=True):
        if start >= 0:
            track.append(Reading(round(start * S), round(end * S), float(value)))
    return track


def coverage(reckon, make_curve, traits, faults, span_s, poll=None):
    """Return the share of seeds whose interval holds the truth, the mean half-width over the truth, and the count."""
    held, widths = 0, []
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        curve = make_curve(random)
        updates, shown = simulate_updates(curve, traits, faults, 0.0, random)
        keep = updates >= 0.01
        if poll is None:
            track = filled_track(traits, *readings_around_updates(updates[keep], shown[keep], random))
        else:
            track = filled_track(traits, *poll(updates, shown, random, float(curve.times_s[-1])))
        start_s = random.uniform(0.6, 1.2)
        start, end = round(start_s * S), round((start_s + span_s) * S)
        joules = reckon(track.window(start, end), traits, start, end)
        truth = curve.span_j(start / S, end / S)
        assert joules.low_j is not None and joules.high_j is not None, joules
        held += joules.low_j <= truth <= joules.high_j
        widths.append((joules.high_j - joules.low_j) / 2 / truth)
    return held / SEEDS, float(np.mean(widths))


def poll_irregularly(updates, shown, random, length_s):
    starts = np.cumsum(random.uniform(0.025, 0.075, int(length_s / 0.05)))
    starts = starts[starts < length_s - 0.1]
    values = shown[np.maximum(np.searchsorted(updates, starts, "right") - 1, 0)]
    return starts, starts + 1e-5, values


def poll_steadily(updates, shown, random, length_s):
    starts = random.uniform(0, 0.05) + np.arange(int(length_s / 0.05) - 2) * 0.05
    values = shown[np.maximum(np.searchsorted(updates, starts + 1e-5, "right") - 1, 0)]
    return starts, starts + 2e-5, values


def work_with_loops(random, period_s=0.023):
    return PowerCurve.cycles(
        random.uniform(150, 500), random.uniform(50, 150), period_s, random.uniform(0.2, 0.8), 5
    )


def test_intervals_of_any_span_hold_the_truth():
    held, width = coverage(
        span_energy, lambda r: random_curve(r, 3.6), GPU_COUNTER, Faults(jitter_s=0.0005), 2.0
    )
    assert held >= 0.93
    assert width < 0.08


def test_intervals_of_steady_loops_hold_the_truth():
    held, width = coverage(
        lambda *a: steady_energy(*a, iteration_s=0.023),
        work_with_loops,
        GPU_COUNTER,
        Faults(jitter_s=0.0005),
        3.0,
    )
    assert held >= 0.93
    assert width < 0.012


def test_intervals_of_steady_loops_hold_the_truth_though_the_counter_sees_a_quarter_of_the_time():
    traits = dataclasses.replace(GPU_COUNTER, integrates=False)
    held, width = coverage(
        lambda *a: steady_energy(*a, iteration_s=0.061),
        lambda r: work_with_loops(r, 0.061),
        traits,
        Faults(jitter_s=0.0005, duty=0.25),
        3.0,
    )
    assert held >= 0.93
    assert width < 0.15


def test_a_run_reads_seldom_and_its_intervals_hold_the_truth():
    held, widths, reads, seeds = 0, [], [], 200
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        period_s = random.uniform(0.011, 0.06)
        curve, count = noisy_cycles(random, period_s), int(4.5 / period_s)
        own = dataclasses.replace(GPU_FAULTS, seed=seed)
        session, _ = simulate(curve, GPU_COUNTER, own, 8.0, pacing=STEADY)
        reads.append(next(iter(session.sampler.channels.values())).cost.reads / 8)
        spans = loops(3.0, period_s, count)
        device, truth = session.energy(spans).devices[0], curve.span_j(3.0, spans[-1][1] / S)
        held += device.low_j <= truth <= device.high_j
        widths.append((device.high_j - device.low_j) / 2 / truth)
    assert held / seeds >= 0.93
    assert np.mean(widths) < 0.007
    assert np.mean(reads) < 9  # a second; each update twice would be 20


def noisy_cycles(random, period_s):
    """9 s of batches whose power, 10 % more or less each, falls within a batch."""
    count = int(9 / period_s)
    starts = np.arange(count + 1) * period_s
    times = np.stack((starts, starts + random.uniform(0.3, 0.8) * period_s), axis=1).ravel()[:-1]
    high = random.uniform(300, 600) * (1 + 0.1 * random.normal(size=count))
    return PowerCurve(times, np.stack((high, np.full(count, random.uniform(80, 250))), axis=1).ravel())


def test_intervals_from_rapl_hold_the_truth():
    held, width = coverage(
        span_energy, lambda r: random_curve(r, 2.5), RAPL_COUNTER, Faults(jitter_s=5e-5), 1.0, poll_steadily
    )
    assert held >= 0.93
    assert width < 0.08


def test_intervals_from_sampled_power_hold_the_truth():
    traits = Traits("power", 0.02, resolution=1e-3, integrates=False)
    held, width = coverage(span_energy, lambda r: random_curve(r, 5), traits, Faults(), 3.0, poll_irregularly)
    assert held >= 0.93
    assert width < 0.25


def test_a_step_of_power_within_the_span_is_integrated():
    curve = PowerCurve((0, 5, 7, 12), (50, 450, 50))
    session, _ = simulate(curve)
    joules = session.span(4 * S, 9 * S)["sim:0"]
    truth = curve.span_j(4, 9)
    assert joules.low_j <= truth <= joules.high_j
    assert joules.energy_j == pytest.approx(truth, rel=0.02)


class TestWraps:
    def test_packages_and_sub_zones_wrap_at_their_own_ranges(self):
        clock = SimulatedClock()
        curve = PowerCurve.steady(180, 60)
        ranges = {"rapl:package-0": 2000.0, "rapl:package-0/dram": 650.0, "rapl:package-1": 1000.0}
        meters = [
            SimulatedMeter(
                curve,
                clock,
                dataclasses.replace(RAPL_COUNTER, range_j=range_j),
                dataclasses.replace(RAPL_FAULTS, seed=i),
                MeteredDevice(uid, uid, "dram" if uid.endswith("dram") else "cpu", "rapl"),
                start_j=range_j - 100,
            )
            for i, (uid, range_j) in enumerate(ranges.items())
        ]
        session = Session(meters, device="cpu", clock=clock)
        run(session, clock, 55)
        *zones, both_packages = session.energy(loops(1, 0.5, 100)).devices
        for device in zones:
            assert device.energy_j == pytest.approx(180 * 50, rel=1e-3), device.device_uid
            assert device.source == "counter"
        assert both_packages.energy_j == pytest.approx(2 * 180 * 50, rel=1e-3)

    def test_a_reset_is_no_wrap(self):
        curve = PowerCurve.steady(180, 20)
        faults = dataclasses.replace(RAPL_FAULTS, reset_at_s=8.0)
        session, _ = simulate(curve, RAPL_COUNTER, faults, device="cpu", start_j=100_000.0)
        device = session.energy(loops(5, 0.5, 10)).devices[0]
        assert "went back" in device.reason
        assert device.low_j <= 900 <= device.high_j
        assert device.energy_j == pytest.approx(
            900, rel=0.05
        )  # the power around the gap is taken for the power within
        assert session.energy(loops(10, 0.5, 10)).devices[0].energy_j == pytest.approx(900, rel=1e-3)

    def test_a_jump_is_no_consumption(self):
        track = Track(GPU_COUNTER)
        for i, value in enumerate((10, 20, 1.8e13, 1.8e13 + 10)):
            track.append(Reading(i * S // 10, i * S // 10 + 1000, value))
        assert "jumped" in track.breaks[0].reason
        assert track.window(0, S).energy_j[-1] == pytest.approx(20)


class TestTrouble:
    def test_the_clock_goes_on_while_the_meter_stops(self):
        curve = PowerCurve.steady(200, 20)
        session, _ = simulate(curve, faults=dataclasses.replace(GPU_FAULTS, stops_at_s=8.0))
        device = session.energy(loops(5, 0.5, 16)).devices[0]
        assert device.unresolved and "stopped counting" in device.reason
        assert device.low_j == pytest.approx(600, rel=0.1)  # what was counted until then is a lower bound
        assert device.low_j <= 1600 <= device.high_j

    @pytest.mark.parametrize("dies_at_s", [6.0, 8.9])
    def test_a_meter_that_disappears(self, dies_at_s):
        curve = PowerCurve.steady(200, 20)
        session, _ = simulate(curve, faults=dataclasses.replace(GPU_FAULTS, dies_at_s=dies_at_s))
        device = session.energy(loops(5, 0.5, 8)).devices[0]
        assert device.unresolved and "gone" in device.reason
        assert device.low_j <= 800 <= device.high_j
        whole = session.energy(loops(2, 0.5, 6)).devices[0]
        assert whole.energy_j == pytest.approx(600, rel=0.01)

    def test_a_meter_that_comes_back(self):
        curve = PowerCurve.steady(200, 30)
        faults = dataclasses.replace(GPU_FAULTS, dies_at_s=6.0, returns_at_s=9.0)
        session, _ = simulate(curve, faults=faults)
        gone = session.energy(loops(5, 0.5, 4)).devices[0]
        assert "gone" in gone.reason and gone.low_j <= 400 <= gone.high_j
        assert session.energy(loops(15, 0.5, 8)).devices[0].energy_j == pytest.approx(800, rel=0.01)

    def test_a_longer_period_than_stated_widens_the_interval_instead_of_lying(self):
        curve = PowerCurve((0, 4, 20), (100, 500))
        faults = dataclasses.replace(GPU_FAULTS, jitter_s=0)
        clock = SimulatedClock()
        meter = SimulatedMeter(curve, clock, dataclasses.replace(GPU_COUNTER, period_s=0.5), faults)
        meter.traits = GPU_COUNTER
        session = Session([meter], device="cuda:0", clock=clock)
        run(session, clock, 15)
        for start in (3, 5):
            joules = session.span(start * S, (start + 4) * S)["sim:0"]
            assert joules.low_j <= curve.span_j(start, start + 4) <= joules.high_j

    def test_sampled_power_is_labelled(self):
        curve = PowerCurve.cycles(300, 100, 0.037, 0.5, 14)
        traits = Traits("power", 0.02, integrates=False)
        session, _ = simulate(curve, traits, Faults(latency_s=1e-5))
        device = session.energy(loops(2, 0.037, 250)).devices[0]
        assert device.source == "sampled"
        assert device.low_j <= curve.span_j(2, 2 + 250 * 0.037) <= device.high_j

    def test_loops_in_step_with_a_partial_counter_are_told(self):
        curve = PowerCurve.cycles(300, 100, 0.05, 0.5, 14)
        session, _ = simulate(curve, dataclasses.replace(GPU_COUNTER, integrates=False))
        (told,) = session.flags(loops(3, 0.05, 100))
        assert (told.kind, told.scope, told.values["pieces"]) == ("aliasing", "energy", "loops")
        assert told.values["piece_s"] == pytest.approx(0.05)
        (told,) = session.flags(loops(3, 0.25, 20), 5)
        assert told.values["pieces"] == "batches" and told.values["piece_s"] == pytest.approx(0.05)
        assert session.flags(loops(3, 0.043, 100)) == ()
        session.device = "cpu"  # this meter cannot tell the energy of the work
        assert session.flags(loops(3, 0.05, 100)) == ()
