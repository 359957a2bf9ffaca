"""Writes small ONNX files; runs in the onnxrt environment: `python onnx_files.py FOLDER`."""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(0)


def floats(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def tensor(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def save(path, nodes, inputs, outputs, constants, **options):
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path, **options)


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def main(folder):
    ids = ("ids", ["batch", "seq"], TensorProto.INT64)
    lookup = [node("Gather", "E ids", "e"), node("ReduceSum", "e axis", "s", keepdims=0)]
    table = {"E": floats(9, 4), "axis": np.array([1])}
    save(
        folder / "two.onnx",
        [*lookup, node("MatMul", "x W", "a"), node("Add", "a s", "y")],
        [tensor("x", ["batch", 6]), tensor(*ids)],
        [tensor("y", ["batch", 4])],
        {**table, "W": floats(6, 4)},
    )
    save(
        folder / "shifted.onnx",  # looks up ids + 8: the default range goes out of bounds
        [node("Add", "raw eight", "ids"), *lookup],
        [tensor("raw", ["N", 5], TensorProto.INT64)],
        [tensor("s", ["N", 4])],
        {**table, "eight": np.array([8])},
    )
    product = [node("MatMul", "x W", "y")]
    weights = {"W": floats(600, 4)}
    external = {"save_as_external_data": True, "location": "parts/w.bin", "size_threshold": 10}
    (folder / "parts").mkdir()
    save(
        folder / "external.onnx",
        product,
        [tensor("x", ["N", 600])],
        [tensor("y", ["N", 4])],
        weights,
        **external,
    )
    save(folder / "fixed.onnx", product, [tensor("x", [3, 600])], [tensor("y", [3, 4])], weights)
    save(
        folder / "zero.onnx",
        product,
        [tensor("x", ["N", 6])],
        [tensor("y", ["N", 4])],
        {"W": np.zeros((6, 4), "f")},
    )
    save(
        folder / "image.onnx",
        [node("Conv", "image K", "c"), node("GlobalAveragePool", "c", "p"), node("Flatten", "p", "y")],
        [tensor("image", ["N", 3, 16, 12])],
        [tensor("y", ["N", 5])],
        {"K": floats(5, 3, 3, 3)},
    )
    noise = [node("RandomNormalLike", "x", "n"), node("Add", "x n", "y")]
    save(folder / "noise.onnx", noise, [tensor("x", ["N", 4])], [tensor("y", ["N", 4])], {})
    angles = [node("Cast", "ids", "f", to=1), node("MatMul", "f W", "a"), node("Sin", "a", "y")]
    save(
        folder / "chaotic.onnx",  # fed 0 and 1, answers by the last place of its weights
        angles,
        [tensor("ids", ["N", 6], TensorProto.INT64)],
        [tensor("y", ["N", 40])],
        {"W": 1e8 * floats(6, 40)},
    )
    centred = [node("ReduceMean", "x", "m", axes=[0]), node("Sub", "x m", "d"), node("MatMul", "d W", "y")]
    save(
        folder / "batchwise.onnx",
        centred,
        [tensor("x", ["N", 6])],
        [tensor("y", ["N", 4])],
        {"W": floats(6, 4)},
    )
    steps = [
        node("QuantizeLinear", "x scale zero", "q"),
        node("DequantizeLinear", "q scale zero", "d"),
        node("MatMul", "d W", "y"),
    ]
    scale = {"scale": np.array(0.03, "f"), "zero": np.array(0, np.int8)}
    save(
        folder / "quantised.onnx",
        steps,
        [tensor("x", ["N", 64])],
        [tensor("y", ["N", 10])],
        {**scale, "W": floats(64, 10)},
    )
    half = [node("Cast", "x", "h", to=10), node("MatMul", "h W", "p"), node("Cast", "p", "y", to=1)]
    weights = {"W": floats(64, 10).astype(np.float16)}
    save(folder / "half.onnx", half, [tensor("x", ["N", 64])], [tensor("y", ["N", 10])], weights)
    save(
        folder / "weights8.onnx",
        [node("DequantizeLinear", "W8 scale zero", "W"), node("MatMul", "x W", "y")],
        [tensor("x", ["N", 64])],
        [tensor("y", ["N", 10])],
        {**scale, "W8": (30 * floats(64, 10)).clip(-127, 127).astype(np.int8)},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
