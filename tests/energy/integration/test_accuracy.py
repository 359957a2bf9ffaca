"""The promises about joules, kept against a device whose true power is known."""

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.energy.meters.simulated import (
    Faults,
    PowerCurve,
    SimulatedClock,
    SimulatedMeter,
)
from inferometer.energy.readings import MeteredDevice, Reading, Traits
from inferometer.energy.session import Session
from inferometer.energy.track import Track
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
