"""Joules a request and mean watts at the rate and below it, by a simulated meter of constant power and real workers."""

import time
from dataclasses import replace

import pytest

from fakes import fake_framework
from inferometer.energy.meters.simulated import PowerCurve, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.sampling.clock import SystemClock
from inferometer.energy.sampling.pacing import REGIONS
from inferometer.energy.session import Session
from inferometer.planning.load_request import LoadRequest
from inferometer.results.summary import summarise
from inferometer.results.under_load import joules_a_request, summarise_load, watts
from inferometer.running.load.stage import run_stage
from inferometer.running.monitoring import energy
from inferometer.storage.run_directory import read_run
from load_stage import load_context, shortened

WATTS = 40.0


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    shortened(monkeypatch, 0.5, 50)
    monkeypatch.setattr(energy, "_IDLE_S", 0.3)
    monkeypatch.setattr(energy, "_LOADED_S", 0.3)


class RealTime(SystemClock):
    """The host's clock, as a simulated meter wants it: reads move it on by themselves."""

    time_ns = property(lambda self: self.now_ns(), lambda self, value: None)


def metered_session():
    clock = RealTime()
    now_s = time.monotonic()
    curve = PowerCurve([0.0, now_s + 3600], [WATTS])
    meter = SimulatedMeter(
        curve,
        clock,
        Traits("counter", 0.02, resolution=1e-3),
        device=MeteredDevice("c0", "c0", "cpu", "rapl"),
    )
    return Session([meter], device="cpu", clock=clock, pacing=REGIONS)


def test_the_rate_is_followed_by_lower_loads_whose_requests_cost_more(tmp_path):
    session = metered_session()
    load = LoadRequest(("server",), bounds_s=(0.06,), percentile=60, max_batch=(8,))
    framework = fake_framework(service_s=(0.003, 0.001))
    context = load_context(
        tmp_path,
        [framework],
        load,
        monitors=(),
        meters_tell=lambda device: session.needs(device).window_s > 0,
    )
    context = replace(context, runner=replace(context.runner, monitors=(energy.EnergyMonitor(session),)))
    run_stage(context, read_run(context.runner.writer.path))
    run = read_run(context.runner.writer.path)
    (found,) = run.scenarios
    best, shares = found.result, [test for test in found.tests if test.purpose == "load"]
    assert [test.share for test in shares] == [0.75, 0.5, 0.25]
    assert all(test.target_rate == pytest.approx(test.share * best.target_rate) for test in shares)
    for test in (best, *shares):
        assert watts(test) == pytest.approx(WATTS, rel=0.05)
        assert joules_a_request(test) == pytest.approx(WATTS * test.elapsed_s / test.rows, rel=0.05)
    assert joules_a_request(shares[-1]) > 2 * joules_a_request(best)
    (summary,) = summarise_load(summarise([run]))
    assert summary.power.value == pytest.approx(WATTS, rel=0.05)
    assert summary.idle_power == pytest.approx(WATTS, rel=0.1)
    assert [share for share, _ in summary.levels()] == [0.25, 0.5, 0.75, 1.0]
