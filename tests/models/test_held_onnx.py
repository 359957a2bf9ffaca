"""What operators of ONNX graphs hold, on graphs spelt out by name: no framework is needed to count."""

from types import SimpleNamespace as Some

import pytest

from inferometer.models.steps import onnx_held

FP32, INT8, FP16 = 1, 3, 10


def graph(nodes, **constants):
    """Return what `onnx_held` reads of a graph; of nodes (operator, inputs, output)."""
    made = [Some(op_type=kind, input=ins.split(), output=[out], attribute=[]) for kind, ins, out in nodes]
    tensors = [Some(name=name, data_type=kind) for name, kind in constants.items()]
    return Some(graph=Some(node=made, initializer=tensors))


QUANTISED = [("QuantizeLinear", "x s z", "q"), ("DequantizeLinear", "q s z", "v")]


@pytest.mark.parametrize(
    ("nodes", "constants", "found"),
    [
        ([("MatMul", "x W", "y")], {"W": FP32}, {"fp32": 1}),
        ([("MatMul", "x W", "y")], {"W": FP16}, {"fp16": 1}),
        ([("MatMul", "a b", "y")], {}, {}),
        ([("Cast", "W", "w"), ("MatMul", "x w", "y")], {"W": FP16}, {"fp16-weights": 1}),
        ([*QUANTISED, ("MatMul", "v W", "y")], {"W": FP32, "s": FP32, "z": INT8}, {"fp32": 1}),
        (
            [*QUANTISED, ("DequantizeLinear", "W s z", "w"), ("MatMul", "v w", "y")],
            {"W": INT8, "s": FP32, "z": INT8},
            {"int8": 1},
        ),
        (
            [("DequantizeLinear", "W s z", "d"), ("Transpose", "d", "w"), ("Gemm", "x w", "y")],
            {"W": INT8, "s": FP32, "z": INT8},
            {"int8-weights": 1},
        ),
        (  # as exporters write it without operators of quantising
            [("Cast", "W", "c"), ("Mul", "c s", "w"), ("MatMul", "x w", "y")],
            {"W": INT8, "s": FP32},
            {"int8-weights": 1},
        ),
        (  # weights in floats that are rounded as the file is loaded
            [
                *QUANTISED,
                ("QuantizeLinear", "W s z", "p"),
                ("DequantizeLinear", "p s z", "w"),
                ("Conv", "v w", "y"),
            ],
            {"W": FP32, "s": FP32, "z": INT8},
            {"int8": 1},
        ),
        ([("DynamicQuantizeLSTM", "x W R", "y")], {"W": INT8, "R": INT8}, {"int8": 1}),
        ([("MatMulNBits", "x W s", "y")], {"W": INT8, "s": FP32}, {"int4-weights": 1}),
    ],
)
def test_operators_are_counted_by_how_their_weights_and_values_are_kept(nodes, constants, found):
    assert dict(onnx_held.holds(graph(nodes, **constants))) == found
