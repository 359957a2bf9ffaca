"""What ONNX Runtime reads back of a file of float64, in its own environment: argv is the repository's src and a folder."""

import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy as np
import onnx
from onnx import TensorProto, helper

from inferometer.worker.backend import Opening
from inferometer.worker.backends.onnxruntime import Runtime
from inferometer.worker.readback import check_readback


def read_back(name, kind, dtype):
    path = Path(sys.argv[2]) / f"{name}.onnx"
    x, y = (helper.make_tensor_value_info(each, kind, ["n", 4]) for each in "xy")
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 4])
    graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], name, [x, ids], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    opening = Opening("onnx", path, "", ("x", "ids"), ("y",), "fp32", "cpu", 1)
    runtime = Runtime(opening)
    batch = np.ones((2, 4), dtype), np.ones((2, 4), np.int64)
    runtime.prepare(batch)
    assert runtime.run(batch)[0].dtype == dtype
    return check_readback(runtime.actual(), opening)


assert read_back("single", TensorProto.FLOAT, np.float32) == ("ok", "")
assert read_back("double", TensorProto.DOUBLE, np.float64) == (
    "wrong-precision",
    "asked for fp32, computed in fp64",
)
print("as wanted")
