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

from ema_regions import run_regions
from inferometer import ema
from inferometer.ema import (
    EMA_finalize,
    EMA_init,
    EMA_region_begin,
    EMA_region_define,
    EMA_region_end,
)
from inferometer.errors import MeterError, UsageError

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


def output(folder):
    return (folder / f"output.EMA.{os.getpid()}").read_bytes()


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


@given(name=st.text())
@example("a,b")
@example('say "hello"')
@example("two\nlines")
@example("carriage\rreturn")
@example("\ud800 lone surrogate")
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
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
