"""Questions put to a simulated meter, whose answers are known; the load's process for real."""

import contextlib
import dataclasses

import numpy as np
import psutil
import pytest

from broker import wait_until
from inferometer.energy.characterization.characterize import LoadTimes, characterize, idle_of
from inferometer.energy.characterization.duty_cycle import spread_of, verdict
from inferometer.energy.characterization.load_process import LoadProcess
from inferometer.energy.characterization.polls import poll, updates_of, window_of
from inferometer.energy.meters.phase_spread import integrates
from inferometer.energy.meters.simulated import Faults, PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import Traits
from inferometer.energy.session import Session
from inferometer.errors import MeterError
from inferometer.worker.switched_load import Switch
from simulation import GPU_COUNTER, GPU_FAULTS, S

HIGH_W, LOW_W = 400.0, 80.0


class SimulatedLoad:
    """Follows commands in simulated time; `curve` is what it drew, as a `PowerCurve` that is asked as time goes."""

    name = "simulated load"

    def __init__(self, clock):
        self.clock, self.switch = clock, Switch()
        self.times, self.watts, self.joules = [0.0], [], [0.0]
        self.times_s = np.array([0.0, 10_000.0])

    def set(self, command):
        self._fill(self.clock.time_ns / S)
        self.switch.obey(command)

    def energy_j(self, at_s):
        self._fill(float(np.max(at_s)))
        return np.interp(at_s, self.times, self.joules)

    def _fill(self, until_s):
        while self.times[-1] < until_s:
            now_s = self.times[-1]
            on = self.switch.rest_s(now_s + 1e-7) == 0
            step = min(until_s - now_s, 0.0005)
            self.times.append(now_s + step)
            self.joules.append(self.joules[-1] + step * (HIGH_W if on else LOW_W))


class FollowingMeter(SimulatedMeter):
    """Shows the load's present consumption, updated every period; sees all of the time or its last quarter."""

    def __post_init__(self):
        self.shown, self.updated = 0.0, -1

    def read(self):
        self.clock.time_ns += round(self.faults.latency_s * S)
        period = self.traits.period_s
        count = int(self.clock.time_ns / S / period)
        while self.updated < count:
            self.updated += 1
            at = self.updated * period
            if self.traits.kind == "power":
                window = self.traits.window_s or 0.001
                first, last = self.curve.energy_j(np.array([max(at - window, 0), at]))
                self.shown = float(last - first) / window
            else:
                seen = period * self.faults.duty
                first, last = self.curve.energy_j(np.array([max(at - seen, 0), at]))
                self.shown += float(last - first) / self.faults.duty
        return self.shown


def bench(duty=1.0, window_s=0.0):
    clock = SimulatedClock()
    load = SimulatedLoad(clock)
    counter = FollowingMeter(load, clock, GPU_COUNTER, Faults(latency_s=0.004, duty=duty))
    power = FollowingMeter(load, clock, Traits("power", 0.1, window_s), Faults(latency_s=2e-6))
    return clock, load, counter, power


@pytest.mark.parametrize(("duty", "integrates"), [(1.0, True), (0.25, False)])
def test_a_counter_that_misses_part_of_a_half_time_load_is_found_out(duty, integrates):
    clock, load, counter, power = bench(duty)
    said = []
    facts = characterize(
        counter,
        lambda: contextlib.nullcontext(load),
        powers={"instant": power},
        clock=clock,
        plan=LoadTimes(idle_s=4, watch_s=2, duty_s=2, settle_s=0.5),
        say=said.append,
    )
    assert facts["counter"]["integrates"] is integrates
    assert ("misses no part" in verdict(facts)) is integrates
    assert facts["phase_spread"]["polled"] > 0.5  # the instant reading aliases, as on the H100
    assert facts["counter"]["period_s"] == pytest.approx(0.1, rel=0.05)
    assert facts["counter"]["read_s"] == pytest.approx(0.004, rel=0.01)
    assert facts["counter"]["load_w"] == pytest.approx(HIGH_W, rel=0.1)
    assert facts["idle"]["power_w"] == pytest.approx(LOW_W, rel=0.02)
    assert facts["load"] == "simulated load"
    assert len(facts["duty"]) == 12 and len(said) == 12 + 4
    if integrates:
        for row in facts["duty"]:
            assert row["counter_w"] == pytest.approx((HIGH_W + LOW_W) / 2, rel=0.05)


