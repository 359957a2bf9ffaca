"""What a run tells the meters and when: idle power before, between and after the cells, in simulated time."""

import msgspec
import pytest

from inferometer.energy.meters.simulated import PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.sampling.pacing import STEADY
from inferometer.energy.session import Session
from inferometer.records import Cell, Loop, Record
from inferometer.running.monitoring.energy import EnergyMonitor
from simulation import GPU_COUNTER, GPU_FAULTS, LivingClock, S, run

IDLE_W, LOADED_W, WORK_W, AFTER_W = 60.0, 90.0, 300.0, 64.0


class Bench:
    """A run over a simulated GPU: 3 s of rest, workers that load for 2 s and loop for 5 s a cell, rest."""

    def __init__(self, monkeypatch, cells, traits=GPU_COUNTER):
        times, watts = [0.0, 3.0], [IDLE_W]
        for cell in range(cells):
            times += [times[-1] + 2.0, times[-1] + 7.0, times[-1] + (8.0 if cell == 0 else 7.0)]
            watts += [LOADED_W, WORK_W, LOADED_W]
        self.curve = PowerCurve([*times, times[-1] + 30], [*watts, AFTER_W])
        self.clock = LivingClock()
        meter = SimulatedMeter(
            self.curve, self.clock, traits, GPU_FAULTS, MeteredDevice("g0", "g0", "gpu", "sim")
        )
        self.session = Session([meter], device="cuda:0", clock=self.clock, pacing=STEADY)
        self.clock.session = self.session
        monkeypatch.setattr(self.session.sampler, "start", lambda: None)  # waiting reads
        self.meter = EnergyMonitor(self.session)

    def pass_time(self, seconds):
        run(self.session, self.clock, self.clock.time_ns / S + seconds)

    def cell(self, pid, batch_size):
        cell = Cell("m", "f", "fp32", batch_size, "cuda:0")
        self.meter.begin(cell, pid)
        self.pass_time(2.0)
        start_ns = self.clock.time_ns
        self.pass_time(5.0)
        loops = tuple(Loop(0.5, (), start_ns + i * S // 2) for i in range(10))
        return self.meter.end(Record(cell, 0, "ok", images=64, loops=loops))


@pytest.mark.parametrize("cells", [1, 2])
def test_idle_power_is_that_before_with_the_model_loaded_and_after(monkeypatch, cells):
    bench = Bench(monkeypatch, cells)
    bench.meter.begin_run()
    assert bench.clock.time_ns == 3 * S
    records = [bench.cell(7, 8 * 2**i) for i in range(cells)]
    bench.meter.end_run()
    for record in records:
        assert record.energy.idle_w["before"] == pytest.approx(IDLE_W, rel=0.03)
        assert record.energy.idle_w["loaded"] == pytest.approx(LOADED_W, rel=0.08)
        assert record.energy.devices[0].idle_w == record.energy.idle_w["loaded"]
        assert record.energy.devices[0].energy_j == pytest.approx(5 * WORK_W, rel=0.02)
    (facts,) = bench.session.describe()
    assert facts["idle_w"] == {
        "before": pytest.approx(IDLE_W, rel=0.03),
        "loaded": pytest.approx(LOADED_W, rel=0.08),
        "after": pytest.approx(AFTER_W, rel=0.03),
    }
    assert msgspec.json.encode(facts)


@pytest.mark.parametrize(("period_s", "waited_s"), [(0.1, 0.0), (15.0, 20.0)])
def test_the_next_update_is_awaited_where_a_cell_would_have_no_figure(monkeypatch, period_s, waited_s):
    """A BMC that counts every 15 s: the first cells had no figure."""
    bench = Bench(monkeypatch, 1, Traits("counter", period_s, resolution=1e-3, max_power_w=1000.0))
    bench.meter.begin_run()
    record = bench.cell(7, 8)
    (device,) = record.energy.devices
    assert device.energy_j is not None and device.low_j <= 5 * WORK_W <= device.high_j
    assert bench.clock.time_ns / S - 11 <= waited_s  # rest, load, loops, rest with the model in memory


def test_a_run_that_measured_nothing_ends_at_once(monkeypatch):
    bench = Bench(monkeypatch, 1)
    bench.meter.begin_run()
    cell = Cell("m", "f", "fp32", 8, "cuda:0")
    bench.meter.begin(cell, 7)
    record = Record(cell, 0, "out-of-memory")
    assert bench.meter.end(record) is record
    before_ns = bench.clock.time_ns
    bench.meter.end_run()
    assert bench.clock.time_ns == before_ns


def test_without_a_meter_nobody_rests():
    clock = SimulatedClock()
    meter = EnergyMonitor(Session([], device="cpu", clock=clock))
    meter.begin_run()
    meter.begin(Cell("m", "f", "fp32", 8, "cpu"), 7)
    record = meter.end(Record(Cell("m", "f", "fp32", 8, "cpu"), 0, "ok", images=8, loops=(Loop(1.0, (), S),)))
    meter.end_run()
    assert clock.time_ns == 0
    assert record.energy.reason.startswith("no meter")
