"""An ONNX model rewritten so that rows come first in every input and output, and what is the same for every row is inside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inferometer.models.steps.onnx_axes import Place
from inferometer.models.steps.onnx_graphs import rename

_SUFFIX = "/as_made"


@dataclass(frozen=True)
class RowsFirst:
    """What a model is rewritten to."""

    inputs: Mapping[str, Place]
    outputs: Mapping[str, Place]
    ranks: Mapping[str, int]  # of outputs
    shapes: Mapping[str, list[int | None]]  # of inputs with rows first, None for the rows
    constants: Mapping[str, Any]  # values of inputs that are the same for every row


def rewrite(model: Any, wanted: RowsFirst) -> None:
    """Rewrite ``model`` in place: a Transpose for rows on another axis, a Squeeze or Unsqueeze where a call is a row.

    Names of inputs and outputs stay.
    """
    constants, shapes = wanted.constants, wanted.shapes
    turned = {
        name: place
        for name, place in wanted.inputs.items()
        if place.kind != "constant" and not place.is_first
    }
    given = {name: place for name, place in wanted.outputs.items() if not place.is_first}
    rename(model.graph, {name: name + _SUFFIX for name in (*turned, *given)})
    before = [_node_before(model, name, place, len(shapes[name])) for name, place in turned.items()]
    after = [_node_after(model, name, place, wanted.ranks[name]) for name, place in given.items()]
    nodes = [*before, *model.graph.node, *after]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _declare_inputs(model.graph, turned, constants, shapes)
    for item in model.graph.output:
        if item.name in given:
            item.type.tensor_type.ClearField("shape")  # of which less is known than before


def _node_before(model: Any, name: str, place: Place, rank: int) -> Any:
    """Return the node that makes what the model takes of an input with rows first, of ``rank`` axes."""
    from onnx import helper

    if place.kind == "call":
        return _with_axes(model, "Squeeze", name, name + _SUFFIX)
    order = [*range(1, place.axis + 1), 0, *range(place.axis + 1, rank)]
    return helper.make_node("Transpose", [name], [name + _SUFFIX], f"{name}/rows", perm=order)


def _node_after(model: Any, name: str, place: Place, rank: int) -> Any:
    """Return the node that puts rows first in an output of ``rank`` axes."""
    from onnx import helper

    if place.kind == "call":
        return _with_axes(model, "Unsqueeze", name + _SUFFIX, name)
    order = [place.axis, *(axis for axis in range(rank) if axis != place.axis)]
    return helper.make_node("Transpose", [name + _SUFFIX], [name], f"{name}/rows", perm=order)


def _with_axes(model: Any, kind: str, source: str, target: str) -> Any:
    """Return a node for axis 0, whose axes became an input with opset 13."""
    import numpy as np
    from onnx import helper, numpy_helper

    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), 1)
    if opset < 13:
        return helper.make_node(kind, [source], [target], f"{target}/rows", axes=[0])
    axes = f"{target}/rows_axes"
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), axes))
    return helper.make_node(kind, [source, axes], [target], f"{target}/rows")


def _declare_inputs(
    graph: Any,
    turned: Mapping[str, Place],
    constants: Mapping[str, Any],
    shapes: Mapping[str, list[int | None]],
) -> None:
    from onnx import helper, numpy_helper

    kept = [item for item in graph.input if item.name not in constants]
    for item in kept:
        if item.name in turned:
            sizes = ["batch" if size is None else size for size in shapes[item.name]]
            kind = item.type.tensor_type.elem_type
            item.CopyFrom(helper.make_tensor_value_info(item.name, kind, sizes))
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    del graph.input[:]
    graph.input.extend(kept)