@pytest.mark.parametrize("window_s", [0.5, 1.0])
def test_the_averaging_window_from_a_step(window_s):
    clock, load, _, power = bench(window_s=window_s)
    clock.time_ns = 3 * S
    before = poll(power, clock, 0.5)
    load.set("steady")
    step_s = clock.time_ns / S
    after = poll(power, clock, 3)
    joined = dataclasses.replace(
        after,
        start_s=np.append(before.start_s, after.start_s),
        end_s=np.append(before.end_s, after.end_s),
        values=np.append(before.values, after.values),
    )
    assert window_of(joined, step_s) == pytest.approx(window_s, abs=0.13)
    assert window_of(joined, 1e9) is None


def test_updates_and_idle_drift():
    clock = SimulatedClock()
    curve = PowerCurve(np.arange(0, 61), 80 + np.arange(60) * 0.1)  # 6 W a minute
    meter = SimulatedMeter(curve, clock, GPU_COUNTER, GPU_FAULTS)
    facts = updates_of(poll(meter, clock, 3))
    assert facts["period_s"] == pytest.approx(0.1, rel=0.03)
    idle = idle_of(Session([meter], clock=clock), 40)
    assert idle["drift_w_per_min"] == pytest.approx(6, rel=0.2)


def test_spread_needs_every_phase():
    rows = [{"period_s": 0.1, "phase": p, "counter_w": w} for p, w in ((0, 100.0), (0.5, 110.0))]
    assert spread_of(rows, "counter_w") == pytest.approx(10 / 105)
    assert spread_of([*rows, {"period_s": 0.1, "phase": 1, "counter_w": None}], "counter_w") is None


@pytest.mark.parametrize(
    ("spread", "sees", "told"),
    [
        (0.005, True, "misses no part of"),
        (
            0.08,
            None,
            "is not shown: its phase changes the result by up to 8.0%",
        ),  # of 8 % it was said that none is missed
        (0.3, False, "misses a part of"),
        (None, None, "unresolved"),
    ],
)
def test_a_counter_is_said_to_miss_nothing_only_where_it_is_seen_to(spread, sees, told):
    assert integrates(spread) is sees
    assert told in verdict({"phase_spread": {"meter": spread, "polled": None}})


def test_the_switch_follows_the_clock():
    switch = Switch()
    assert switch.rest_s(1.0) > 100
    switch.obey("duty 0.1 0.25")
    assert switch.rest_s(10.03) == 0  # 0.3 - 0.25 periods: the first half
    assert switch.rest_s(10.0) == pytest.approx(0.025)
    switch.obey("steady")
    assert switch.rest_s(10.0) == 0


def test_the_loads_process_works_when_told_to():
    with LoadProcess("cpu") as load:
        assert load.name.startswith("numpy")
        child = psutil.Process(load._child.pid)
        load.set("idle")
        before = child.cpu_times().user
        load.set("steady")
        wait_until(lambda: child.cpu_times().user > before + 0.2, "the load uses the processor")
        load.set("duty 0.1 0.5")
    assert not psutil.pid_exists(child.pid) or child.status() == psutil.STATUS_ZOMBIE


def test_a_load_that_cannot_run_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(MeterError, match="--python"):
        LoadProcess("cpu", str(tmp_path / "no-python"))
    (tmp_path / "torch.py").write_text("raise ImportError('no torch for you')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MeterError, match="no torch for you"):
        LoadProcess("cuda:0")


def test_a_card_is_loaded_by_its_uuid_whatever_cuda_calls_it(tmp_path, monkeypatch):
    asks = "import os, sys; raise ImportError(os.environ['CUDA_VISIBLE_DEVICES'] + ' as ' + sys.argv[1])"
    (tmp_path / "torch.py").write_text(asks)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with pytest.raises(MeterError, match="GPU-b as cuda:0"):
        LoadProcess("cuda:1", gpu="GPU-b")
