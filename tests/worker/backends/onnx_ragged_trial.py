"""Outputs whose size the data decide, bound by the backend and by what is taken home: argv is src and a folder."""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inferometer.exporting.assembled import assemble
from inferometer.worker.backend import Opening
from inferometer.worker.backends.onnxruntime import Runtime
from inferometer.worker.backends.parts import onnx_free

folder = Path(sys.argv[2])
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16])
above = helper.make_tensor_value_info("above", TensorProto.FLOAT, [1, "found"])
double = helper.make_tensor_value_info("double", TensorProto.FLOAT, [1, 16])
zero = numpy_helper.from_array(np.array(0, np.float32), "zero")
nodes = [
    helper.make_node("Greater", ["x", "zero"], ["positive"]),
    helper.make_node("Squeeze", ["positive"], ["which"]),
    helper.make_node("Compress", ["x", "which"], ["above"], axis=1),
    helper.make_node("Add", ["x", "x"], ["double"]),
]
graph = helper.make_graph(nodes, "found", [x], [above, double], [zero])
onnx.save(
    helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
)

BATCHES = [np.random.default_rng(seed).normal(size=(1, 16)).astype(np.float32) for seed in range(4)]
COUNTS = [int((batch > 0).sum()) for batch in BATCHES]
assert len(set(COUNTS)) > 2


def check(outputs, batch):
    np.testing.assert_array_equal(outputs[0], batch[batch > 0][None])
    np.testing.assert_array_equal(outputs[1], batch * 2)


for mode in ("host", "device"):
    opening = Opening(
        "onnx", folder / "model.onnx", "", ("x",), ("above", "double"), "fp32", "cpu", 1, {"binding": True},
        mode=mode,
    )  # fmt: skip
    runtime = Runtime(opening)
    runtime.prepare((BATCHES[0],))
    assert onnx_free.free_outputs(runtime._session) == ["above"]
    for batch in BATCHES:
        if mode == "host":
            check(runtime.run((batch,)), batch)
        else:
            check(runtime.fetch(runtime.run_resident(runtime.place((batch,)))), batch)

(folder / "infer.py").write_text(assemble("onnxruntime_bound", {"ARTIFACT": "model.onnx", "THREADS": 1}))
spec = importlib.util.spec_from_file_location("infer", folder / "infer.py")
infer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(infer)
home = infer.Model()
for batch in BATCHES:
    check(home.run((batch,)), batch)
print("as wanted")
