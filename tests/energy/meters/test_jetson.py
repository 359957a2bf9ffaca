"""Trees of real files as the two drivers of Jetson's INA3221 lay them out."""

import contextlib

import pytest

import simulation
from inferometer.energy import Session
from inferometer.energy.meters.built_in import jetson
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.selection import Selection
from inferometer.energy.meters.simulated import SimulatedClock
from inferometer.errors import MeterError
from simulation import S


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")
    return folder


@pytest.fixture
def orin(tmp_path):
    """An Orin NX's one chip: the module, processors and GPU together, and the rest of the chip."""
    channels = (("VDD_IN", 5000, 2000), ("VDD_CPU_GPU_CV", 5000, 800), ("VDD_SOC", 5000, 300))
    folder = tmp_path / "ina3221" / "1-0040" / "hwmon" / "hwmon3"
    write(folder, name="ina3221", update_interval=20)
    for n, (label, millivolts, milliamperes) in enumerate(channels, 1):
        files = {f"in{n}_label": label, f"in{n}_input": millivolts, f"curr{n}_input": milliamperes}
        write(folder, **files, **{f"shunt{n}_resistor": 5000})
    write(folder, in7_label="sum of shunt voltages", in7_input=1)
    return tmp_path


def found(root):
    return jetson.find({"INFEROMETER_JETSON": str(root)})


def test_watts_are_volts_times_amperes_of_each_rail(orin):
    module, both, rest = found(orin).meters
    assert (module.device.uid, module.device.type) == ("jetson:VDD_IN@1-0040/1", "external")
    assert (both.device.type, rest.device.type) == ("external", "other")
    assert [m.read() for m in (module, both, rest)] == [10.0, 4.0, 1.5]
    assert (module.traits.kind, module.traits.period_s) == ("power", 0.02)
    assert module.traits.resolution == pytest.approx(40e-6 / 5e-3 * 5.0)  # a step of the shunt, at 5 V
    assert not module.traits.integrates


def test_the_older_driver_tells_milliwatts(tmp_path):
    """A TX2's first chip; a channel without a rail is left out."""
    folder = tmp_path / "ina3221x" / "0-0040" / "iio:device0"
    write(folder, rail_name_0="VDD_SYS_GPU", in_power0_input=1250)
    write(folder, rail_name_1="VDD_SYS_CPU", in_power1_input=300, rail_name_2="NC", in_power2_input=7)
    gpu, cpu = found(tmp_path).meters
    assert (gpu.device.type, gpu.read(), cpu.device.type, cpu.read()) == ("gpu", 1.25, "cpu", 0.3)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("VDD_GPU_SOC", "gpu"),
        ("VDD_CPU_CV", "cpu"),
        ("VDDQ_VDD2_1V8AO", "dram"),
        ("VDD_SYS_DDR", "dram"),
        ("POM_5V_IN", "external"),
        ("POM_5V_GPU", "gpu"),
        ("VIN_SYS_5V0", "other"),
    ],
)
def test_what_a_rail_feeds(label, kind):
    assert jetson.type_of(label) == kind


def test_joules_of_work_on_the_gpu_are_the_modules(orin):
    clock = SimulatedClock()
    with contextlib.closing(Session(found(orin).meters, device="cuda:0", clock=clock)) as session:
        simulation.run(session, clock, 4.0)
        energy = session.energy([(S, 3 * S, 64)])
    device = next(d for d in energy.devices if d.device_uid == energy.primary)
    assert (device.device_name, device.source) == ("Jetson VDD_IN", "sampled")
    assert device.low_j <= 20.0 <= device.high_j


def test_a_rail_that_cannot_be_read_is_one_line_and_the_others_stay(orin):
    current = orin / "ina3221" / "1-0040" / "hwmon" / "hwmon3" / "curr2_input"
    current.write_text("no number\n")
    answer = found(orin)
    assert [m.device.name for m in answer.meters] == ["Jetson VDD_IN", "Jetson VDD_SOC"]
    (absence,) = answer.absences
    assert f"jetson VDD_CPU_GPU_CV: cannot read {current}" in absence.line and "chmod" in absence.remedy
    current.with_name("curr1_input").unlink()
    with pytest.raises(MeterError, match="curr1_input"):
        answer.meters[0].read()


def test_no_jetson_is_told_to_who_asks_for_one(tmp_path):
    environ = {"INFEROMETER_JETSON": str(tmp_path)}
    (absence,) = discover(Selection.parse(["jetson"]), environ).absences
    assert "this is no Jetson" in absence.line and "modprobe ina3221" in absence.remedy
    assert not any(a.meter == "jetson" for a in discover(Selection(), environ).absences)
