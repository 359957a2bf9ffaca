"""How large a LiteRT flatbuffer is: parameters, and multiply-accumulates of one row, by the shapes of its tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

_WEIGHTS = ("float32", "float16", "int8", "uint8")
_LOOPS = frozenset(("WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "CUSTOM"))


def size(interpreter: Any, batch: int | None) -> dict[str, int | None]:
    """Return `parameters`, and `macs` of one row (None where a loop hides them); the inputs get one row, or ``batch``."""
    for item in interpreter.get_input_details() if batch is None else ():
        signature = item["shape_signature"]
        sizes = signature if len(signature) else item["shape"]
        interpreter.resize_tensor_input(item["index"], [1, *(int(size) for size in sizes[1:])])
    interpreter.allocate_tensors()
    operators = interpreter._get_ops_details()
    details = {item["index"]: item for item in interpreter.get_tensor_details()}
    shapes = {index: [int(size) for size in item["shape"]] for index, item in details.items()}
    made = {index for operator in operators for index in operator["outputs"]}
    made |= {item["index"] for item in interpreter.get_input_details()}
    read = {index for operator in operators for index in operator["inputs"]} & set(details) - made
    kept = [index for index in read if np.dtype(details[index]["dtype"]).name in _WEIGHTS]
    return {
        "parameters": sum(math.prod(shapes[index]) for index in kept) or None,
        "macs": _macs(operators, shapes, batch),
    }


def _macs(operators: Sequence[Any], shapes: Mapping[int, Sequence[int]], batch: int | None) -> int | None:
    if any(operator["op_name"] in _LOOPS for operator in operators):
        return None
    total = sum(
        _COUNTS[operator["op_name"]](
            [shapes.get(index, ()) for index in operator["inputs"]], shapes[operator["outputs"][0]]
        )
        for operator in operators
        if operator["op_name"] in _COUNTS
    )
    return math.ceil(total / (batch or 1))


_Inputs = Sequence[Sequence[int]]


def _product(inputs: _Inputs, output: Sequence[int]) -> int:
    """Return the count of a product of matrices, whichever is turned: (MK)(KN) over MN is the square of K."""
    one, other = math.prod(inputs[0][-2:]), math.prod(inputs[1][-2:])
    return math.prod(output) * math.isqrt(one * other // max(math.prod(output[-2:]), 1))


_COUNTS: Mapping[str, Callable[[_Inputs, Sequence[int]], int]] = {
    "CONV_2D": lambda inputs, output: math.prod(output) * math.prod(inputs[1][1:]),
    "DEPTHWISE_CONV_2D": lambda inputs, output: math.prod(output) * math.prod(inputs[1][1:3]),
    "TRANSPOSE_CONV": lambda inputs, output: math.prod(inputs[2]) * math.prod(inputs[1][:3]),
    "CONV_3D": lambda inputs, output: math.prod(output) * math.prod(inputs[1][:4]),
    "FULLY_CONNECTED": lambda inputs, output: math.prod(output) * inputs[1][-1],
    "BATCH_MATMUL": _product,
}
