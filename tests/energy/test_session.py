"""The runner's side: idle power, the device that worked, windows, reasons, what is known_traits."""

import dataclasses

import msgspec
import pytest

from inferometer.energy.integration.joules import Joules, without_pauses
from inferometer.energy.meters.found import Absence
from inferometer.energy.meters.simulated import PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.session import Session
from inferometer.flags import flag
from simulation import GPU_COUNTER, GPU_FAULTS, RAPL_COUNTER, RAPL_FAULTS, S, loops, run

IDLE_THEN_WORK = PowerCurve((0, 4, 8, 20, 40), (60, 90, 300, 61))  # idle, model loaded, work, idle


def machine(device, *parts):
    clock = SimulatedClock()
    meters = [
        SimulatedMeter(curve, clock, traits, faults, MeteredDevice(uid, uid, type_, "sim"))
        for uid, type_, curve, traits, faults in parts
    ]
    session = Session(meters, device=device, clock=clock)
    run(session, clock, 30)
    session.mark_idle(1 * S, 4 * S, "before")
    session.mark_idle(5 * S, 8 * S, "loaded")
    session.mark_idle(25 * S, 29 * S, "after")
    return session


def gpu(uid, curve=IDLE_THEN_WORK):
    return (uid, "gpu", curve, GPU_COUNTER, GPU_FAULTS)


def cpu(uid, curve=IDLE_THEN_WORK, type_="cpu"):
    return (uid, type_, curve, RAPL_COUNTER, RAPL_FAULTS)


def test_idle_power_by_label_and_net_of_the_loaded_model():
    energy = machine("cuda:0", gpu("g0")).energy(loops(9, 0.5, 20))
    assert energy.primary == "g0"
    assert energy.idle_w["before"] == pytest.approx(60, rel=0.02)
    assert energy.idle_w["loaded"] == pytest.approx(90, rel=0.02)
    assert energy.idle_w["after"] == pytest.approx(61, rel=0.02)
    (device,) = energy.devices
    assert device.idle_w == pytest.approx(90, rel=0.02)
    assert device.energy_j == pytest.approx(3000, rel=0.01)
    assert (device.seconds, device.images) == (pytest.approx(10), 20 * 64)


def test_the_gpu_that_worked_is_found_by_its_energy_above_idle():
    busy_but_steady = PowerCurve.steady(350, 40)  # another user's: more joules, none above idle
    session = machine("cuda:1", gpu("g0", busy_but_steady), gpu("g1"), cpu("package-0"))
    energy = session.energy(loops(9, 0.5, 20))
    assert energy.primary == "g1"
    assert len(energy.devices) == 3


def test_the_gpu_that_the_work_was_given_to_is_taken_whatever_another_draws():
    """Another user's card that wakes up after the rest would have the most energy above idle."""
    woken = PowerCurve((0, 4.5, 40), (60, 600))
    clock = SimulatedClock()
    meters = [
        SimulatedMeter(curve, clock, GPU_COUNTER, GPU_FAULTS, MeteredDevice(uid, uid, "gpu", "sim"))
        for uid, curve in (("GPU-a", IDLE_THEN_WORK), ("GPU-b", woken))
    ]
    meters[1].conditions = lambda: {"throttle": "power cap"}
    session = Session(meters, device="cuda:0", gpus={"cuda:0": "GPU-a", "cuda:1": "GPU-b"}, clock=clock)
    run(session, clock, 30)
    session.mark_idle(1 * S, 4 * S, "before")
    spans = loops(9, 0.5, 20)
    assert session.energy(spans).primary == "GPU-a"
    assert session.flags(spans) == ()
    session.device = "cuda:1"
    assert session.energy(spans).primary == "GPU-b"
    assert session.flags(spans) == (flag("throttled", reason="power cap", device="GPU-b"),)


def test_a_gpu_without_a_meter_is_not_given_anothers_energy():
    clock = SimulatedClock()
    meter = SimulatedMeter(
        IDLE_THEN_WORK, clock, GPU_COUNTER, device=MeteredDevice("GPU-b", "b", "gpu", "nvml")
    )
    session = Session([meter], device="cuda:0", gpus={"cuda:0": "GPU-a", "cuda:1": "GPU-b"}, clock=clock)
    run(session, clock, 20)
    energy = session.energy(loops(9, 0.5, 20))
    assert (energy.primary, energy.reason) == ("", "no meter: none is known for cuda:0 (GPU-a)")
    assert session.window_s() == 0.0


