"""Which meters are the sockets of one host, whose joules are added up, and which are of another."""

import pytest

from inferometer.energy.meters.simulated import PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.session import Session
from inferometer.results.estimates.energy import meter_name
from simulation import RAPL_COUNTER, RAPL_FAULTS, S, loops, run

IDLE_W = 20
HERE, THERE = "lab:1883/here", "lab:1883/there"


def package(number, meter, origin=""):
    name = f"CPU Power Socket {number}"
    return MeteredDevice(f"{meter}:{origin}{number}", name, "cpu", meter, origin)


def measured(*parts, device="cpu"):
    """Return the energy of 10 s of work: ``parts`` are devices with the power (W) that they draw meanwhile."""
    clock = SimulatedClock()
    meters = [
        SimulatedMeter(PowerCurve((0, 8, 20, 40), (IDLE_W, watts, IDLE_W)), clock, RAPL_COUNTER, RAPL_FAULTS, one)
        for one, watts in parts
    ]  # fmt: skip
    session = Session(meters, device=device, clock=clock)
    run(session, clock, 30)
    session.mark_idle(1 * S, 4 * S, "before")
    return session.energy(loops(9, 0.5, 20))


def joules(energy):
    return next((d.energy_j for d in energy.devices if d.device_uid == energy.primary), None)


@pytest.mark.parametrize(("meter", "origin"), [("rapl", ""), ("perf", ""), ("hwmon", ""), ("mqtt", HERE)])
def test_both_sockets_count_whatever_meter_reads_them(meter, origin):
    energy = measured((package(0, meter, origin), 100), (package(1, meter, origin), 120))
    assert joules(energy) == pytest.approx(2200, rel=0.01)
    assert energy.idle_w["before"] == pytest.approx(2 * IDLE_W, rel=0.02)
    assert meter_name(energy.primary, "cpu", meter) == f"{meter} (cpu, 2 packages)"


def test_two_hosts_of_a_network_are_never_added_up():
    energy = measured((package(0, "mqtt", HERE), 100), (package(1, "mqtt", THERE), 120))
    assert joules(energy) == pytest.approx(1200, rel=0.01)
    assert len(energy.devices) == 2


def test_a_socket_that_two_meters_show_counts_once():
    energy = measured((package(0, "rapl"), 100), (package(0, "hwmon"), 120))
    assert joules(energy) == pytest.approx(1200, rel=0.01)


def test_what_a_host_announces_beside_its_packages_is_not_added_to_them():
    core = MeteredDevice("mqtt:core 0", "core 0", "cpu", "mqtt", HERE)
    energy = measured((package(0, "mqtt", HERE), 100), (core, 60))
    assert joules(energy) == pytest.approx(1000, rel=0.01)


def test_announced_names_may_have_a_plus_sign():
    names = [f"mqtt:APU+GPU package-{number}" for number in range(2)]
    devices = [MeteredDevice(name, name[5:], "cpu", "mqtt", HERE) for name in names]
    energy = measured(*((device, 100) for device in devices))
    assert joules(energy) == pytest.approx(2000, rel=0.01)
    assert meter_name(energy.primary, "cpu", "mqtt") == "mqtt (cpu, 2 packages)"
    assert meter_name(names[0], "cpu", "mqtt") == "mqtt (cpu)"


def memory(meter, origin=""):
    return MeteredDevice(f"{meter}:{origin}dram", "dram", "dram", meter, origin)


def test_processors_of_another_host_never_stand_for_ones_own():
    """They had a job of their own meanwhile, with more joules above rest."""
    energy = measured(
        (package(0, "rapl"), 60), (package(0, "mqtt", THERE), 300), (package(1, "mqtt", THERE), 300)
    )
    assert energy.primary == "rapl:0" and joules(energy) == pytest.approx(600, rel=0.01)
    assert [device.device_uid for device in energy.devices] == ["rapl:0", f"mqtt:{THERE}0", f"mqtt:{THERE}1"]
    others = [device for device in energy.devices if device.meter == "mqtt"]
    assert all(device.energy_j == pytest.approx(3000, rel=0.01) for device in others)


def test_a_host_without_counters_is_told_its_own_over_the_network():
    energy = measured((package(0, "mqtt", HERE), 100), (memory("rapl"), 10))
    assert joules(energy) == pytest.approx(1000, rel=0.01)


def test_another_hosts_meter_does_not_make_the_loops_longer():
    here, there = Traits("counter", 0.001), Traits("counter", 0.5)
    own, other = (
        SimulatedMeter(PowerCurve.steady(1, 1), SimulatedClock(), traits, device=device)
        for traits, device in ((here, package(0, "rapl")), (there, package(0, "mqtt", THERE)))
    )
    assert Session([own, other], device="cpu").window_s() == Session([own], device="cpu").window_s()
    assert Session([other], device="cpu").window_s() == 10.0
