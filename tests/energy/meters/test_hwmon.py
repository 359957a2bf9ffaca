"""hwmon trees of real files: which sensors are meters, of what, and in which unit."""

import pytest

from inferometer.energy import open_session
from inferometer.energy.meters.built_in import hwmon
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.selection import Selection
from powercap import make_zone


def sensor(root, number, driver, **files):
    folder = root / f"hwmon{number}"
    folder.mkdir(parents=True)
    for name, text in {"name": driver, **files}.items():
        (folder / name).write_text(f"{text}\n")
    return folder


@pytest.fixture
def grace(tmp_path):
    sensor(tmp_path, 0, "nvme", temp1_input=40000)
    sensor(
        tmp_path,
        1,
        "power_meter",
        power1_average=95_000_000,
        power1_oem_info="CPU Power Socket 0",
        power1_average_interval=50,
    )
    sensor(tmp_path, 2, "power_meter", power1_average=412_500_000, power1_oem_info="Module Power Socket 0")
    return tmp_path


def test_acpi_meters_tell_watts_of_processors_and_of_the_system(grace):
    processors, module = hwmon.find({"INFEROMETER_HWMON": str(grace)}).meters
    assert (processors.device.type, processors.device.name, processors.read()) == (
        "cpu",
        "CPU Power Socket 0",
        95.0,
    )
    assert (processors.traits.kind, processors.traits.period_s, processors.traits.window_s) == (
        "power",
        0.05,
        0.05,
    )
    assert (module.device.type, module.read(), module.traits.window_s) == ("psys", 412.5, 1.0)
    assert processors.device.uid != module.device.uid


def test_the_system_is_metered_where_processors_are_not_or_on_demand(grace):
    environ = {"INFEROMETER_HWMON": str(grace), "INFEROMETER_POWERCAP": str(grace / "none")}

    def types(*terms):
        return [meter.device.type for meter in discover(Selection.parse(terms), environ).meters]

    assert types("hwmon") == ["cpu", "psys"]
    assert types("type=psys") == ["psys"]
    assert "psys" not in types()
    (grace / "hwmon1" / "power1_oem_info").write_text("System\n")
    assert types().count("psys") == 2


def test_rapl_comes_before_the_meter_of_the_system(tmp_path):
    sensor(tmp_path / "hwmon", 0, "power_meter", power1_average=300_000_000)
    make_zone(tmp_path / "powercap" / "intel-rapl:0", "package-0")
    environ = {
        "INFEROMETER_HWMON": str(tmp_path / "hwmon"),
        "INFEROMETER_POWERCAP": str(tmp_path / "powercap"),
    }
    found = discover(Selection.parse(["!nvml"]), environ)
    assert [meter.device.uid for meter in found.meters] == ["rapl:package-0"]
    for meter in found.meters:
        meter.close()


def test_an_intel_gpu_counts_joules_of_the_card_once(tmp_path):
    sensor(tmp_path, 3, "xe", energy1_input=7_250_000, energy2_input=3_000_000)
    sensor(tmp_path, 4, "i915")  # an integrated one without a counter
    (card,) = hwmon.find({"INFEROMETER_HWMON": str(tmp_path)}).meters
    assert (card.device.type, card.traits.kind, card.read()) == ("gpu", "counter", 7.25)
    assert not card.traits.limit_known


@pytest.mark.parametrize(("limit_uw", "most_w"), [(190_000_000, 675), (0, 675), (300_000_000, 900)])
def test_an_intel_gpus_largest_power_is_by_its_limit(tmp_path, limit_uw, most_w):
    sensor(tmp_path, 0, "i915", energy1_input=1_000_000, power1_max=limit_uw, power1_rated_max=225_000_000)
    (card,) = hwmon.find({"INFEROMETER_HWMON": str(tmp_path)}).meters
    assert (card.traits.max_power_w, card.traits.limit_known) == (most_w, True)


@pytest.mark.parametrize("content", ["", "no number"])
def test_what_tells_no_number_is_absent_with_its_file(tmp_path, content):
    folder = sensor(tmp_path, 0, "power_meter", power1_average=content)
    (absence,) = hwmon.find({"INFEROMETER_HWMON": str(tmp_path)}).absences
    assert str(folder / "power1_average") in absence.line


def test_a_machine_without_such_meters_is_silent(tmp_path):
    assert hwmon.find({"INFEROMETER_HWMON": str(tmp_path)}) == hwmon.Found()


def test_energy_of_a_span_comes_from_it(tmp_path, monkeypatch):
    sensor(tmp_path, 0, "power_meter", power1_average=50_000_000, power1_average_interval=20)
    monkeypatch.setenv("INFEROMETER_HWMON", str(tmp_path))
    with open_session("cpu", ["hwmon"]) as session:
        clock = session.sampler.clock
        start_ns = clock.now_ns()
        session.sampler.wait_past(start_ns + 600_000_000, 5.0)
        (joules,) = session.span(start_ns + 200_000_000, start_ns + 500_000_000).values()
    assert joules.low_j <= 15.0 <= joules.high_j


def test_both_sockets_of_a_processor_are_its_energy(tmp_path):
    for number, watts in enumerate((100, 120)):
        sensor(
            tmp_path,
            number,
            "power_meter",
            power1_average=watts * 1_000_000,
            power1_oem_info=f"CPU Power Socket {number}",
            power1_average_interval=20,
        )
    with open_session("cpu", ["hwmon"], environ={"INFEROMETER_HWMON": str(tmp_path)}) as session:
        start_ns = session.clock.now_ns()
        session.sampler.wait_past(start_ns + 900_000_000, 5.0)
        energy = session.energy([(start_ns + 200_000_000, start_ns + 800_000_000, 1)])
    whole = next(d for d in energy.devices if d.device_uid == energy.primary)
    assert whole.device_name == "CPU Power Socket 0 + CPU Power Socket 1"
    assert whole.energy_j == pytest.approx(220 * 0.6, rel=0.01)
