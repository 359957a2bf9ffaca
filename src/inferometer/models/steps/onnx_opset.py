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


def plainly_sized(model: Any) -> Any:
    """Return the model, changed in place, without what only says that a size is as it is otherwise.

    That is Reshape's attribute that tells sizes of 0 apart, since there are none, and Resize's empty operands: torch cannot
    save a program that holds several empty tensors.
    """
    empty = {tensor.name for tensor in model.graph.initializer if 0 in tensor.dims}
    for node in model.graph.node:
        if node.op_type == "Reshape":
            kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)
        if node.op_type == "Resize":
            for place, name in enumerate(node.input):
                node.input[place] = "" if name in empty else name
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


def with_ranks(model: Any) -> Any:
    """Return the model, changed in place, with a shape of open sizes for convolutions of which inference knows none."""
    from onnx import helper

    known = {item.name: item for item in model.graph.value_info}
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        found = known.get(node.output[0])
        told = found is not None and found.type.tensor_type.HasField("shape")
        if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in ranks and not told:
            if found is not None:
                model.graph.value_info.remove(found)
            kind = found.type.tensor_type.elem_type if found is not None else 1
            sizes = [None] * ranks[node.input[1]]
            model.graph.value_info.append(helper.make_tensor_value_info(node.output[0], kind, sizes))
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
