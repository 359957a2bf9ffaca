"""ONNX's LSTM, GRU and RNN as torch's own layers, and ONNX Runtime's dynamically quantised LSTM as one in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# by which of ONNX's gates torch's are, in torch's order: ONNX has input, output, forget, cell; update, reset, hidden
_GATES: Mapping[str, Sequence[int]] = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_PLAIN = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}
_QUANTISED = ("com_microsoft", "DynamicQuantizeLSTM", 1)  # the domain as `onnx_exported` names it


def register(torch: Any, versions: Callable[[str], list[int]]) -> None:
    """Let onnx2torch convert recurrent layers; ``versions`` of an operator that has forms of several opsets."""
    from onnx2torch.node_converters.registry import add_converter
    from onnx2torch.utils.common import OnnxMapping, OperationConverterResult

    def convert(node: Any, graph: Any) -> Any:
        """Return the layer; it takes the sequence and its first states, since its weights are its own."""
        kind = "LSTM" if node.operation_type == _QUANTISED[1] else node.operation_type
        _refuse(kind, node)
        weights = (_float_weights if kind != node.operation_type else _weights)(node, graph)
        states = [place for place in (5, 6) if place < len(node.input_values) and node.input_values[place]]
        taken = (node.input_values[0], *(node.input_values[place] for place in states))
        return OperationConverterResult(
            _layer(torch, kind, node, weights, states), OnnxMapping(taken, node.output_values)
        )

    for kind in _GATES:
        for version in versions(kind):
            add_converter(operation_type=kind, version=version)(convert)
    domain, kind, version = _QUANTISED
    add_converter(operation_type=kind, version=version, domain=domain)(convert)


def _refuse(kind: str, node: Any) -> None:
    """Raise NotImplementedError for what torch's layers cannot compute."""
    attributes, given = node.attributes, node.input_values
    functions = [name.lower() for name in attributes.get("activations", [])]
    plain = _PLAIN[kind]
    odd = {
        "other activations": functions[: len(plain)] not in ([], plain) and (kind, functions[0]) != ("RNN", "relu"),
        "sequences of several lengths": len(given) > 4 and given[4] != "",
        "peepholes": kind == "LSTM" and len(given) > 7 and given[7] != "",
        "clipped cells": bool(attributes.get("clip", 0)),
        "coupled gates": bool(attributes.get("input_forget", 0)),
        "its reset gate before the product": kind == "GRU" and not attributes.get("linear_before_reset", 0),
        "rows first": bool(attributes.get("layout", 0)),
    }  # fmt: skip
    found = next((title for title, is_so in odd.items() if is_so), "")
    if found:
        raise NotImplementedError(f"{kind} with {found}")


def _constant(node: Any, graph: Any, place: int) -> Any:
    """Return an operand of weights as a tensor, None where it is absent."""
    name = node.input_values[place] if place < len(node.input_values) else ""
    if not name:
        return None
    if name not in graph.initializers:
        raise NotImplementedError(f"{node.operation_type} whose weights are computed")
    return graph.initializers[name].to_torch()


def _weights(node: Any, graph: Any) -> list[Any]:
    """Return W, R and B by direction: (directions, gates x size, ...)."""
    return [_constant(node, graph, place) for place in (1, 2, 3)]


def _float_weights(node: Any, graph: Any) -> list[Any]:
    """Return the weights of a quantised layer in float: they lie transposed, with a scale a tensor or a column."""
    found = []
    for place, scale_place in ((1, 8), (2, 10)):
        weights, scale, zero = (_constant(node, graph, at) for at in (place, scale_place, scale_place + 1))
        scale, zero = (item.float().reshape(len(weights), 1, -1) for item in (scale, zero))
        found.append(((weights.float() - zero) * scale).transpose(1, 2))
    return [*found, _constant(node, graph, 3)]


def _layer(torch: Any, kind: str, node: Any, weights: Sequence[Any], states: Sequence[int]) -> Any:
    direction = node.attributes.get("direction", "forward")
    layer = _filled(torch, kind, node, weights, direction == "bidirectional")
    backwards, outputs = direction == "reverse", len(node.output_values)

    class Recurrent(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, sequence: Any, first: Any = None, second: Any = None) -> Any:
            given = dict(zip(states, (first, second)))
            start = given.get(5)
            if kind == "LSTM" and given:
                like = first if start is None else start
                start = tuple(given.get(place, torch.zeros_like(like)) for place in (5, 6))
            found, last = self.layer(sequence.flip(0) if backwards else sequence, start)
            steps, rows, _ = found.shape
            found = found.flip(0) if backwards else found
            found = found.reshape(steps, rows, len(weights[0]), -1).transpose(1, 2)
            answer = (found, *(last if kind == "LSTM" else (last,)))
            return answer[0] if outputs == 1 else answer[:outputs]

    return Recurrent()


def _filled(torch: Any, kind: str, node: Any, weights: Sequence[Any], both: bool) -> Any:
    """Return torch's layer with ONNX's weights in it."""
    inputs, hidden, biases = weights
    size = hidden.shape[-1]
    relu = [name.lower() for name in node.attributes.get("activations", [])][:1] == ["relu"]
    options = {"nonlinearity": "relu"} if kind == "RNN" and relu else {}
    layer = getattr(torch.nn, kind)(
        inputs.shape[-1], size, bias=biases is not None, bidirectional=both, dtype=inputs.dtype, **options
    )
    for place, suffix in enumerate(("", "_reverse")[: len(inputs)]):
        values = {"weight_ih": inputs[place], "weight_hh": hidden[place]}
        if biases is not None:
            values["bias_ih"], values["bias_hh"] = biases[place].chunk(2)
        for name, value in values.items():
            gates = value.reshape(len(_GATES[kind]), size, *value.shape[1:])[list(_GATES[kind])]
            getattr(layer, f"{name}_l0{suffix}").data.copy_(gates.reshape(value.shape))
    return layer.eval()
