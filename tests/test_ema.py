"""EMA's calls: the report's Figure 2 as it stands but for the import, and the file that it leaves."""

import os
import subprocess
import sys
import threading
import time

import pandas
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from inferometer import ema
from inferometer.ema import (
    EMA_filter_exclude_plugin,
    EMA_filter_select,
    EMA_finalize,
    EMA_init,
    EMA_region_begin,
    EMA_region_define,
    EMA_region_end,
)
from inferometer.energy.readings import MeteredDevice
from inferometer.errors import MeterError, UsageError
from powercap import make_zone

HEADER = "thread,region_idf,file,line,function,visits,device_name,device_uid,device_type,energy,time"

FIGURE_2 = """
from inferometer.ema import (
    EMA_finalize,
    EMA_init,
    EMA_region_begin,
    EMA_region_define,
    EMA_region_end,
)

# Initialization.
EMA_init()

# Create a measurement region. First argument is the region name. It will be
# used in the output.
region = EMA_region_define('region_name')

# Start measurement for region0.
EMA_region_begin(region)

# Code to be measured.
...

# Stop measurement for region0.
EMA_region_end(region)

# Cleanup.
EMA_finalize()
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Two packages whose counters stand still until a test moves them."""
    for name in ("package-0", "package-1"):
        zone = tmp_path / "powercap" / f"intel-rapl:{name[-1]}"
        zone.mkdir(parents=True)
        for file, text in (("name", name), ("max_energy_range_uj", "262143328850"), ("energy_uj", "0")):
            (zone / file).write_text(f"{text}\n")
    monkeypatch.setenv("INFEROMETER_POWERCAP", str(tmp_path / "powercap"))
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path / "characterizations"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def output(folder):
    return (folder / f"output.EMA.{os.getpid()}").read_bytes()


def run_regions(*names):
    EMA_init(meters=["rapl"])
    for name in names:
        region = EMA_region_define(name)
        EMA_region_begin(region)
        EMA_region_end(region)
    EMA_finalize()


def test_figure_2_runs_and_pandas_reads_its_output(machine):
    child = subprocess.Popen([sys.executable, "-c", FIGURE_2], cwd=machine)
    assert child.wait() == 0
    path = machine / f"output.EMA.{child.pid}"
    assert path.read_text().splitlines()[0] == HEADER
    table = pandas.read_csv(path)
    assert list(table.region_idf) == ["region_name"] * 2
    assert list(table.device_uid) == ["rapl:package-0", "rapl:package-1"]
    assert list(table.device_type) == ["cpu", "cpu"]
    assert list(table.visits) == [1, 1]
    assert (table.thread == 0).all() and (table.line == 0).all()
    assert table.file.isna().all() and table.function.isna().all()
    assert (table.time > 0).all() and table.time.dtype.kind == "i"


def test_bytes_are_lf_and_legacy_leaves_out_two_columns(machine, monkeypatch):
    run_regions("a")
    assert b"\r" not in output(machine) and output(machine).endswith(b"\n")
    monkeypatch.setenv("INFEROMETER_EMA_LEGACY", "1")
    run_regions("a")
    legacy = (machine / f"{os.getpid()}.csv").read_text().splitlines()
    assert legacy[0] == "thread,region_idf,file,line,function,visits,device_name,energy,time"
    assert legacy[1].startswith("0,a,,0,,1,package-0,")
    assert len(legacy) == 3


def test_energy_is_counted_in_microjoules(machine):
    begin, done = time.monotonic(), threading.Event()

    def draw_50_w():
        with (machine / "powercap" / "intel-rapl:0" / "energy_uj").open("r+b", buffering=0) as file:
            while not done.wait(0.001):
                os.pwrite(file.fileno(), f"{round((time.monotonic() - begin) * 50e6)}\n".encode(), 0)

    load = threading.Thread(target=draw_50_w)
    load.start()
    EMA_init(meters=["rapl"])
    region = EMA_region_define("work", file="main.py", line=7, function="main")
    for _ in range(2):
        EMA_region_begin(region)
        time.sleep(0.3)
        EMA_region_end(region)
    EMA_finalize()
    done.set()
    load.join()
    table = pandas.read_csv(machine / f"output.EMA.{os.getpid()}")
    first, second = table.itertuples()
    assert first.energy == pytest.approx(
        50 * first.time, rel=0.2
    )  # W x us = uJ; other work shares this machine
    assert second.energy != second.energy  # this counter stood still: unresolved, hence empty
    assert (first.file, first.line, first.function, first.visits) == ("main.py", 7, "main", 2)
    assert first.time >= 600_000


