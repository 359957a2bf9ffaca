"""Which cards a program means by their numbers: regions and `measure` say where CUDA may count otherwise than the driver."""

import sys
import warnings

import pytest

from inferometer.cli import invoke
from inferometer.energy import Profile, open_session
from nvml_stand_in import UUIDS, StandIn

REMEDY = "set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name cards by UUID"


@pytest.fixture(autouse=True)
def mixed_cards(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", StandIn(UUIDS[:2], names=("A2", "H100")))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


def regions():
    profile = Profile(open_session(meters=["nvml"]))
    uids = [meter.device.uid for meter in profile.session.meters]
    profile.close()
    return uids


def test_regions_warn(monkeypatch):
    with pytest.warns(RuntimeWarning, match=REMEDY):
        assert regions() == [UUIDS[1]]
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    with warnings.catch_warnings(action="error"):
        assert regions() == [UUIDS[1]]


def test_measure_says_so(capfd, monkeypatch):
    assert invoke(["measure", "--meter", "nvml", "--", sys.executable, "-c", ""]) == 0
    assert REMEDY in capfd.readouterr().err
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert invoke(["measure", "--meter", "nvml", "--", sys.executable, "-c", ""]) == 0
    assert REMEDY not in capfd.readouterr().err
