"""Gates of an ONNX file that OpenCV's importer would take for an activation: x * HardSigmoid(y), x * Tanh(Softplus(y)).

It fuses each to HardSwish(y) or Mish(y) without a look whether x and y are one (5.0, both engines), so that the gates of
MobileNetV3's squeeze-and-excitation blocks come out wrong; and it dies of a GELU that is written x * (0.5 * (1 + Erf(...))), or Tanh(...),
as torch and JAX export it. An Identity after the gate keeps the two apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

# operators from the gate back to y
_PATTERNS = (("HardSigmoid",), ("Tanh", "Softplus"), ("Tanh", "Log", "Add", "Exp"))
_DEADLY = (("Mul", "Add", "Erf"), ("Mul", "Add", "Tanh"))


def kept_apart(path: Path) -> tuple[bytes | None, int]:
    """Return the file with its gates kept apart, None where it has none, and how many those are.

    Without the package onnx (an interpreter of the user's) the file is taken as it is.
    """
    try:
        import onnx
    except ImportError:
        return None, 0
    graph = onnx.load(str(path), load_external_data=False).graph
    makers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {name for name, node in makers.items() if node.op_type == "Constant"}
    gates = {gate for node in graph.node if node.op_type == "Mul" for gate in _gates(node, makers, constants)}
    if not gates:
        return None, 0
    model = onnx.load(str(path))
    for gate in sorted(gates):
        _set_apart(onnx, model.graph, gate)
    content: bytes = model.SerializeToString()
    return content, len(gates)


def _gates(product: Any, makers: dict[str, Any], constants: set[str]) -> set[str]:
    """Return the inputs of a product that gate another value than the one that they are made of, and what OpenCV dies of."""
    first, second = product.input
    pairs = [(first, second), (second, first)]
    mistaken = {
        gate
        for gate, gated in pairs
        for kinds in _PATTERNS
        if _origin(gate, kinds, makers) not in (None, gated)
    }
    deadly = {
        gate
        for gate, gated in pairs
        for kinds in _DEADLY
        if gated not in constants and _origin(gate, kinds, makers) is not None  # 0.5 * (x * ...) is read well
    }
    return mistaken | deadly


def _origin(name: str, kinds: tuple[str, ...], makers: dict[str, Any]) -> str | None:
    """Return what a value is made of by these operators, the last one first; None where it is not."""
    if not kinds:
        return name
    maker = makers.get(name)
    if maker is None or maker.op_type != kinds[0]:
        return None
    found = (_origin(item, kinds[1:], makers) for item in maker.input)
    return next((item for item in found if item is not None), None)


def _set_apart(onnx: Any, graph: Any, gate: str) -> None:
    """Put an Identity between a gate and its products."""
    apart = f"{gate}/apart"
    place = next(index for index, node in enumerate(graph.node) if gate in node.output)
    for node in graph.node:
        if node.op_type == "Mul":
            node.input[:] = [apart if item == gate else item for item in node.input]
    graph.node.insert(place + 1, onnx.helper.make_node("Identity", [gate], [apart]))