def test_two_regions_of_one_name_are_two(machine):
    run_regions("same", "same", "other")
    table = pandas.read_csv(machine / f"output.EMA.{os.getpid()}")
    assert list(table.region_idf) == ["same"] * 4 + ["other"] * 2


def test_two_threads_are_told_apart_in_the_order_of_their_first_region(machine):
    EMA_init(meters=["rapl"])

    def work(number, visits):
        for name in ("x", "y"):
            region = EMA_region_define(f"{name}{number}")
            for _ in range(visits):
                EMA_region_begin(region)
                EMA_region_end(region)

    work(0, 1)
    for number in (1, 2):
        thread = threading.Thread(target=work, args=(number, number + 1))
        thread.start()
        thread.join()
    late = EMA_region_define("late0")
    EMA_region_begin(late)  # visits are counted at begin
    EMA_finalize()
    table = pandas.read_csv(machine / f"output.EMA.{os.getpid()}").drop_duplicates("region_idf")
    assert list(table.thread) == [0, 0, 0, 1, 1, 2, 2]
    assert list(table.region_idf) == ["x0", "y0", "late0", "x1", "y1", "x2", "y2"]
    assert list(table.visits) == [1, 1, 1, 2, 2, 3, 3]


def test_threads_at_the_same_time(machine):
    EMA_init(meters=["rapl"])
    gate = threading.Barrier(4)

    def work():
        gate.wait()
        region = EMA_region_define("busy")
        for _ in range(500):
            EMA_region_begin(region)
            EMA_region_end(region)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    EMA_finalize()
    table = pandas.read_csv(machine / f"output.EMA.{os.getpid()}")
    assert sorted(table.thread) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert (table.visits == 500).all()


def test_filters_by_plugin_and_device(machine):
    EMA_init(meters=["rapl"])
    for name, filter in (
        ("all", None),
        ("no rapl", EMA_filter_exclude_plugin("RAPL")),
        ("one", EMA_filter_select("name=package-1")),
    ):
        region = EMA_region_define(name, filter)
        EMA_region_begin(region)
        EMA_region_end(region)
    EMA_finalize()
    table = pandas.read_csv(machine / f"output.EMA.{os.getpid()}", keep_default_na=False)
    assert list(zip(table.region_idf, table.device_name, strict=True)) == [
        ("all", "package-0"),
        ("all", "package-1"),
        ("no rapl", ""),
        ("one", "package-1"),
    ]


@pytest.fixture
def socket(machine):
    """A package with the parts that the kernel lists on a server, and psys, which EMA leaves out."""
    for path, name in (
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:0:1", "uncore"),
        ("intel-rapl:0:2", "dram"),
        ("intel-rapl:2", "psys"),
        ("intel-rapl-mmio:0", "package-0"),
    ):
        make_zone(machine / "powercap" / path, name)
    return machine


# what EMA's own RAPL plug-in (plugin_rapl.c) writes for that tree
EMA_CPUS = [
    ("CPU-0.package-0", "0", "cpu"),
    ("CPU-0.core", "0", "cpu"),
    ("CPU-0.uncore", "0", "cpu"),
    ("CPU-0.dram", "0", "cpu"),
    ("CPU-1.package-1", "1", "cpu"),
]


@pytest.mark.parametrize("by", ["variable", "argument"])
def test_devices_by_emas_names_and_zones(socket, monkeypatch, by):
    if by == "variable":
        monkeypatch.setenv("INFEROMETER_EMA_NAMES", "1")
    EMA_init(meters=["rapl"], **({"names": True} if by == "argument" else {}))
    region = EMA_region_define("a")
    EMA_region_begin(region)
    EMA_region_end(region)
    EMA_finalize()
    table = pandas.read_csv(socket / f"output.EMA.{os.getpid()}", dtype=str)
    assert list(zip(table.device_name, table.device_uid, table.device_type, strict=True)) == EMA_CPUS
    # the study's script keeps the GPUs' rows so
    assert table[~table.device_name.str.startswith("CPU")].empty