@pytest.mark.parametrize(
    ("uid", "told"),
    [("mqtt:NVIDIA H100 GPU-a", True), ("mqtt:NVIDIA H100 GPU-b", False), ("wallplug:gpu-rail", True)],
)
def test_another_meter_of_the_card_tells_its_energy_unless_it_is_known_to_be_anothers(uid, told):
    clock = SimulatedClock()
    meter = SimulatedMeter(
        IDLE_THEN_WORK, clock, GPU_COUNTER, device=MeteredDevice(uid, "a GPU", "gpu", "mqtt")
    )
    session = Session([meter], device="cuda:0", gpus={"cuda:0": "GPU-a", "cuda:1": "GPU-b"}, clock=clock)
    run(session, clock, 20)
    assert (session.energy(loops(9, 0.5, 20)).primary == uid) is told


def test_clocks_and_warming_of_the_loops_are_flagged():
    clock = SimulatedClock()
    meter = SimulatedMeter(IDLE_THEN_WORK, clock)
    meter.conditions = lambda: {
        "sm_clock_hz": 1.98e9 if clock.time_ns < 10 * S else 1.41e9,
        "temperature_c": 40 + clock.time_ns // S,
    }
    session = Session([meter], device="cuda:0", clock=clock)
    run(session, clock, 30)
    assert session.flags(loops(2, 0.5, 10)) == ()
    assert session.flags(loops(5, 0.5, 30)) == (
        flag("clock-unsteady", clock="SM", low_hz=1.41e9, high_hz=1.98e9),
        flag("warmed", low_c=46, high_c=58),
    )


def test_for_a_cpu_cell_the_package_not_the_gpu_nor_the_memory():
    session = machine("cpu", gpu("g0"), cpu("package-0"), cpu("dram", type_="dram"))
    assert session.energy(loops(9, 0.5, 20)).primary == "package-0"


def test_work_on_two_sockets_takes_both_packages():
    def package(number, curve):
        device = MeteredDevice(f"rapl:package-{number}", f"package-{number}", "cpu", "rapl")
        return SimulatedMeter(curve, clock, RAPL_COUNTER, RAPL_FAULTS, device)

    clock = SimulatedClock()
    beside = PowerCurve((0, 8, 20, 40), (20, 110, 21))
    memory = SimulatedMeter(
        beside, clock, RAPL_COUNTER, RAPL_FAULTS, MeteredDevice("rapl:dram", "dram", "dram", "rapl")
    )
    meters = [package(0, IDLE_THEN_WORK), package(1, beside), memory]
    session = Session(meters, device="cpu", clock=clock)
    run(session, clock, 30)
    session.mark_idle(1 * S, 4 * S, "before")
    energy = session.energy(loops(9, 0.5, 20))
    assert energy.primary == "rapl:package-0+rapl:package-1"
    whole = next(d for d in energy.devices if d.device_uid == energy.primary)
    assert whole.energy_j == pytest.approx(4100, rel=0.01)
    assert whole.low_j <= 4100 <= whole.high_j
    assert energy.idle_w["before"] == pytest.approx(80, rel=0.02)
    assert [d.device_name for d in energy.devices] == [
        "package-0",
        "package-1",
        "dram",
        "package-0 + package-1",
    ]
    session.device = "cuda:0"
    assert session.energy(loops(9, 0.5, 20)).primary == ""


def test_a_gpu_cell_without_a_gpu_meter_names_the_reason():
    clock = SimulatedClock()
    meter = SimulatedMeter(
        IDLE_THEN_WORK, clock, RAPL_COUNTER, device=MeteredDevice("package-0", "p", "cpu", "rapl")
    )
    absence = Absence("nvml", "gpu", "no driver", "install it")
    session = Session([meter], [absence], device="cuda:0", clock=clock)
    run(session, clock, 20)
    energy = session.energy(loops(9, 0.5, 20))
    assert energy.primary == ""
    assert energy.reason == "no meter: nvml: no driver (install it)"
    assert energy.devices[0].energy_j is not None  # the package's energy is kept all the same
    assert session.window_s() == 0.0


def test_loops_with_pauses_between_them_leave_the_pauses_out():
    curve = PowerCurve.cycles(300, 60, 4.0, 0.5, 40)  # 2 s of work, 2 s of pause
    session = machine("cuda:0", gpu("g0", curve))
    spans = [(i * 4 * S, i * 4 * S + 2 * S, 8) for i in range(1, 6)]
    (device,) = session.energy(spans).devices
    assert device.seconds == 10
    assert device.low_j <= 3000 <= device.high_j
    assert device.energy_j == pytest.approx(3000, rel=0.05)


