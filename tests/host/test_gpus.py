"""Which GPUs CUDA_VISIBLE_DEVICES leaves: one rule for the plan and for the meters."""

import pytest

from inferometer.host.gpus import visibility, visible, visible_gpus
from inferometer.records import Gpu

UUIDS = ["GPU-aaaa-0", "GPU-aabb-1", "GPU-cccc-2"]


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
