"""What ONNX graphs are made of: attributes, small constants, names, graphs within."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from inferometer.models.steps.onnx_sizes import MOST, Numbers

_FEW = 8  # floats that may be scales or limits
_EXTERNAL = 1  # where a tensor's values lie


def with_shapes(model: Any) -> Any:
    """Return the model with the shapes and small values that follow; ValueError where ONNX cannot infer them."""
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # its own kind, and protobuf's of messages too large
        raise ValueError(f"no shapes can be inferred: {' '.join(str(error).split())[:200]}") from error


def attributes_of(node: Any) -> dict[str, Any]:
    """Return a node's attributes by name, tensors as arrays."""
    from onnx import helper, numpy_helper

    values = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return {
        name: numpy_helper.to_array(value) if hasattr(value, "data_location") else value
        for name, value in values.items()
    }


def small_constants(graph: Any) -> dict[str, Numbers]:
    """Return the small initializers of a graph by name: integers, truth values, and a few floats."""
    found = {tensor.name: small_constant(tensor) for tensor in graph.initializer}
    return {name: numbers for name, numbers in found.items() if numbers is not None}


def small_constant(tensor: Any) -> Numbers | None:
    """Return a tensor's values where they may be sizes, None where it is large, of other types, or in a file of its own."""
    from onnx import numpy_helper

    size = int(np.prod(tensor.dims)) if tensor.dims else 1
    if size > MOST or tensor.data_location == _EXTERNAL:
        return None
    array = numpy_helper.to_array(tensor)
    is_few = array.dtype.name in ("float32", "float64") and size <= _FEW
    return Numbers.of(array, array.dtype.name) if array.dtype.kind in "iub" or is_few else None


def rename(graph: Any, names: Mapping[str, str]) -> None:
    """Rename tensors wherever nodes use them, in graphs within too: ONNX names are unique across them."""
    for node in graph.node:
        for field in (node.input, node.output):
            for place, name in enumerate(field):
                field[place] = names.get(name, name)
        for inner in graphs_in(node):
            rename(inner, names)
            for item in inner.output:
                item.name = names.get(item.name, item.name)


def graphs_in(node: Any) -> Iterator[Any]:
    """Yield the graphs that are attributes of a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
