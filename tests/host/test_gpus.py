"""Which GPUs CUDA_VISIBLE_DEVICES leaves: one rule for the plan and for the meters."""

import sys

import pynvml
import pytest

from inferometer.host.gpus import Lack, find_gpus, order_caution, visibility, visible, visible_gpus
from inferometer.records import Gpu
from nvml_stand_in import UUIDS, StandIn


@pytest.mark.parametrize(
    ("setting", "indices"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("1", [1]),
        ("2,0", [2, 0]),
        ("GPU-cccc", [2]),
        ("GPU-aa", []),  # names two
        ("GPU-aabb-1, 0", [1, 0]),
        ("0,7,1", [0]),  # CUDA stops at the first that names none
        ("0,0", [0]),
        ("1,1,2", [1]),
        ("-1", []),
    ],
)
def test_cuda_visible_devices(monkeypatch, setting, indices):
    assert visible(setting, UUIDS) == indices
    gpus = tuple(Gpu(index=i, uuid=uuid, name="Fake GPU", memory_bytes=0) for i, uuid in enumerate(UUIDS))
    if setting is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", setting)
    assert [gpu.index for gpu in visible_gpus(gpus, visibility())] == indices


def found(monkeypatch, library):
    monkeypatch.setitem(sys.modules, "pynvml", library)
    return find_gpus()


@pytest.mark.parametrize(
    "call",
    ["nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo"],
)
def test_a_gpu_that_is_lost_hides_no_other_and_changes_no_number(monkeypatch, call):
    gpus, lack = found(monkeypatch, StandIn(lost={1: call}))
    assert [(gpu.index, gpu.uuid) for gpu in gpus] == [(0, UUIDS[0]), (2, UUIDS[2])]
    told = "cuda:1 does not answer (GPU is lost): reset it, or restart the machine"
    assert lack == Lack(told, fault=True, silent=(1,))
    for setting, left in ((None, [0, 2]), ("2,1,0", [2, 0]), ("1", []), ("GPU-c", [2]), ("GPU-", [])):
        assert [gpu.index for gpu in visible_gpus(gpus, setting)] == left, setting


def test_gpus_none_of_which_answers_are_told_each(monkeypatch):
    lost = dict.fromkeys((0, 1), "nvmlDeviceGetHandleByIndex")
    told = "cuda:0 does not answer (GPU is lost), cuda:1 does not answer (GPU is lost): reset it, or restart the machine"
    assert found(monkeypatch, StandIn(UUIDS[:2], lost=lost)) == ((), Lack(told, fault=True, silent=(0, 1)))


@pytest.mark.parametrize(
    ("code", "said", "fault"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "no NVIDIA driver", False),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "no NVIDIA driver", False),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "the NVIDIA driver answers with an error", True),
    ],
)
def test_a_driver_that_does_not_work_is_a_fault_and_none_is_not(monkeypatch, code, said, fault):
    library = StandIn()
    library.nvmlInit = lambda: (_ for _ in ()).throw(pynvml.NVMLError(code))
    gpus, lack = found(monkeypatch, library)
    assert gpus == () and lack.reason.startswith(f"{said} (")
    assert lack.fault is fault and lack.silent == ()
    assert found(monkeypatch, StandIn([]))[1] == Lack("the NVIDIA driver lists no GPU")


@pytest.mark.parametrize(
    ("names", "setting", "order", "told"),
    [
        (("A2", "H100"), "1", None, True),
        (("A2", "H100"), "1", "FASTEST_FIRST", True),
        (("A2", "H100"), "1", "PCI_BUS_ID", False),
        (("A2", "A2"), "1", None, False),
        (("A2", "H100"), "GPU-aabb", None, False),
        (("A2", "H100"), "1,0", None, False),  # all of them
        (("A2", "H100"), None, None, False),
        (("A2", "H100"), "", None, False),
    ],
)
def test_numbers_that_cuda_may_read_otherwise_are_told(monkeypatch, names, setting, order, told):
    monkeypatch.setitem(sys.modules, "pynvml", StandIn(UUIDS[:2], names=names))
    given = {"CUDA_VISIBLE_DEVICES": setting, "CUDA_DEVICE_ORDER": order}
    caution = order_caution({key: value for key, value in given.items() if value is not None})
    assert bool(caution) is told
    assert not told or caution.endswith("set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name cards by UUID")
