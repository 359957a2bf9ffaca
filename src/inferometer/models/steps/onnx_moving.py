"""An ONNX file with its weights moved by a unit in the last place, to see how far its outputs differ from themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inferometer.models.steps import checks

LARGEST_BYTES = 1 << 30  # a message of protobuf holds 2 GiB
# inputs that say how large something is, or which function: moved by a unit it is another
_SIZES: Mapping[str, tuple[int, ...]] = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "NonMaxSuppression": (2, 3, 4),
    "Pad": (1,),
    "Pow": (1,),  # 2.0000002 is no power of a negative number
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Tile": (1,),
    "TopK": (1,),
    "Upsample": (1,),
}
# what sizes are computed by; a Shape among them ends the search
_ARITHMETIC = frozenset([
    "Add", "Cast", "Ceil", "Concat", "Constant", "Div", "Floor", "Gather", "Identity",
    "Max", "Min", "Mul", "Reshape", "Round", "Slice", "Squeeze", "Sub", "Unsqueeze",
])  # fmt: skip


def moved(path: str, bits: int) -> bytes | None:
    """Return the file with its float weights and scales moved by a unit in the last place (`checks.moved`).

    None where it is too large to be held as one message.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    if sum(tensor.ByteSize() for tensor in model.graph.initializer) > LARGEST_BYTES:
        return None
    sizes = size_tensors(model.graph)
    for place, tensor in enumerate(model.graph.initializer):
        if (
            tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
            and tensor.name not in sizes
        ):
            array = checks.moved(numpy_helper.to_array(tensor), bits, place)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    content: bytes = model.SerializeToString()
    return content


def size_tensors(graph: Any) -> set[str]:
    """Return the names of the tensors that sizes are, or are computed of."""
    makers = {name: node for node in graph.node for name in node.output}
    waiting = [
        node.input[place]
        for node in graph.node
        for place in _SIZES.get(node.op_type, ())
        if place < len(node.input)
    ]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        maker = makers.get(name)
        if maker is not None and maker.op_type in _ARITHMETIC:
            waiting.extend(maker.input)
    return found
