"""How large an ONNX model is: parameters, and multiply-accumulates of one row, by shape inference. Computes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inferometer.models.steps import einsum
from inferometer.models.steps.onnx_graphs import with_shapes

_LARGE_BYTES = 1 << 16  # no shape is computed from the values of a tensor of more
_WEIGHTS = frozenset((1, 10, 11, 16, 2, 3, 17, 18, 19, 20, 21, 22))  # floats and 4 or 8-bit integers
_LOOPS = ("Loop", "Scan")
_Shape = Sequence["int | None"]
_Shapes = Mapping[str, _Shape]


class _UnknownError(Exception):
    """A shape that shape inference does not know."""


def size(model: Any, inputs: _Shapes, batch: int | None) -> dict[str, int | None]:
    """Return `parameters`, and `macs` of one row (None where a shape is not known); the weights in ``model`` are lost.

    ``inputs``: their shapes, None for a free batch; ``batch``: where it is fixed.
    """
    parameters = sum(math.prod(tensor.dims) for tensor in _weights(model.graph))
    return {"parameters": parameters or None, "macs": _macs(model, inputs, batch or 1)}


def _weights(graph: Any) -> Any:
    """Yield the tensors of a graph and of those inside it that hold weights."""
    constants = [
        a.t for node in graph.node if node.op_type == "Constant" for a in node.attribute if a.HasField("t")
    ]
    yield from (tensor for tensor in (*graph.initializer, *constants) if tensor.data_type in _WEIGHTS)
    for inner in _inner(graph):
        yield from _weights(inner)


def _inner(graph: Any) -> list[Any]:
    return [a.g for node in graph.node for a in node.attribute if a.HasField("g")]


def _macs(model: Any, inputs: _Shapes, batch: int) -> int | None:
    import onnx

    try:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        _bind(model.graph, inputs)
        _lighten(model.graph)
        inferred = with_shapes(model)
        return math.ceil(_of_graph(inferred.graph, {}) / batch)
    except (_UnknownError, ValueError, RuntimeError):
        return None


def _bind(graph: Any, inputs: _Shapes) -> None:
    """Give the inputs their sizes, a free batch one row, and forget what the file says of the rest."""
    for item in graph.input:
        if item.name in inputs:
            for dimension, wanted in zip(item.type.tensor_type.shape.dim, inputs[item.name]):
                dimension.dim_value = 1 if wanted is None else wanted
    del graph.value_info[:]
    for item in graph.output:
        item.type.tensor_type.ClearField("shape")


def _lighten(graph: Any) -> None:
    """Drop the values of large tensors, which inference copies and never looks at."""
    for tensor in graph.initializer:
        if tensor.ByteSize() > _LARGE_BYTES:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    for inner in _inner(graph):
        _lighten(inner)


def _of_graph(graph: Any, outer: _Shapes) -> int:
    shapes = {**outer, **{tensor.name: list(tensor.dims) for tensor in graph.initializer}}
    for item in (*graph.input, *graph.value_info, *graph.output):
        found = item.type.tensor_type
        if found.HasField("shape"):
            shapes[item.name] = [d.dim_value if d.HasField("dim_value") else None for d in found.shape.dim]
    for node in graph.node:
        if node.op_type == "Constant":
            shapes |= {node.output[0]: list(a.t.dims) for a in node.attribute if a.HasField("t")}  # noqa: B035
    return sum(_of_node(node, shapes) for node in graph.node)


def _of_node(node: Any, shapes: _Shapes) -> int:
    inner = [_of_graph(attribute.g, shapes) for attribute in node.attribute if attribute.HasField("g")]
    if any(inner) and node.op_type in _LOOPS:
        raise _UnknownError  # how often it turns is known when it runs only
    count = _COUNTS.get(node.op_type)
    return (count(node, shapes) if count else 0) + max(inner, default=0)


def _shape(shapes: _Shapes, name: str) -> list[int]:
    found = shapes.get(name)
    if found is None or None in found:
        raise _UnknownError
    return [int(size) for size in found if size is not None]


def _all(shapes: _Shapes, name: str) -> int:
    return math.prod(_shape(shapes, name))


def _attribute(node: Any, name: str) -> Any:
    return next((a for a in node.attribute if a.name == name), None)


def _convolution(place: int) -> Callable[[Any, _Shapes], int]:
    return lambda node, shapes: (
        _all(shapes, node.output[0]) * math.prod(_shape(shapes, node.input[place])[1:])
    )


def _transposed(node: Any, shapes: _Shapes) -> int:
    return _all(shapes, node.input[0]) * math.prod(_shape(shapes, node.input[1])[1:])


def _product(node: Any, shapes: _Shapes) -> int:
    return _all(shapes, node.output[0]) * _shape(shapes, node.input[0])[-1]


def _gemm(node: Any, shapes: _Shapes) -> int:
    turned = _attribute(node, "transA")
    return _all(shapes, node.output[0]) * _shape(shapes, node.input[0])[0 if turned and turned.i else 1]


def _recurrent(node: Any, shapes: _Shapes) -> int:
    steps, rows, _ = _shape(shapes, node.input[0])
    return steps * rows * (_all(shapes, node.input[1]) + _all(shapes, node.input[2]))


def _attention(node: Any, shapes: _Shapes) -> int:
    keys = _shape(shapes, node.input[1])[-2]
    return keys * (_all(shapes, node.input[0]) + _all(shapes, node.output[0]))


def _einsum(node: Any, shapes: _Shapes) -> int:
    equation = _attribute(node, "equation").s.decode()
    return einsum.macs(equation, [_shape(shapes, name) for name in node.input])


_COUNTS: Mapping[str, Callable[[Any, _Shapes], int]] = {
    "Conv": _convolution(1), "ConvInteger": _convolution(1), "QLinearConv": _convolution(3), "ConvTranspose": _transposed,
    "MatMul": _product, "MatMulInteger": _product, "QLinearMatMul": _product, "Gemm": _gemm, "Einsum": _einsum,
    "LSTM": _recurrent, "GRU": _recurrent, "RNN": _recurrent, "Attention": _attention,
}  # fmt: skip
