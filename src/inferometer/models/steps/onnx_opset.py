"""An ONNX model of a newer opset in the words of an older one, where they say the same: converters stop at some opset."""

from __future__ import annotations

from typing import Any

_AXES_WERE_ATTRIBUTES = frozenset(
    f"Reduce{kind}" for kind in ("Mean", "Max", "Min", "L1", "L2", "LogSum", "LogSumExp", "Prod", "SumSquare")
)
# attributes that came later, and the values at which they change nothing
_NEUTRAL: dict[str, dict[str, Any]] = {
    "Resize": {"antialias": 0, "keep_aspect_ratio_policy": b"stretch"},
    "Split": {"num_outputs": None},  # equal parts are what no sizes mean
    "Reshape": {"allowzero": None},  # which tells sizes of 0 apart: there are none
    "Cast": {"saturate": 1, "round_mode": b"up"},
    "AveragePool": {"dilations": None},
}


def lowered(model: Any, opset: int) -> Any:
    """Return the model at ``opset`` (17 or above), changed in place; as it is where it is no newer.

    Operators whose newer form says something else keep it, and the converter will refuse them or differ.
    """
    import onnx

    main = next((item for item in model.opset_import if item.domain in ("", "ai.onnx")), None)
    if main is None or main.version <= opset:
        return model
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _AXES_WERE_ATTRIBUTES and len(node.input) == 2 and node.input[1] in constants:
            axes = onnx.numpy_helper.to_array(constants[node.input[1]]).tolist()
            del node.input[1]
            node.attribute.append(onnx.helper.make_attribute("axes", axes))
        _drop_neutral(onnx, node)
    main.version = opset
    return model


def with_initializers(model: Any) -> Any:
    """Return the model with its Constant nodes as initializers, changed in place: converters look for weights there."""
    from onnx import numpy_helper

    kept = []
    for node in model.graph.node:
        values = (
            [item.t for item in node.attribute if item.name == "value"] if node.op_type == "Constant" else []
        )
        if not values:
            kept.append(node)
            continue
        tensor = numpy_helper.from_array(numpy_helper.to_array(values[0]), node.output[0])
        model.graph.initializer.append(tensor)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


def _drop_neutral(onnx: Any, node: Any) -> None:
    neutral = _NEUTRAL.get(node.op_type, {})
    kept = [
        attribute
        for attribute in node.attribute
        if attribute.name not in neutral
        or neutral[attribute.name] not in (None, onnx.helper.get_attribute_value(attribute))
    ]
    del node.attribute[:]
    node.attribute.extend(kept)
