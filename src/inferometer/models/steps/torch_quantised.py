"""Exported programs that are quantised already (torchao's PT2E): their operators made known, and counted."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

MARK = "quantized_decomposed"  # the namespace of the operators that quantise and dequantise
_WEIGHTS = {  # operator -> place of its weights
    "conv1d": 1, "conv2d": 1, "conv3d": 1, "conv_transpose1d": 1, "conv_transpose2d": 1, "convolution": 1,
    "linear": 1, "matmul": 1, "mm": 1, "addmm": 2,
}  # fmt: skip
_SAME = ("t", "transpose", "permute", "view", "reshape", "clone", "contiguous")  # move values only


def register() -> None:
    """Make torch know the operators, which it does not by itself."""
    importlib.import_module("torch.ao.quantization.fx._decomposed")


def stored(torch: Any, module: Any) -> dict[str, Any]:
    """Return `stored` and `holds`, kind -> number of operators with weights, of a quantised module; {} for any other."""
    graphs = [part.graph for part in module.modules() if isinstance(part, torch.fx.GraphModule)]
    if not any(MARK in str(node.target) for graph in graphs for node in graph.nodes):
        return {}
    return {"stored": "int8", "holds": Counter(kind for graph in graphs for kind in _kinds(graph))}


def _kinds(graph: Any) -> Iterator[str]:
    for node in graph.nodes:
        place = _WEIGHTS.get(_name(node))
        if node.op != "call_function" or place is None or len(node.args) <= place:
            continue
        values, weights = _source(node.args[place - 1]), _source(node.args[place])
        if not _dequantises(weights):
            if getattr(weights, "op", "") == "get_attr":
                yield "fp32"
        elif _constant(weights):
            yield "int8" if _dequantises(values) else "int8-weights"


def _name(node: Any) -> str:
    return str(getattr(node, "target", "")).partition(".")[2].partition(".")[0]


def _source(node: Any) -> Any:
    """Return where values come from, through operators that only move them."""
    while getattr(node, "op", "") == "call_function" and _name(node) in _SAME:
        node = node.args[0]
    return node


def _dequantises(node: Any) -> bool:
    return MARK in str(getattr(node, "target", "")) and "dequantize" in str(node.target)


def _constant(node: Any) -> bool:
    """Return whether what is dequantised are weights: kept as integers, or rounded when the program runs."""
    while getattr(node, "op", "") == "call_function" and MARK in str(node.target):
        node = node.args[0]
    return getattr(node, "op", "") == "get_attr"
