"""How large a TensorFlow function is: multiply-accumulates of one row, by the shapes in its graph. Computes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inferometer.models.steps import einsum, tensors

_MOST_FROZEN = 1 << 28  # parameters that are copied into a graph, to tell its shapes


class _UnknownError(Exception):
    """What the graph does not say."""


def size(tf: Any, call: Callable[..., Any], specs: Sequence[tensors.Spec]) -> dict[str, int | None]:
    """Return `parameters` (of variables; None where the weights are constants), and `macs` of one row (None: not known).

    ``call`` takes the tensors of ``specs`` one by one.
    """
    batch = tensors.batch_of(specs) or 1
    given = [tf.TensorSpec([batch, *spec["shape"][1:]], spec["dtype"]) for spec in specs]
    function = tf.function(call, autograph=False).get_concrete_function(*given)
    parameters = sum(variable.shape.num_elements() or 0 for variable in function.graph.variables)
    try:
        total = _either(tf, function, parameters)
    except (_UnknownError, ValueError, TypeError, tf.errors.OpError):
        return {"parameters": parameters or None, "macs": None}
    return {"parameters": parameters or None, "macs": math.ceil(total / batch)}


def _either(tf: Any, function: Any, parameters: int) -> int:
    """Return the count of a graph as it was traced; with its functions inlined where they hide it."""
    try:
        return _of_graph(function.graph)
    except _UnknownError:
        if parameters > _MOST_FROZEN:
            raise
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return _of_graph(convert_variables_to_constants_v2(function, lower_control_flow=False).graph)


def _of_graph(graph: Any) -> int:
    return sum(_of_operation(operation) for operation in graph.get_operations())


def _of_operation(operation: Any) -> int:
    if _hides(operation.graph, operation.node_def):
        raise _UnknownError  # a call, whose shapes are those of tracing, or a loop, which turns as often as it likes
    count = _COUNTS.get(operation.type)
    return count(operation) if count else 0


def _hides(graph: Any, node: Any) -> bool:
    """Return whether a node calls functions that multiply."""
    names = [value.func.name for value in node.attr.values() if value.HasField("func")]
    found = [graph._get_function(name).definition for name in names if name and graph._is_function(name)]
    return any(
        inner.op in _COUNTS or _hides(graph, inner) for definition in found for inner in definition.node_def
    )


def _shape(tensor: Any) -> list[int]:
    if tensor.shape.rank is None or None in tensor.shape.as_list():
        raise _UnknownError
    return [int(size) for size in tensor.shape]


def _all(tensor: Any) -> int:
    return math.prod(_shape(tensor))


def _convolution(operation: Any) -> int:
    return _all(operation.outputs[0]) * math.prod(_shape(operation.inputs[1])[:-1])


def _depthwise(operation: Any) -> int:
    return _all(operation.outputs[0]) * math.prod(_shape(operation.inputs[1])[:2])


def _transposed(operation: Any) -> int:
    return _all(operation.inputs[2]) * math.prod(_shape(operation.inputs[1])[:-1])


def _product(turned: str) -> Callable[[Any], int]:
    def count(operation: Any) -> int:
        axis = -2 if operation.get_attr(turned) else -1
        return _all(operation.outputs[0]) * _shape(operation.inputs[0])[axis]

    return count


def _einsum(operation: Any) -> int:
    return einsum.macs(operation.get_attr("equation").decode(), [_shape(each) for each in operation.inputs])


_COUNTS: Mapping[str, Callable[[Any], int]] = {
    "Conv2D": _convolution, "Conv3D": _convolution, "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _transposed, "Conv3DBackpropInputV2": _transposed, "MatMul": _product("transpose_a"),
    "BatchMatMul": _product("adj_x"), "BatchMatMulV2": _product("adj_x"), "BatchMatMulV3": _product("adj_x"),
    "Einsum": _einsum,
}  # fmt: skip
