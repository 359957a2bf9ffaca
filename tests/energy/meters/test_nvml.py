"""NVML's logic against a stand-in library (no GPU runs here); the names used are checked in the real `pynvml`."""

import inspect
import re

import pynvml
import pytest

from inferometer.energy.meters.built_in import nvml
from inferometer.errors import MeterError
from inferometer.host.gpu_snapshot import SLOWDOWNS
from nvml_stand_in import UUIDS, StandIn


def find(monkeypatch, library, environ=None):
    monkeypatch.setattr(nvml.importlib, "import_module", lambda name: library)
    return nvml.find(environ or {})


def test_every_name_used_is_pynvmls():
    names = set(re.findall(r"\b(?:lib|library)\.((?:nvml|NVML)\w+)", inspect.getsource(nvml)))
    assert len(names) > 15
    assert {name for name in names if not hasattr(pynvml, name)} == set()
    assert pynvml.NVML_FI_DEV_POWER_INSTANT == 186
    assert set(SLOWDOWNS) == {
        pynvml.nvmlClocksThrottleReasonSwPowerCap,
        pynvml.nvmlClocksThrottleReasonHwSlowdown,
        pynvml.nvmlClocksThrottleReasonSwThermalSlowdown,
        pynvml.nvmlClocksThrottleReasonHwThermalSlowdown,
        pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown,
    }


def test_the_counter_where_there_is_one(monkeypatch):
    first, *others = find(monkeypatch, StandIn()).meters
    assert [first.device.uid, *(m.device.uid for m in others)] == UUIDS
    assert (first.traits.kind, first.read(), first.device.name) == ("counter", 5.0, "Fake GPU")
    assert not first.traits.integrates  # until it is characterized
    assert {k: m.read() for k, m in first.powers().items()} == {"instant": 71.0, "average": 70.0}
    assert first.powers()["average"].traits.window_s == 1.0
    assert first.facts() == {"driver": "580.1", "power_limit_w": 500.0}


def test_pascal_is_sampled(monkeypatch):
    library = StandIn(
        UUIDS[:1], {"nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetFieldValues"}, capability=(6, 1)
    )
    (meter,) = find(monkeypatch, library).meters
    assert (meter.traits.kind, meter.kind, meter.read()) == ("power", "average", 70.0)
    assert meter.traits.window_s == 0.0


def test_a_gpu_without_any_is_absent(monkeypatch):
    library = StandIn(
        UUIDS[:1],
        {"nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetFieldValues", "nvmlDeviceGetPowerUsage"},
    )
    found = find(monkeypatch, library)
    assert found.meters == ()
    assert "neither energy nor power" in found.absences[0].line


def test_mig_is_unsupported_with_the_reason(monkeypatch):
    found = find(monkeypatch, StandIn(mig=(1,)))
    assert [m.device.uid for m in found.meters] == [UUIDS[0], UUIDS[2]]
    assert "MIG" in found.absences[0].line


def test_a_gpu_that_falls_off_the_bus_is_a_meter_error(monkeypatch):
    library = StandIn(UUIDS[:1])
    (meter,) = find(monkeypatch, library).meters
    library.refused.add("nvmlDeviceGetTotalEnergyConsumption")
    with pytest.raises(MeterError, match="NVML"):
        meter.read()


@pytest.mark.parametrize("call", ["nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUUID"])
@pytest.mark.parametrize(
    ("setting", "metered", "told"),
    [(None, [0, 2], True), ("0", [0], False), ("2,1", [2], True), ("1", [], True), ("GPU-cccc", [2], False)],
)
def test_a_gpu_that_is_lost_hides_no_other(monkeypatch, call, setting, metered, told):
    library = StandIn(lost={1: call})
    found = find(monkeypatch, library, {} if setting is None else {"CUDA_VISIBLE_DEVICES": setting})
    assert [meter.device.uid for meter in found.meters] == [UUIDS[index] for index in metered]
    lost = "nvml: cuda:1 does not answer (GPU is lost) (reset it, or restart the machine)"
    assert [absence.line for absence in found.absences] == ([lost] if told else [])


def test_what_rides_along(monkeypatch):
    (meter,) = find(monkeypatch, StandIn(UUIDS[:1], {"nvmlDeviceGetUtilizationRates"})).meters
    assert meter.conditions() == {
        "sm_clock_hz": 1980e6,
        "memory_clock_hz": 1980e6,
        "temperature_c": 40,
        "throttle": "power cap, thermal slowdown (hardware)",
    }


def test_hiding_every_gpu_is_said(monkeypatch):
    (absence,) = find(monkeypatch, StandIn(), {"CUDA_VISIBLE_DEVICES": "-1"}).absences
    assert "CUDA_VISIBLE_DEVICES=-1 shows none of 3" in absence.line


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "no NVIDIA driver"),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "not loaded"),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "reboot"),
        (pynvml.NVML_ERROR_UNKNOWN, "cannot start"),
    ],
)
def test_why_nvml_cannot_start(monkeypatch, code, said):
    library = StandIn()
    library.nvmlInit = lambda: (_ for _ in ()).throw(pynvml.NVMLError(code))
    (absence,) = find(monkeypatch, library).absences
    assert said in absence.line


CONSTRAINTS, ENFORCED = "nvmlDeviceGetPowerManagementLimitConstraints", "nvmlDeviceGetEnforcedPowerLimit"


@pytest.mark.parametrize(
    ("refused", "most_w"), [((), 2100), ((CONSTRAINTS,), 1500), ((CONSTRAINTS, ENFORCED), None)]
)
def test_the_largest_power_is_by_the_limit_that_the_card_can_be_given(monkeypatch, refused, most_w):
    """A card exceeds its limit for moments: three times that is what PCI Express allows one."""
    traits = find(monkeypatch, StandIn(refused=refused)).meters[0].traits
    assert (traits.max_power_w, traits.limit_known) == (most_w or 5000, most_w is not None)
