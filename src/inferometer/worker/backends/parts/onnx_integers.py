"""What of a quantised ONNX file runs in 8-bit integers, or with weights in them: the operators left after ONNX Runtime's optimisation."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.worker.backends.parts.integers import Integers
from inferometer.worker.precisions import WEIGHTS

_HEAVY = (
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "Einsum",
    "FusedConv",
    "FusedGemm",
    "FusedMatMul",
    "NhwcConv",
    "Attention",
)
_INTEGER = (
    "QLinearConv", "QGemm", "QLinearMatMul", "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention", "QLinearConvTranspose",
)  # fmt: skip

_BLOCKS = "MatMulNBits"


@dataclass(frozen=True)
class Operators:
    """The operators that multiply matrices, by name: those in integers, in floats with weights in integers, and in floats."""

    integer: Counter[str]
    weights: Counter[str]
    float: Counter[str]

    @property
    def integers(self) -> Integers:
        """Return them by type."""
        counts = {"int8": self.integer.total(), WEIGHTS: self.weights.total(), "float32": self.float.total()}
        return Integers(Counter(counts))

    def facts(self) -> dict[str, Any]:
        """Return them by operator."""
        weights = {WEIGHTS: dict(self.weights)} if self.weights else {}
        return {"integer": dict(self.integer), **weights, "float": dict(self.float)}


def place(cache: Path) -> Path:
    """Return where a session is to write its model once optimised, a file of this process."""
    cache.mkdir(parents=True, exist_ok=True)
    return cache / f"optimised-{os.getpid()}.onnx"


def look(path: Path) -> Operators:
    """Return the operators of the model that ONNX Runtime wrote to ``path`` once optimised, and delete it."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    path.unlink()
    return counted(model.graph.node)


def counted(nodes: Iterable[Any]) -> Operators:
    """Return the operators among the nodes that multiply matrices."""
    integer, weights, floats = Counter[str](), Counter[str](), Counter[str]()
    for node in nodes:
        if node.op_type in _INTEGER or (node.op_type == _BLOCKS and _rounds_values(node)):
            integer[node.op_type] += 1
        elif node.op_type == _BLOCKS and _bits(node) == 8:
            weights[node.op_type] += 1
        elif node.op_type in (*_HEAVY, _BLOCKS):
            floats[node.op_type] += 1
    return Operators(integer, weights, floats)


def _bits(node: Any) -> int:
    return next((int(each.i) for each in node.attribute if each.name == "bits"), 4)


def _rounds_values(node: Any) -> bool:
    """Return whether an operator with weights in blocks may round its values to int8, as ONNX Runtime makes them of DequantizeLinear."""
    return any(each.name == "accuracy_level" and each.i == 4 for each in node.attribute)
