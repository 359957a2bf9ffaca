"""Writes ONNX files whose multiply-accumulates a test counts itself; runs in the onnxrt environment: `python counted_onnx.py FOLDER`."""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from onnx_files import floats, node, save, tensor


def main(folder):
    kernel = {"W": floats(1, 4 * 5, 3), "R": floats(1, 4 * 5, 5)}
    save(
        folder / "lstm.onnx",  # 7 steps of one row, since its batch is the second axis
        [node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", "t W R", "h", hidden_size=5)],
        [tensor("x", ["N", 7, 3])],
        [tensor("h", [7, 1, "N", 5])],
        kernel,
    )
    mixed = [
        node("ConvTranspose", "x K", "c"), node("Reshape", "c shape", "f"), node("Gemm", "f G", "g", transB=1),
        node("Einsum", "g E", "y", equation="ij,jk->ik"),
    ]  # fmt: skip
    weights = {
        "K": floats(2, 3, 2, 2),
        "G": floats(6, 3 * 5 * 5),
        "E": floats(6, 4),
        "shape": np.array([-1, 75]),
    }
    save(folder / "mixed.onnx", mixed, [tensor("x", ["N", 2, 4, 4])], [tensor("y", ["N", 4])], weights)
    body = helper.make_graph(
        [node("Identity", "go", "went"), node("MatMul", "state S", "next")], "body",
        [tensor("i", [], TensorProto.INT64), tensor("go", [], TensorProto.BOOL), tensor("state", ["N", 4])],
        [tensor("went", [], TensorProto.BOOL), tensor("next", ["N", 4])],
        [numpy_helper.from_array(floats(4, 4), "S")],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["times", "", "x"], ["y"], body=body)
    save(
        folder / "loop.onnx",
        [loop],
        [tensor("x", ["N", 4])],
        [tensor("y", ["N", 4])],
        {"times": np.array(3)},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
