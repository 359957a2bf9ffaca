"""ONNX Runtime's bound buffers, filled through staging, in its own environment: argv is the repository's src and a folder."""

import dataclasses
import sys
import types
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from pages import Pages

from inferometer.worker.backend import Opening
from inferometer.worker.backends.onnxruntime import Runtime
from inferometer.worker.backends.parts.pinned_memory import PinnedBuffers
from inferometer.worker.flags import flag

images = helper.make_tensor_value_info("images", TensorProto.FLOAT16, ["n", 224, 224, 3])
numbers = helper.make_tensor_value_info("numbers", TensorProto.INT64, ["n"])
seen = helper.make_tensor_value_info("seen", TensorProto.FLOAT, ["n", 224, 224, 3])
next_ = helper.make_tensor_value_info("next", TensorProto.INT64, ["n"])
one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
nodes = [
    helper.make_node("Cast", ["images"], ["seen"], to=TensorProto.FLOAT),
    helper.make_node("Add", ["numbers", "one"], ["next"]),
]
graph = helper.make_graph(nodes, "echo", [images, numbers], [seen, next_], [one])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
path = Path(sys.argv[2]) / "echo.onnx"
onnx.save(model, path)

opening = Opening(
    "onnx", path, "NHWC", ("images", "numbers"), ("seen", "next"), "fp32", "cpu", 2, {"binding": True}
)
backend = Runtime(opening)
assert backend._pinned is None, "the CPU reads pageable memory as well as any"


def batch(seed, rows):
    values = np.random.default_rng(seed).normal(size=(rows, 224, 224, 3)).astype(np.float32)
    return values, np.arange(rows) + 100 * seed


def check(rows):
    for seed in range(3):
        given = batch(seed, rows)
        seen, following = backend.run(given)
        np.testing.assert_array_equal(seen, given[0].astype(np.float16).astype(np.float32))
        np.testing.assert_array_equal(following, given[1] + 1)


backend.prepare(batch(9, 2))
check(2)

pages = Pages(room=4)
backend._pinned = PinnedBuffers(2, pages)
for rows in (7, 2):  # above and below what is worth threads
    backend.prepare(batch(9, rows))
    check(rows)
check(7)
assert [buffer.dtype.name for buffer in pages.locked] == ["float16", "int64"] * 2
last = batch(2, 7)
np.testing.assert_array_equal(pages.locked[0], last[0].astype(np.float16))
assert set(backend.phases(last)) == {"copy_in", "enqueue", "compute", "copy_out"}
assert backend.flags() == []
backend.prepare(batch(9, 3))
check(3)
assert backend.flags() == [flag("not-page-locked", error="CUDA error 2")]
backend.release()
assert not pages.locked and not backend.flags()

for device, mode, staged in (("cuda", "host", True), ("cuda", "device", False), ("cpu", "host", False)):
    asked = dataclasses.replace(opening, device=device, mode=mode)
    found = Runtime._page_locked(types.SimpleNamespace(_opening=asked, _runtime=onnxruntime))
    assert isinstance(found, PinnedBuffers) == staged, (device, mode)
print("as wanted")
