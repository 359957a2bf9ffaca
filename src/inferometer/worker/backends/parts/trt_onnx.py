"""An ONNX graph in half precision, for builders that take precision from the graph alone (strongly typed networks).

Weights, constants and casts become fp16 or bf16; the model's inputs and outputs keep their types behind one cast each,
so that a caller sees no difference. What ONNX defines in fp32 only (the scales of Resize, ...) stays fp32.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inferometer.worker.failures import Unsupported

# operator -> inputs that must stay float32 whatever the data's type (ONNX operator specifications)
_FP32_INPUTS = {"Resize": (1, 2), "Upsample": (1,), "NonMaxSuppression": (0, 1, 3, 4)}
_NO_BF16 = (
    "HardSwish",
    "HardSigmoid",
)  # TensorRT's parser refuses bf16 there: they compute in fp32, between casts
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")


def to_half(path: Path, precision: str) -> bytes:
    """Return the model at ``path`` serialised in fp16 or bf16; Unsupported where a weight does not fit the range."""
    import onnx

    model = onnx.load(path)
    target = {"fp16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}[precision]
    _Halver(onnx, target).convert(model.graph)
    serialised: bytes = model.SerializeToString()
    return serialised


def is_quantized(path: Path) -> bool:
    """Return whether the model's precision is in QuantizeLinear and DequantizeLinear nodes."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    return any(node.op_type in _QUANTIZERS for node in model.graph.node)


def weight_files(path: Path) -> list[Path]:
    """Return the files beside ``path`` that its model keeps tensors in, by the names that it gives (ONNX external data)."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        return []  # no model, which its builder will say in words of its own
    bodies = (model.graph.node, *(function.node for function in model.functions))
    tensors = [*_initializers(model.graph), *(tensor for nodes in bodies for tensor in _constants(nodes))]
    names = {
        entry.value
        for tensor in tensors
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return sorted(path.parent / name for name in names)


def _initializers(graph: Any) -> list[Any]:
    sparse = (part for tensor in graph.sparse_initializer for part in (tensor.values, tensor.indices))
    return [*graph.initializer, *sparse]


def _constants(nodes: Any) -> Iterator[Any]:
    """Yield the tensors in attributes, and all of the graphs inside."""
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
        yield from (
            part
            for tensor in [*sparse, *attribute.sparse_tensors]
            for part in (tensor.values, tensor.indices)
        )
        yield from [attribute.t] if attribute.HasField("t") else []
        yield from attribute.tensors
        for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            yield from _initializers(graph)
            yield from _constants(graph.node)


class _Halver:
    """Rewrites one model in place."""

    def __init__(self, onnx: Any, target: int) -> None:
        self._onnx = onnx
        self._target = target
        self._float = onnx.TensorProto.FLOAT

    def convert(self, graph: Any) -> None:
        """Convert the main graph and put casts at its edges."""
        inner_inputs = self._inner_names(graph.input)
        inner_outputs = self._inner_names(graph.output)
        self._convert_body(graph, self._fp32_names(graph))
        renamed = {**inner_inputs, **inner_outputs}
        for node in graph.node:
            _rename(node.input, renamed)
            _rename(node.output, renamed)
        before = [self._cast(name, inner, self._target) for name, inner in inner_inputs.items()]
        after = [self._cast(inner, name, self._float) for name, inner in inner_outputs.items()]
        nodes = [*before, *self._with_fp32_islands(graph.node), *after]
        del graph.node[:]
        graph.node.extend(nodes)

    def _inner_names(self, values: Any) -> dict[str, str]:
        """Return, for each float input or output of the model, the name that its half-precision twin gets."""
        return {v.name: f"{v.name}__half" for v in values if v.type.tensor_type.elem_type == self._float}

    def _cast(self, source: str, result: str, kind: int) -> Any:
        return self._onnx.helper.make_node("Cast", [source], [result], f"cast_{result}", to=kind)

    def _with_fp32_islands(self, nodes: Any) -> list[Any]:
        """Return the nodes, those that bf16 is refused for between casts to fp32 and back."""
        if self._target != self._onnx.TensorProto.BFLOAT16:
            return list(nodes)
        found: list[Any] = []
        for node in nodes:
            if node.op_type not in _NO_BF16:
                found.append(node)
                continue
            source, result = node.input[0], node.output[0]
            node.input[0], node.output[0] = f"{result}__fp32_in", f"{result}__fp32_out"
            found += [
                self._cast(source, node.input[0], self._float),
                node,
                self._cast(node.output[0], result, self._target),
            ]
        return found

    def _fp32_names(self, graph: Any) -> set[str]:
        return {
            node.input[index]
            for node in graph.node
            for index in _FP32_INPUTS.get(node.op_type, ())
            if index < len(node.input)
        }

    def _convert_body(self, graph: Any, kept: set[str]) -> None:
        del graph.value_info[:]  # names types that no longer hold
        for tensor in graph.initializer:
            if tensor.name not in kept:
                self._convert_tensor(tensor)
        for node in graph.node:
            if not set(node.output) & kept:
                for attribute in node.attribute:
                    self._convert_attribute(node, attribute)

    def _convert_attribute(self, node: Any, attribute: Any) -> None:
        if attribute.HasField("t"):
            self._convert_tensor(attribute.t)
        elif attribute.HasField("g"):
            self._convert_body(attribute.g, self._fp32_names(attribute.g))
            for value in (*attribute.g.input, *attribute.g.output):
                if value.type.tensor_type.elem_type == self._float:
                    value.type.tensor_type.elem_type = self._target
        elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == self._float:
            attribute.i = self._target

    def _convert_tensor(self, tensor: Any) -> None:
        if tensor.data_type != self._float:
            return
        import numpy as np

        values = self._onnx.numpy_helper.to_array(tensor)
        if self._target == self._onnx.TensorProto.FLOAT16:
            halved = values.astype(np.float16)
        else:
            import ml_dtypes

            halved = values.astype(ml_dtypes.bfloat16)
        if np.isfinite(values).all() and not np.isfinite(halved.astype(np.float32)).all():
            halved = _saturated(np, values, tensor.name)
        tensor.CopyFrom(self._onnx.numpy_helper.from_array(halved, tensor.name))


def _saturated(np: Any, values: Any, name: str) -> Any:
    """Return values outside fp16's range at its ends, which is right for bounds (Clip, masks) but not for weights."""
    if values.size > 1:
        raise Unsupported(f"weight '{name}' holds {float(np.abs(values).max()):g}, beyond fp16's 65504")
    return np.clip(values, -65504, 65504).astype(np.float16)


def _rename(names: Any, renamed: dict[str, str]) -> None:
    for index, name in enumerate(names):
        if name in renamed:
            names[index] = renamed[name]
