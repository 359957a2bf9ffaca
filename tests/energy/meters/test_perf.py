"""perf events that the kernel really counts: where it has no energy events, its clock of a processor stands for them."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from inferometer.energy import open_session
from inferometer.energy.meters.built_in import perf
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.selection import Selection
from inferometer.energy.tools.serve import Access, serving
from inferometer.energy.tools.shared_meters import SharedMeter
from inferometer.errors import MeterError
from powercap import make_zone
from ramps import Ramp

SOFTWARE, CPU_CLOCK = 1, 0  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK: nanoseconds of a processor


def pmu(folder, *events, mask="0", number=SOFTWARE):
    """Write a PMU's folder whose events count a processor's time, a joule a second: 1 W, whatever runs."""
    (folder / "events").mkdir(parents=True)
    (folder / "type").write_text(f"{number}\n")
    (folder / "cpumask").write_text(f"{mask}\n")
    for name in events or ("energy-pkg",):
        (folder / "events" / name).write_text(f"event={CPU_CLOCK:#04x}\n")
        (folder / "events" / f"{name}.scale").write_text("1e-9\n")
        (folder / "events" / f"{name}.unit").write_text("Joules\n")
    return folder


def opened(folder):
    found = perf.find({"INFEROMETER_PERF": str(folder)})
    if not found.meters:
        pytest.skip(f"perf events are closed here: {found.quiet}")
    return found.meters


def test_joules_are_counts_times_the_scale(tmp_path):
    (meter,) = opened(pmu(tmp_path / "power"))
    assert (meter.device.uid, meter.device.type, meter.device.meter) == ("rapl:package-0", "cpu", "perf")
    assert (meter.traits.kind, meter.traits.range_j) == ("counter", None)
    assert (
        not meter.traits.period_known
    )  # rapl's counter: every millisecond on some machines, every 8 or 10 on others
    first, begin = meter.read(), time.monotonic()
    time.sleep(0.5)
    step, seconds = meter.read() - first, time.monotonic() - begin
    assert step == pytest.approx(seconds, rel=0.05)
    meter.close()
    with pytest.raises(MeterError, match="closed"):
        meter.read()


def test_a_span_of_it_has_its_energy(tmp_path, monkeypatch):
    for meter in opened(pmu(tmp_path / "power")):
        meter.close()
    monkeypatch.setenv("INFEROMETER_PERF", str(tmp_path / "power"))
    with open_session("cpu", ["perf"]) as session:
        session.sampler.read_fast()
        start_ns = session.clock.now_ns()
        session.sampler.wait_past(start_ns + 1_000_000_000, 6.0)
        (joules,) = session.span(start_ns, start_ns + 1_000_000_000).values()
    assert joules.low_j <= 1.0 <= joules.high_j and joules.source == "counter"


def test_packages_and_memory_but_no_parts_of_a_package(tmp_path):
    root = pmu(tmp_path / "power", "energy-cores", "energy-pkg", "energy-ram", "energy-gpu")
    meters = opened(root)
    assert [(m.device.uid, m.device.type) for m in meters] == [
        ("rapl:package-0", "cpu"),
        ("rapl:package-0/dram", "dram"),
    ]
    for meter in meters:
        meter.close()


def test_an_event_that_opens_and_tells_nothing_leaves_the_others_and_no_file(tmp_path, monkeypatch):
    root = pmu(tmp_path / "power", "energy-pkg", "energy-ram")
    for meter in opened(root):
        meter.close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    (dead, other), really = os.pipe(), perf._open

    def open_one(event):
        return dead if event.device.type == "cpu" else really(event)

    os.close(other)  # at its end: a read returns nothing
    monkeypatch.setattr(perf, "_open", open_one)
    found = perf.find({"INFEROMETER_PERF": str(root)})
    assert [meter.device.type for meter in found.meters] == ["dram"]
    assert "cannot read the perf event of package-0" in found.absences[0].line
    found.meters[0].close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_rapl_comes_first_where_it_can_be_read(tmp_path):
    for meter in opened(pmu(tmp_path / "power")):
        meter.close()
    environ = {"INFEROMETER_PERF": str(tmp_path / "power"), "INFEROMETER_HWMON": str(tmp_path)}

    def kinds(*terms):
        found = discover(Selection.parse(["!nvml", "!served", *terms]), environ)
        for meter in found.meters:
            meter.close()
        return [type(meter).__name__ for meter in found.meters]

    environ["INFEROMETER_POWERCAP"] = str(tmp_path / "none")
    assert kinds() == kinds("perf") == ["PerfMeter"]
    make_zone(tmp_path / "tree" / "intel-rapl:0", "package-0")
    environ["INFEROMETER_POWERCAP"] = str(tmp_path / "tree")
    assert kinds() == kinds("perf", "rapl") == ["RaplMeter"]
    assert kinds("perf") == ["PerfMeter"]


def test_perf_is_read_directly_where_the_same_counter_is_served_too(tmp_path):
    """Through the socket values are up to 10 ms old."""
    for meter in opened(pmu(tmp_path / "power")):
        meter.close()
    environ = {"INFEROMETER_PERF": str(tmp_path / "power"), "INFEROMETER_POWERCAP": str(tmp_path / "none")}
    environ["INFEROMETER_METERS_SOCKET"] = str(tmp_path / "s")
    with serving({"rapl:package-0": SharedMeter(Ramp())}, tmp_path / "s", Access()):
        for terms, kind in ((["!nvml", "!hwmon"], "PerfMeter"), (["served"], "ServedMeter")):
            (meter,) = discover(Selection.parse(terms), environ).meters
            meter.close()
            assert type(meter).__name__ == kind


@pytest.mark.parametrize(("mask", "cpus"), [("0", [0]), ("0,18\n", [0, 18]), ("0-2", [0, 1, 2])])
def test_a_mask_of_processors(mask, cpus):
    assert perf.cpus_of(mask) == cpus


@pytest.mark.parametrize(("file", "text"), [("type", "x"), ("cpumask", ""), ("events/energy-pkg", "umask=1")])
def test_a_pmu_that_cannot_be_made_out_is_one_line(tmp_path, file, text):
    root = pmu(tmp_path / "power")
    (root / file).write_text(text)
    (absence,) = perf.find({"INFEROMETER_PERF": str(root)}).absences
    assert absence.line.startswith(f"perf: cannot make out the events in {root}")


def test_an_event_that_the_kernel_does_not_know_is_one_line(tmp_path):
    (absence,) = perf.find({"INFEROMETER_PERF": str(pmu(tmp_path / "power", number=2**31 - 1))}).quiet
    assert "the kernel does not open the event" in absence.line or "perf_event_paranoid" in absence.line


def test_who_may_not_is_told_how():
    tool = shutil.which("setpriv")
    if os.geteuid() != 0 or tool is None or int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) < 1:
        pytest.skip("perf events are open to every user here, or there is no other user to be")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        root = pmu(Path(name) / "power")
        program = [sys.executable, "-m", "inferometer", "meters", "--meter", "perf"]
        user = [tool, "--reuid=65534", "--regid=65534", "--clear-groups"]
        environ = {**os.environ, "INFEROMETER_PERF": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        told = subprocess.run(
            [*user, *program], env=environ, cwd="/", capture_output=True, text=True, check=False
        )
    assert "sysctl kernel.perf_event_paranoid=0" in told.stdout, told


def test_no_events_are_told_to_who_asks_for_them(tmp_path):
    environ = {"INFEROMETER_PERF": str(tmp_path / "none")}
    (absence,) = discover(Selection.parse(["perf"]), environ).absences
    assert "modprobe rapl" in absence.line
    assert not any(a.meter == "perf" for a in discover(Selection(), environ).absences)
