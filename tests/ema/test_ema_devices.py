"""EMA's filters, and its names of devices."""

import os

import pandas
import pytest

from ema_regions import run_regions
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
from powercap import make_zone


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
