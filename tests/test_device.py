"""A device by its stored name: one place reads it, and the rest of the core asks that place."""

import re
from pathlib import Path

import pytest

import inferometer
from inferometer.device import Device
from inferometer.errors import UsageError

SOURCES = Path(inferometer.__file__).parent
# what runs in other interpreters, without the core, reads names by itself
ALONE = ("worker/", "models/steps/")


@pytest.mark.parametrize(
    ("name", "device", "family"),
    [
        ("cpu", Device("cpu"), "cpu"),
        ("cuda:0", Device("cuda", 0), "gpu"),
        ("cuda:12", Device("cuda", 12), "gpu"),
        ("rocm:1", Device("rocm", 1), "gpu"),
        ("npu:1", Device("npu", 1), "npu"),
    ],
)
def test_a_name_and_its_device_are_the_same(name, device, family):
    assert Device.parse(name) == device and str(device) == name
    assert (device.family, device.is_gpu) == (family, family == "gpu")


def test_a_kind_alone_is_its_first():
    assert str(Device.parse("cuda")) == "cuda:0"


def test_devices_sort_by_number():
    assert sorted(map(Device.parse, ("cuda:10", "cuda:2", "cpu"))) == [
        Device("cpu"), Device("cuda", 2), Device("cuda", 10)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["", ":", ":0", "cuda:", "cuda:x", "cuda:-1", "cuda:0:1", "cuda:²", "cuda:" + "9" * 5000]
)
def test_what_is_no_device_is_one_line(name):
    with pytest.raises(UsageError, match="is no kind with a number: write cpu, cuda:0") as caught:
        Device.parse(name)
    assert "\n" not in str(caught.value)


def test_no_other_place_takes_a_name_apart():
    apart = re.compile(r"""device(?!s?[._]uid)[\w.()]*\.(?:r?partition|r?split|startswith)\(""")
    found = [
        f"{path.relative_to(SOURCES)}: {match.group()}"
        for path in SOURCES.rglob("*.py")
        if not str(path.relative_to(SOURCES)).startswith(ALONE)
        for match in apart.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
