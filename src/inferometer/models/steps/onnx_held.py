"""What an ONNX file holds: of its operators with weights how many are in integers, with integer weights only, or in floats."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_WEIGHTS = {  # operator -> place of its weights
    "Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1, "LSTM": 1, "GRU": 1, "RNN": 1, "Attention": 1,
    "FusedConv": 1, "FusedGemm": 1, "FusedMatMul": 1, "NhwcConv": 1, "ConvAddRelu": 1,
}  # fmt: skip
INTEGER = frozenset(
    (
        "QLinearConv", "QLinearMatMul", "QGemm", "QAttention", "ConvInteger", "ConvIntegerToFloat", "MatMulInteger",
        "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM",
    )
)  # fmt: skip
PACKED = ("MatMulNBits", "MatMulBnb4")  # weights of a few bits in blocks
_SAME = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Flatten")  # move values only
_WIDENING = ("Cast", "Mul", "Div", "Sub", "Add")  # dequantising, written out
# of onnx.TensorProto
_TYPES = {
    1: "fp32", 2: "int8", 3: "int8", 4: "int16", 5: "int16", 10: "fp16", 11: "fp64", 16: "bf16", 17: "fp8", 18: "fp8", 19: "fp8", 20: "fp8",
    21: "int4", 22: "int4",
}  # fmt: skip


@dataclass(frozen=True)
class _Value:
    """Where an operator's input comes from: the type it is kept in, whether it is a constant, and how it got to be floats."""

    kind: str
    constant: bool
    by: str = ""  # the operator, as in "DequantizeLinear"


@dataclass(frozen=True)
class _Scope:
    """The constants and nodes that a graph sees, those of the graphs around it included."""

    constants: Mapping[str, int]  # name -> data type
    makers: Mapping[str, Any]  # name -> node

    def value(self, name: str) -> _Value:
        """Return what an input is, through nodes that only move values."""
        if name in self.constants:
            return _Value(_TYPES.get(self.constants[name], ""), constant=True)
        node = self.makers.get(name)
        if node is None or not node.input:
            return _Value("", constant=False)
        if node.op_type in _SAME:
            return self.value(node.input[0])
        if node.op_type == "DequantizeLinear":
            return self._dequantised(node)
        if node.op_type in _WIDENING:
            return self._widened(node)
        return _Value("", constant=False)

    def _widened(self, node: Any) -> _Value:
        """Return what casts and scales made of constants, by the type that they were kept in."""
        sources = [self.value(name) for name in node.input]
        kept = next(
            (source.kind for source in sources if source.kind not in ("fp32", "fp64")), sources[0].kind
        )
        return _Value(kept, all(source.constant for source in sources), node.op_type)

    def _dequantised(self, node: Any) -> _Value:
        source = self.value(node.input[0])
        kind, constant = source.kind, source.constant
        quantiser = self.makers.get(node.input[0])
        if quantiser is not None and quantiser.op_type == "QuantizeLinear":
            zero = self.value(quantiser.input[2]).kind if len(quantiser.input) > 2 else ""
            kind, constant = zero, self.value(quantiser.input[0]).constant
        return _Value(kind or "int8", constant, "DequantizeLinear")


def holds(model: Any) -> Counter[str]:
    """Return how many operators with weights are of each kind: "int8", "int8-weights", "fp16", "fp32", ..."""
    return Counter(_kinds(model.graph, _Scope({}, {})))


def _kinds(graph: Any, outer: _Scope) -> Iterator[str]:
    constants = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants.update((node.output[0], a.t.data_type) for a in node.attribute if a.HasField("t"))
    makers = {name: node for node in graph.node for name in node.output}
    scope = _Scope(ChainMap(constants, dict(outer.constants)), ChainMap(makers, dict(outer.makers)))
    for node in graph.node:
        if kind := _kind(node, scope):
            yield kind
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _kinds(attribute.g, scope)


def _kind(node: Any, scope: _Scope) -> str:
    """Return of which kind an operator is, "" for one without weights."""
    if node.op_type in INTEGER:
        return "int8"
    if node.op_type in PACKED:
        bits = next((a.i for a in node.attribute if a.name == "bits"), 4)
        return f"int{bits}-weights"
    place = _WEIGHTS.get(node.op_type)
    if place is None or len(node.input) <= place:
        return ""
    weights = scope.value(node.input[place])
    if not weights.constant:
        return ""
    if weights.by == "DequantizeLinear":
        quantised = scope.value(node.input[0]).by == "DequantizeLinear"
        return weights.kind if quantised else f"{weights.kind}-weights"
    return f"{weights.kind}-weights" if weights.by and weights.kind != "fp32" else weights.kind
