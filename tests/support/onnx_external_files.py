"""Writes an ONNX file whose weights lie in five files beside it, each led to by another of its fields: `python onnx_external_files.py FOLDER`."""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def outside(folder, name):
    """Return a tensor whose content lies in a file of its name."""
    tensor = numpy_helper.from_array(np.ones((6, 4), np.float32), name)
    tensor.external_data.add(key="length", value=str(len(tensor.raw_data)))
    tensor.external_data.add(key="location", value=f"{name}.bin")
    (folder / f"{name}.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    return tensor


def value(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def branch(folder, name):
    product = helper.make_node("MatMul", ["x", name], [f"{name}y"])
    return helper.make_graph([product], name, [], [value(f"{name}y", ["N", 4])], [outside(folder, name)])


def main(folder):
    constant = helper.make_node("Constant", [], ["c"], value=outside(folder, "constant"))
    chosen = helper.make_node(
        "If", ["yes"], ["b"], then_branch=branch(folder, "then"), else_branch=branch(folder, "else")
    )
    own = helper.make_node("Constant", [], ["f"], value=outside(folder, "function"))
    function = helper.make_function("own", "Weights", [], ["f"], [own], [helper.make_opsetid("", 17)])
    nodes = [
        constant,
        chosen,
        helper.make_node("Weights", [], ["v"], domain="own"),
        helper.make_node("MatMul", ["x", "initializer"], ["a"]),
        helper.make_node("MatMul", ["x", "c"], ["d"]),
        helper.make_node("MatMul", ["x", "v"], ["e"]),
        helper.make_node("Sum", ["a", "b", "d", "e"], ["y"]),
    ]
    inside = numpy_helper.from_array(np.array(True), "yes")
    inside.external_data.add(key="location", value="named_but_inside.bin")
    (folder / "named_but_inside.bin").write_bytes(b"")
    held = [outside(folder, "initializer"), inside]
    graph = helper.make_graph(nodes, "g", [value("x", ["N", 6])], [value("y", ["N", 4])], held)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=9)
    (folder / "everywhere.onnx").write_bytes(model.SerializeToString())


main(Path(sys.argv[1]))
