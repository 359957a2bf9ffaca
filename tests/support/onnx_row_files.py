"""Writes small ONNX files whose rows do not simply come first; runs in the onnxrt environment: `python onnx_row_files.py FOLDER`."""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from onnx_files import floats, node, save, tensor


def stateful(path):
    """A recurrent step: rows on axis 1 of the state, one rate for all rows, two branches that see outer tensors."""
    branches = {
        f"{name}_branch": helper.make_graph(
            [node("Mul", f"x {name}_scale", f"{name}_x")], name, [], [tensor(f"{name}_x", None)]
        )
        for name in ("then", "else")
    }
    nodes = [
        node("Equal", "sr known", "same"),
        node("If", "same", "scaled", **branches),
        node("MatMul", "scaled W", "a"),
        node("Add", "state a", "sum"),
        node("Tanh", "sum", "stateN"),
        node("ReduceSum", "stateN first", "y", keepdims=0),
    ]
    inputs = [
        tensor("x", [None, 6]),
        tensor("state", [2, None, 4]),
        tensor("sr", [], TensorProto.INT64),
    ]
    outputs = [tensor("y", [None, 4]), tensor("stateN", [None, None, None])]
    constants = {
        "W": floats(6, 4),
        "known": np.array(16000),
        "then_scale": np.array(1, "f"),
        "else_scale": np.array(-2, "f"),
        "first": np.array([0]),
    }
    save(path, nodes, inputs, outputs, constants)


def branches(path):
    """Two branches: one by the rank, within it one that only then can be known, and one by the batch, which cannot."""
    inner = helper.make_graph(
        [node("Squeeze", "x one", "inside"), node("Shape", "inside", "sizes"), node("Gather", "sizes one", "size"),
         node("Equal", "size six", "is_six"),
         node("If", "is_six", "scaled",
              then_branch=helper.make_graph([node("Mul", "inside two", "double")], "inner", [], [tensor("double", None)]),
              else_branch=helper.make_graph([node("Neg", "inside", "less")], "other", [], [tensor("less", None)]))],
        "then", [], [tensor("scaled", None)],
    )  # fmt: skip
    outer = helper.make_graph([node("Identity", "x", "same")], "else", [], [tensor("same", None)])
    rows = {
        f"{name}_branch": helper.make_graph([node(kind, "flat", f"{name}_y")], name, [], [tensor(f"{name}_y", None)])
        for name, kind in (("then", "Tanh"), ("else", "Tanh"))
    }  # fmt: skip
    by_batch = [
        node("Shape", "flat", "flat_sizes"), node("Gather", "flat_sizes zero", "rows"), node("Equal", "rows one", "alone"),
        node("If", "alone", "y", **rows),
    ]  # fmt: skip
    by_rank = [
        node("Shape", "x", "all"), node("Size", "all", "rank"), node("Equal", "rank three", "is_three"),
        node("If", "is_three", "flat", then_branch=inner, else_branch=outer),
    ]  # fmt: skip
    constants = {
        "zero": np.array([0]), "one": np.array([1]), "three": np.array(3), "six": np.array([6]), "two": np.array(2, "f"),
    }  # fmt: skip
    inputs, outputs = [tensor("x", ["batch", 1, 6])], [tensor("y", ["batch", None])]
    save(path, by_rank, inputs, [tensor("flat", ["batch", None])], constants)
    save(path.with_name("by_batch.onnx"), [*by_rank, *by_batch], inputs, outputs, constants)


def found(path, batch="batch"):
    """A detector in small: as many entries out as scores are above a threshold."""
    nodes = [
        node("MatMul", "x W", "scores"),
        node("Greater", "scores least", "kept"),
        node("NonZero", "kept", "places"),
        node("Transpose", "places", "where", perm=[1, 0]),
        node("GatherND", "scores where", "best"),
    ]
    outputs = [tensor("best", ["found"]), tensor("where", ["found", 2], TensorProto.INT64)]
    constants = {"W": floats(40, 30), "least": np.array(3, "f")}
    save(path, nodes, [tensor("x", [batch, 40])], outputs, constants)


def paddle(path):
    """As Paddle's exporter writes: a batch of -1, and a name of a node that TensorFlow takes for no scope."""
    ends = helper.make_node("Softmax", ["a"], ["y"], "Softmax@0", axis=1)
    outputs = [tensor("y", [-1, 4])]
    save(path, [node("MatMul", "x W", "a"), ends], [tensor("x", [-1, 6])], outputs, {"W": floats(6, 4)})


def power(path):
    """A variance as exporters spell it: a power of numbers below zero."""
    nodes = [node("MatMul", "x W", "a"), node("Pow", "a two", "squares"), node("MatMul", "squares V", "y")]
    constants = {"W": floats(6, 5), "V": floats(5, 4), "two": np.array(2, "f")}
    save(path, nodes, [tensor("x", ["batch", 6])], [tensor("y", ["batch", 4])], constants)


def main(folder):
    power(folder / "power.onnx")
    paddle(folder / "paddle.onnx")
    stateful(folder / "stateful.onnx")
    branches(folder / "branches.onnx")
    found(folder / "found.onnx")
    weights = {"W": floats(20, 30)}
    save(
        folder / "called.onnx",  # one call has one grid and 30 offsets
        [node("MatMul", "grid W", "a"), node("Add", "a offsets", "y")],
        [tensor("grid", [1, 7, 20]), tensor("offsets", [30])],
        [tensor("y", [1, 7, 30])],
        weights,
    )
    save(
        folder / "pairs.onnx",  # a fixed batch of four whose output is not its rows
        [node("MatMul", "x W", "a"), node("Gemm", "a a", "y", transA=1)],
        [tensor("x", [4, 20])],
        [tensor("y", [30, 30]), tensor("a", [4, 30])],
        weights,
    )
    save(
        folder / "mistaken.onnx",  # says that its batch comes first, and puts it in the middle
        [node("MatMul", "x W", "a"), node("Transpose", "a", "y", perm=[1, 0, 2])],
        [tensor("x", [1, 7, 20])],
        [tensor("y", [1, 7, 30])],
        weights,
    )
    enlarged = [
        node("Resize", "image  twice", "large", mode="nearest"),
        node("Shape", "image", "sizes"),
        node("Cast", "sizes", "real", to=1),
        node("Mul", "real twice", "double"),
        node("Floor", "double", "whole"),
        node("Cast", "whole", "again", to=7),
        node("Expand", "one again", "ones"),
        node("Add", "large ones", "sum"),
        node("Conv", "sum K", "y"),
    ]
    enlarged[0].input[:] = ["image", "", "twice"]
    save(
        folder / "enlarged.onnx",  # floats that are sizes: of Resize, and through Floor of Expand
        enlarged,
        [tensor("image", ["N", 3, 8, 8])],
        [tensor("y", ["N", 2, 14, 14])],
        {"twice": np.array([1, 1, 2, 2], "f"), "one": np.ones([1, 1, 1, 1], "f"), "K": floats(2, 3, 3, 3)},
    )
    save(
        folder / "sums.onnx",  # rows first going in, last coming out
        [node("MatMul", "x W", "a"), node("Transpose", "a", "y", perm=[1, 0])],
        [tensor("x", ["N", None])],
        [tensor("y", [30, "N"])],
        weights,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
