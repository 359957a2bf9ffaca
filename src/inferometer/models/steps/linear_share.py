"""Which of an ONNX file's operators are linear layers, and whether quantising the weights of these alone is worth it."""

from __future__ import annotations

from typing import Any


def linear(graph: Any) -> list[Any]:
    """Return the nodes that multiply rows by a constant matrix of float32: MatMul, and Gemm where that is all it does."""
    matrices = {
        tensor.name for tensor in graph.initializer if len(tensor.dims) == 2 and tensor.data_type == 1
    }
    return [
        node
        for node in graph.node
        if len(node.input) > 1 and node.input[1] in matrices and (node.op_type == "MatMul" or _is_plain(node))
    ]


def check(found: int, others: int, runtime: str) -> None:
    """Raise ValueError where linear layers (``found``) are not most of the operators with weights: ``runtime`` leaves others in floats."""
    total = found + others
    if 2 * found <= total:
        raise ValueError(
            f"{runtime} keeps int8 weights of linear layers alone, and they are {found} of this model's {total} operators "
            "with weights: most would run as in fp32"
        )


def transposed(node: Any) -> bool:
    """Return whether a linear layer's matrix has a row an output."""
    return any(each.name == "transB" and each.i for each in node.attribute)


def _is_plain(node: Any) -> bool:
    """Return whether a node is x * W + b, with nothing scaled, and x as it is."""
    given = {each.name: each.f if each.name in ("alpha", "beta") else each.i for each in node.attribute}
    scaled = given.get("alpha", 1.0) != 1.0 or given.get("beta", 1.0) != 1.0
    return node.op_type == "Gemm" and not scaled and not given.get("transA", 0)
