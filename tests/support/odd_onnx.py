"""Writes three ONNX files: `maps.onnx` (outputs of four and three axes, one of whole numbers), `means.onnx` and `odd.onnx` (an operator
that nobody knows), each as `beside-...` with its weights in another file; runs in the onnxrt environment: `python odd_onnx.py FOLDER`."""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)


def save(path, last, outputs, domains=()):
    convolution = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 15, 15])
    graph = helper.make_graph(
        [convolution, last], "odd", [image], outputs, [numpy_helper.from_array(WEIGHTS, "w")]
    )
    opsets = [helper.make_opsetid(name, version) for name, version in (("", 17), *domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, path)
    beside = {"save_as_external_data": True, "location": f"{path.stem}.bin", "size_threshold": 0}
    onnx.save(model, path.with_name(f"beside-{path.name}"), **beside)


def main(folder):
    maps = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5, 15, 15])
    classes = helper.make_tensor_value_info("k", TensorProto.INT64, ["N", 15, 15])
    best = helper.make_node("ArgMax", ["y"], ["k"], axis=1, keepdims=0)
    save(folder / "maps.onnx", best, [maps, classes])
    means = helper.make_tensor_value_info("k", TensorProto.FLOAT, ["N", 5])
    mean = helper.make_node("ReduceMean", ["y"], ["k"], axes=[2, 3], keepdims=0)
    save(folder / "means.onnx", mean, [maps, means])
    odd = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 5, 15, 15])
    save(
        folder / "odd.onnx",
        helper.make_node("Frobnicate", ["y"], ["z"], domain="my.own"),
        [odd],
        [("my.own", 1)],
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
