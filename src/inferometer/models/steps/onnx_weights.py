"""An ONNX model whose layers have their weights as initializers, where they are computed from constants: converters look there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# layers, and from which operand on they take weights
_LAYERS = {
    "Conv": 1,
    "ConvTranspose": 1,
    "BatchNormalization": 1,
    "Gemm": 1,
    "LSTM": 1,
    "GRU": 1,
    "RNN": 1,
    "PRelu": 1,
}
_DEQUANTISING = (
    19  # the first opset of which the reference knows DequantizeLinear, which says the same before
)
_STATES = frozenset((5, 6))  # of recurrent layers, where weights are no matter


def with_weights(model: Any) -> Any:
    """Return the model with the weights that nodes compute (cast, turned, dequantised) computed, changed in place.

    By ONNX's reference implementation, in the types that the nodes have.
    """
    from onnx import numpy_helper

    wanted = dict.fromkeys(_wanted(model.graph))
    if not wanted:
        return model
    values = _computed(model, list(wanted))
    tensors = [numpy_helper.from_array(value, name) for name, value in values.items()]
    kept = [node for node in model.graph.node if node.output[0] not in values]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(tensors)
    return model


def _wanted(graph: Any) -> Iterator[str]:
    """Yield the names of weights that nodes compute of constants alone."""
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        first = _LAYERS.get(node.op_type, len(node.input))
        for place, name in enumerate(node.input):
            is_weight = place >= first and (len(node.input) < 5 or place not in _STATES)
            if is_weight and name in makers and _sources(graph, makers, name) is not None:
                yield name


def _sources(graph: Any, makers: dict[str, Any], name: str) -> list[Any] | None:
    """Return the nodes that compute a tensor, None where the model's inputs or graphs within take part."""
    inputs = {item.name for item in graph.input} - {tensor.name for tensor in graph.initializer}
    found, waiting = {}, [name]
    while waiting:
        at = waiting.pop()
        if at in inputs:
            return None
        node = makers.get(at)
        if node is not None and node.output[0] not in found:
            if any(item.HasField("g") for item in node.attribute):
                return None
            found[node.output[0]] = node
            waiting.extend(node.input)
    return list(found.values())


def _computed(model: Any, names: list[str]) -> dict[str, Any]:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    needed = {id(node) for name in names for node in _sources(graph, makers, name) or ()}
    nodes = [node for node in graph.node if id(makers[node.output[0]]) in needed]
    used = {name for node in nodes for name in node.input}
    part = helper.make_graph(
        nodes,
        "weights",
        [],
        [helper.make_empty_tensor_value_info(name) for name in names],
        [tensor for tensor in graph.initializer if tensor.name in used],
    )
    opsets = [helper.make_opsetid(item.domain, item.version) for item in model.opset_import]
    for item in opsets:
        if item.domain == "" and any(node.op_type == "DequantizeLinear" for node in nodes):
            item.version = max(item.version, _DEQUANTISING)
    made = helper.make_model(part, opset_imports=opsets, ir_version=model.ir_version)
    return dict(zip(names, ReferenceEvaluator(made).run(None, {}), strict=True))
