"""Energy of cells measured beside others: two GPUs with a meter each and a host with one, in simulated time."""

import pytest

from inferometer.energy.meters.simulated import PowerCurve, SimulatedMeter
from inferometer.energy.readings import MeteredDevice
from inferometer.energy.session import Session
from inferometer.records import Cell, Loop, Record
from inferometer.running.monitoring.concurrency import Concurrency
from inferometer.running.monitoring.energy import EnergyMonitor
from inferometer.running.monitoring.shared_energy import SharedEnergyMonitor
from simulation import GPU_COUNTER, GPU_FAULTS, RAPL_COUNTER, RAPL_FAULTS, LivingClock, S, run

ENDS_S = (0.0, 3.0, 5.0, 10.0, 11.0, 12.0, 14.0, 16.0, 21.0, 60.0)
GPU_0_W = (60, 70, 300, 90, 90, 60, 70, 300, 61)
GPU_1_W = (40, 50, 200, 200, 200, 55, 40, 40, 41)
HOST_W = (30, 80, 120, 120, 120, 60, 80, 100, 31)


class Host:
    """Rest until 3 s; loops of cuda:0 from 5 to 10 s, of cuda:1 from 5 to 12 s, of cuda:0 alone from 16 to 21 s."""

    def __init__(self, monkeypatch):
        self.clock = LivingClock()
        meters = [
            self._meter(GPU_0_W, GPU_COUNTER, GPU_FAULTS, MeteredDevice("GPU-0", "a GPU", "gpu", "nvml")),
            self._meter(GPU_1_W, GPU_COUNTER, GPU_FAULTS, MeteredDevice("GPU-1", "a GPU", "gpu", "nvml")),
            self._meter(HOST_W, RAPL_COUNTER, RAPL_FAULTS, MeteredDevice("rapl:0", "a CPU", "cpu", "rapl")),
        ]
        self.session = Session(meters, device="cuda:0", clock=self.clock)
        self.clock.session = self.session
        monkeypatch.setattr(self.session.sampler, "start", lambda: None)  # waiting reads
        self.closed = []
        for meter in meters:
            monkeypatch.setattr(meter, "close", lambda uid=meter.device.uid: self.closed.append(uid))
        self.concurrency = Concurrency(self.clock.now_ns)
        self.run = EnergyMonitor(self.session)
        self.run.begin_run()

    def _meter(self, watts, traits, faults, device):
        return SimulatedMeter(PowerCurve(ENDS_S, watts), self.clock, traits, faults, device)

    def thread(self, device, uid):
        thread = SharedEnergyMonitor(self.run, device, uid, self.concurrency)
        thread.begin_run()
        return thread

    def until(self, second):
        run(self.session, self.clock, second)


def cell(device):
    return Cell("m", "torch", "fp32", 8, device)


def record(device, start_s, end_s):
    count = int((end_s - start_s) * 2)
    loops = tuple(Loop(0.5, (), round((start_s + i / 2) * S)) for i in range(count))
    return Record(cell(device), 0, "ok", images=64, loops=loops)


@pytest.fixture
def host(monkeypatch):
    return Host(monkeypatch)


def test_each_device_is_metered_by_its_own_meter_and_the_host_by_none(host):
    first, second = host.thread("cuda:0", "GPU-0"), host.thread("cuda:1", "GPU-1")
    with host.concurrency.worker(cell("cuda:0")), host.concurrency.worker(cell("cuda:1")):
        host.until(5)
        first.begin(cell("cuda:0"), 7)
        second.begin(cell("cuda:1"), 8)
        host.until(10)
        ours = first.end(record("cuda:0", 5, 10)).energy  # rests for a second beside the other
        assert host.clock.time_ns == 11 * S
        host.until(12)
        theirs = second.end(record("cuda:1", 5, 12)).energy
    assert (ours.primary, theirs.primary) == ("GPU-0", "GPU-1")
    for energy, joules, loaded_w, before_w in ((ours, 1500, 90, 60), (theirs, 1400, 55, 40)):
        own, shared = energy.devices
        assert own.device_uid == energy.primary
        assert own.energy_j == pytest.approx(joules, rel=0.02)
        assert energy.idle_w["before"] == pytest.approx(before_w, rel=0.03)
        assert energy.idle_w["loaded"] == pytest.approx(loaded_w, rel=0.1)
        assert (shared.device_uid, shared.source, shared.energy_j) == ("rapl:0", "none", None)
        assert (shared.low_j, shared.high_j, shared.idle_w) == (None, None, None)
    assert ours.devices[1].reason == "shared with cuda:1, measured at once"
    assert theirs.devices[1].reason == "shared with cuda:0, measured at once"


def test_a_worker_that_had_the_host_to_itself_has_the_hosts_energy_too(host):
    thread, other = host.thread("cuda:0", "GPU-0"), host.thread("cuda:1", "GPU-1")
    with host.concurrency.worker(cell("cuda:1")):
        host.until(5)
        other.begin(cell("cuda:1"), 8)
        host.until(12)
        other.end(record("cuda:1", 5, 12))
    with host.concurrency.worker(cell("cuda:0")):
        host.until(16)
        thread.begin(cell("cuda:0"), 7)
        host.until(21)
        energy = thread.end(record("cuda:0", 16, 21)).energy
    own, whole = energy.devices
    assert energy.primary == own.device_uid == "GPU-0"
    assert own.energy_j == pytest.approx(1500, rel=0.02)
    assert whole.energy_j == pytest.approx(500, rel=0.02)


def test_a_cpu_beside_a_gpu_has_no_meter(host):
    thread = host.thread("cpu", "")
    with host.concurrency.worker(cell("cpu")), host.concurrency.worker(cell("cuda:1")):
        host.until(5)
        thread.begin(cell("cpu"), 7)
        host.until(10)
        energy = thread.end(record("cpu", 5, 10)).energy
    assert energy.primary == "" and energy.idle_w == {}
    assert [(d.device_uid, d.source, d.energy_j) for d in energy.devices] == [("rapl:0", "none", None)]
    assert energy.reason == "no meter: rapl: shared with cuda:1, measured at once"


def test_a_gpu_without_a_meter_keeps_its_own_reason(host):
    thread = host.thread("cuda:2", "GPU-2")
    with host.concurrency.worker(cell("cuda:2")), host.concurrency.worker(cell("cuda:1")):
        host.until(5)
        thread.begin(cell("cuda:2"), 7)
        host.until(10)
        energy = thread.end(record("cuda:2", 5, 10)).energy
    assert energy.primary == "" and energy.idle_w == {}
    assert [(d.device_uid, d.source, d.energy_j) for d in energy.devices] == [("rapl:0", "none", None)]
    assert energy.reason == "no meter: none is known for this device"


def test_the_run_rests_once_more_if_a_lane_metered_and_lets_go_of_the_meters_once(host):
    thread = host.thread("cuda:0", "GPU-0")
    with host.concurrency.worker(cell("cuda:0")):
        host.until(5)
        thread.begin(cell("cuda:0"), 7)
        host.until(10)
        thread.end(record("cuda:0", 5, 10))
    thread.end_run()
    assert host.closed == []
    host.until(21)
    host.run.end_run()
    assert host.clock.time_ns == 24 * S
    assert sorted(host.closed) == ["GPU-0", "GPU-1", "rapl:0"]
    assert host.session.idle_w("GPU-1") == {
        "before": pytest.approx(40, rel=0.03),
        "after": pytest.approx(41, rel=0.03),
    }