def test_filters_go_by_emas_names_where_they_are_asked_for(socket):
    EMA_init(meters=["rapl"], names=True)
    region = EMA_region_define("a", EMA_filter_select("!name=CPU-?.core", "!name=CPU-?.uncore"))
    EMA_region_begin(region)
    EMA_region_end(region)
    EMA_finalize()
    table = pandas.read_csv(socket / f"output.EMA.{os.getpid()}")
    assert list(table.device_name) == ["CPU-0.package-0", "CPU-0.dram", "CPU-1.package-1"]


@pytest.mark.parametrize(
    ("device", "named"),
    [
        (("rapl:package-0-die-1", "package-0-die-1", "cpu", "rapl"), ("CPU-0.package-0-die-1", "0", "cpu")),
        (("rapl:package-12/dram", "package-12 dram", "dram", "rapl"), ("CPU-12.dram", "12", "cpu")),
        (("rapl:psys", "psys", "psys", "rapl"), ("psys", "rapl:psys", "psys")),
        (("GPU-7f", "NVIDIA A2", "gpu", "nvml"), ("NVIDIA A2", "GPU-7f", "gpu")),
        (("mqtt:psu left", "psu left", "external", "mqtt"), ("psu left", "psu left", "misc")),
    ],
)
def test_each_plugins_devices_have_emas_names(device, named):
    found = ema.ema_device(MeteredDevice(*device))
    assert (found.name, found.uid, found.type) == named


def test_without_a_meter_the_time_is_kept(machine, monkeypatch):
    monkeypatch.setenv("INFEROMETER_POWERCAP", str(machine / "nowhere"))
    run_regions("a")
    (row,) = pandas.read_csv(machine / f"output.EMA.{os.getpid()}").itertuples()
    assert row.region_idf == "a" and row.time >= 0
    assert row.energy != row.energy


@given(name=st.text())
@example("a,b")
@example('say "hello"')
@example("two\nlines")
@example("carriage\rreturn")
@example("\ud800 lone surrogate")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_survives(machine, name):
    run_regions(name, "sentinel")
    table = pandas.read_csv(
        machine / f"output.EMA.{os.getpid()}", keep_default_na=False, lineterminator="\n", dtype=str
    )
    kept = name.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "backslashreplace").decode()
    assert list(table.region_idf) == [kept, kept, "sentinel", "sentinel"]
    assert list(table.visits) == ["1"] * 4


def test_wrong_order_is_one_line(machine):
    with pytest.raises(UsageError, match="EMA_init"):
        EMA_region_define("early")
    with pytest.raises(UsageError, match="EMA_init"):
        EMA_finalize()
    EMA_init(meters=["rapl"])
    with pytest.raises(UsageError, match="already"):
        EMA_init()
    region = EMA_region_define("r")
    with pytest.raises(UsageError, match="not begun"):
        EMA_region_end(region)
    EMA_region_begin(region)
    EMA_region_begin(region)  # a visit within a visit
    EMA_region_end(region)
    EMA_region_end(region)
    EMA_finalize()
    assert ema._states == {}


def test_a_file_that_cannot_be_written_loses_no_region(machine, monkeypatch):
    EMA_init(meters=["rapl"])
    region = EMA_region_define("kept")
    EMA_region_begin(region)
    EMA_region_end(region)
    (machine / f"output.EMA.{os.getpid()}").mkdir()
    with pytest.raises(MeterError, match=r"cannot write .*output\.EMA"):
        EMA_finalize()
    (machine / "elsewhere").mkdir()
    monkeypatch.chdir(machine / "elsewhere")
    assert EMA_finalize() == 0
    assert b"kept" in output(machine / "elsewhere")
    with pytest.raises(UsageError, match="call EMA_init"):
        EMA_finalize()