def test_no_meter_at_all():
    session = Session([], [Absence("nvml", "gpu", "no driver"), Absence("rapl", "cpu", "none", "modprobe")])
    assert session.energy([(1, 2, 3)]).reason == "no meter: nvml: no driver; rapl: none (modprobe)"
    assert session.window_s() == 0.0
    assert session.flags([(1, 2, 3)]) == ()
    assert len(session.describe()) == 2
    session.start()
    session.stop()


def test_windows_follow_the_meter():
    def window(traits, type_="gpu", device="cuda:0", **options):
        meter = SimulatedMeter(
            PowerCurve.steady(1, 1), SimulatedClock(), traits, device=MeteredDevice("u", "n", type_, "m")
        )
        return Session([meter], device=device).window_s(**options)

    assert 3 < window(GPU_COUNTER) < 8
    assert window(GPU_COUNTER, target=0.001) == 10.0
    assert window(GPU_COUNTER, target=0.001, limit_s=60) > 30
    assert window(RAPL_COUNTER, "cpu", "cpu") == 1.0
    assert window(Traits("power", 0.1, 1.0)) == 10.0
    assert window(GPU_COUNTER, "gpu", "cpu") == 0.0


def test_what_is_stored_survives_json():
    session = machine("cuda:0", gpu("g0"))
    energy = session.energy(loops(9, 0.5, 20))
    assert msgspec.json.decode(msgspec.json.encode(energy), type=type(energy)) == energy
    (facts,) = msgspec.json.decode(msgspec.json.encode(session.describe()))
    assert facts["uid"] == "g0" and facts["kind"] == "counter" and facts["reads"] > 100


def test_conditions_are_summarized_over_the_loops_and_throttling_is_flagged():
    clock = SimulatedClock()
    meter = SimulatedMeter(IDLE_THEN_WORK, clock)
    meter.conditions = lambda: {
        "temperature_c": clock.time_ns // S,
        "throttle": "power cap" if clock.time_ns > 9 * S else "",
    }
    session = Session([meter], device="cuda:0", clock=clock)
    run(session, clock, 20)
    assert session.flags(loops(2, 0.5, 4)) == ()
    assert session.flags(loops(5, 0.5, 20)) == (flag("throttled", reason="power cap", device="sim:0"),)
    low, high = session.conditions(loops(5, 0.5, 20))["sim:0"]["temperature_c"]
    assert 5 <= low <= 7 and 13 <= high <= 15


def test_pauses_are_left_out_between_idle_power_and_that_of_the_work():
    whole = Joules("counter", 1000.0, 990.0, 1010.0)  # 10 s
    work = without_pauses(whole, 10.0, 0.2, 20.0)
    assert work.energy_j == pytest.approx((1000 - 0.2 * 20 + 1000 - 0.2 * 100) / 2)
    assert work.low_j == pytest.approx(990 * 0.98)
    assert work.high_j == pytest.approx(1010 - 0.2 * 20)
    assert without_pauses(whole, 10.0, 0.0, 20.0) == whole
    unknown = without_pauses(Joules("unresolved", None, 990.0, None, "gone"), 10.0, 0.2, 20.0)
    assert (unknown.energy_j, unknown.high_j, unknown.reason) == (None, None, "gone")
    assert unknown.low_j == pytest.approx(970.2)


def test_pauses_shorter_than_the_meter_can_tell_lie_within_one_stretch():
    edges = [9.0 + 0.55 * i for i in range(11)]  # 0.5 s of work, 0.05 s of pause
    watts = [v for _ in range(10) for v in (300.0, 90.0)]
    times = [t for start in edges[:-1] for t in (start, start + 0.5)]
    curve = PowerCurve((0, 4, *times, edges[-1], 40), (60, 90, *watts, 60))
    (device,) = (
        machine("cuda:0", gpu("g0", curve))
        .energy([(round(s * S), round((s + 0.5) * S), 1) for s in edges[:-1]])
        .devices
    )
    assert device.seconds == pytest.approx(5)
    assert device.low_j <= 1500 <= device.high_j
    assert device.energy_j == pytest.approx(1500, rel=0.05)
    assert device.high_j - device.low_j < 0.15 * 1500  # apart, each stretch would be known to a fifth only


def test_meters_needs_are_told_for_each_device():
    partial = dataclasses.replace(GPU_COUNTER, integrates=False)
    session = machine(
        "cpu", ("g0", "gpu", IDLE_THEN_WORK, partial, GPU_FAULTS), cpu("package-0"), cpu("dram", type_="dram")
    )
    gpu_needs, cpu_needs = session.needs("cuda:0"), session.needs("cpu")
    assert gpu_needs.updates_s == (0.1,) and gpu_needs.window_s > 3
    assert cpu_needs.updates_s == () and cpu_needs.window_s == 1.0
