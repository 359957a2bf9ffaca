"""What is read through NVML."""

from __future__ import annotations

import sys
import types

import pytest

from inferometer.host.gpu_snapshot import NoAnswerError, NvmlReader

MIB = 2**20


@pytest.fixture
def nvml(monkeypatch):
    """NVML of a card that answers memory and processes, and refuses the rest."""

    class NVMLError(Exception):
        pass

    def refuse(*arguments):
        raise NVMLError("Not Supported")

    known = {
        "NVMLError": NVMLError,
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlMemory_v2": 2,
        "nvmlDeviceGetMemoryInfo": lambda handle, version=1: types.SimpleNamespace(
            used=(7 if version == 2 else 600) * MIB, free=73 * MIB
        ),
        "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
            types.SimpleNamespace(pid=12, usedGpuMemory=None)
        ],
        "nvmlDeviceGetPowerManagementLimit": lambda handle: 350000,
        "nvmlDeviceGetEccMode": lambda handle: [1, 0],
        "NVML_CLOCK_SM": 1,
        "NVML_CLOCK_MEM": 2,
        "NVML_TEMPERATURE_GPU": 0,
        "__getattr__": lambda name: refuse,
    }
    module = types.ModuleType("pynvml")
    module.__dict__.update(known)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def test_reader_takes_what_the_card_tells(nvml):
    found = NvmlReader().read("GPU-abc")
    assert (found.used_bytes, found.free_bytes) == (7 * MIB, 73 * MIB)
    assert found.processes == {12: None}
    assert found.settings["power limit"] == 350000
    assert found.settings["ECC"] == 1
    assert found.settings["MIG"] is None
    assert (found.utilisation, found.temperature_c, found.reasons, found.throttled_ns) == (None, None, (), {})


def test_an_older_driver_counts_what_it_reserves_as_used(nvml):
    second = nvml.nvmlDeviceGetMemoryInfo

    def first_only(handle, version=1):
        return nvml.nvmlDeviceGetFanSpeed() if version == 2 else second(handle)

    nvml.nvmlDeviceGetMemoryInfo = first_only
    assert NvmlReader().read("GPU-abc").used_bytes == 600 * MIB


def test_reader_says_that_a_gpu_is_gone(nvml):
    reader = NvmlReader()
    nvml.nvmlDeviceGetMemoryInfo = (
        nvml.nvmlDeviceGetFanSpeed
    )  # refused, as every unknown call of this stand-in
    with pytest.raises(NoAnswerError, match="Not Supported"):
        reader.read("GPU-abc")


def test_reader_names_reasons_counters_and_who_was_active(nvml):
    nvml.nvmlDeviceGetCurrentClocksThrottleReasons = lambda handle: 0x01 | 0x04 | 0x40
    nvml.nvmlDeviceGetViolationStatus = lambda handle, policy: types.SimpleNamespace(violationTime=policy + 5)
    samples = [(2**60, 12, 80), (2**60 + 1, 13, 0)]
    nvml.nvmlDeviceGetProcessUtilization = lambda handle, since: [
        types.SimpleNamespace(timeStamp=at, pid=pid, smUtil=busy) for at, pid, busy in samples
    ]
    reader = NvmlReader()
    found = reader.read("GPU-abc")
    assert found.reasons == ("power cap", "thermal slowdown (hardware)")
    assert found.throttled_ns["power cap"] == 5
    assert found.active == {12}
    assert reader.read("GPU-abc").active == frozenset()  # the same samples again say nothing new
