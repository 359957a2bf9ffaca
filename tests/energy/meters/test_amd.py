"""AMD's logic against a stand-in of amdsmi (neither the library nor a GPU is here)."""

from types import SimpleNamespace

import pytest

from inferometer.energy.meters.built_in import amd


class AmdSmiException(Exception):
    pass


def library(**answers):
    known = {
        "amdsmi_init": lambda: None,
        "amdsmi_get_processor_handles": lambda: ["h"],
        "amdsmi_get_gpu_asic_info": lambda h: {"market_name": "MI300X"},
        "amdsmi_get_gpu_device_uuid": lambda h: "uuid-1",
        "amdsmi_get_energy_count": lambda h: {"energy_accumulator": 2_000_000, "counter_resolution": 15.3},
    }
    return SimpleNamespace(AmdSmiException=AmdSmiException, **(known | answers))


def find(monkeypatch, stand_in):
    monkeypatch.setattr(amd.importlib, "import_module", lambda name: stand_in)
    return amd.find({})


def test_joules_from_the_accumulator(monkeypatch):
    (meter,) = find(monkeypatch, library()).meters
    assert (meter.device.uid, meter.device.name, meter.device.type) == ("uuid-1", "MI300X", "gpu")
    assert meter.read() == pytest.approx(30.6)


def test_older_name_of_the_accumulator(monkeypatch):
    old = library(amdsmi_get_energy_count=lambda h: {"power": 1_000_000, "counter_resolution": 15.3})
    assert find(monkeypatch, old).meters[0].read() == pytest.approx(15.3)


def test_no_accumulator_and_errors_are_absences(monkeypatch):
    def refuse(handle):
        raise AmdSmiException("not supported")

    for answer in (lambda h: {"counter_resolution": 15.3}, refuse):
        found = find(monkeypatch, library(amdsmi_get_energy_count=answer))
        assert found.meters == ()
        assert found.absences[0].type == "gpu"


def test_not_installed_says_so():
    (absence,) = amd.find({}).absences
    assert "not installed" in absence.line


@pytest.mark.parametrize(
    ("told", "most_w"),
    [
        ({"power_cap": 500_000_000, "max_power_cap": 750_000_000}, 2250),
        ({"power_cap": 750, "max_power_cap": "N/A"}, None),
        ({"power_cap": 560, "max_power_cap": 750}, 2250),
        ({"power_cap": 0}, None),
    ],
)
def test_the_largest_power_is_by_the_cap_in_either_unit(monkeypatch, told, most_w):
    (meter,) = find(monkeypatch, library(amdsmi_get_power_cap_info=lambda h: told)).meters
    assert (meter.traits.max_power_w, meter.traits.limit_known) == (most_w or 5000, most_w is not None)
