"""What a LiteRT flatbuffer holds: of its operators with weights how many are in integers, with integer weights only, or in floats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

_PLACES = {  # operator -> places of its values and weights
    "CONV_2D": (0, 1), "DEPTHWISE_CONV_2D": (0, 1), "CONV_3D": (0, 1), "FULLY_CONNECTED": (0, 1), "BATCH_MATMUL": (0, 1),
    "TRANSPOSE_CONV": (2, 1), "UNIDIRECTIONAL_SEQUENCE_LSTM": (0, 2), "BIDIRECTIONAL_SEQUENCE_LSTM": (0, 2),
}  # fmt: skip
_TYPES = {
    "float32": "fp32",
    "float16": "fp16",
    "int8": "int8",
    "uint8": "int8",
    "int4": "int4",
    "int16": "int16",
}


def stored(interpreter: Any) -> dict[str, Any]:
    """Return `stored`, the coarsest precision inside ("" for fp32), and below fp32 `holds`: kind -> number of operators."""
    found = Counter(_kinds(interpreter))
    kept = {kind.partition("-")[0] for kind in found} | _outside(interpreter)
    coarsest = "int8" if kept & {"int8", "int4"} else "fp16" if "fp16" in kept else ""
    return {"stored": coarsest, **({"holds": found} if coarsest else {})}


def _outside(interpreter: Any) -> set[str]:
    """Return the precision of most tensors, for files whose operators are not among those counted."""
    kinds = Counter(
        np.dtype(item["dtype"]).name for item in interpreter.get_tensor_details() if len(item["shape"]) > 1
    )
    if kinds["int8"] + kinds["uint8"] > kinds["float32"]:
        return {"int8"}
    return {"fp16"} if kinds["float16"] else set()


def _kinds(interpreter: Any) -> Iterator[str]:
    operators = interpreter._get_ops_details()
    types = {item["index"]: _type(item) for item in interpreter.get_tensor_details()}
    makers = {index: operator for operator in operators for index in operator["outputs"]}
    given = {item["index"] for item in interpreter.get_input_details()}
    for operator in operators:
        if operator["op_name"] not in _PLACES:
            continue
        values, weights = (operator["inputs"][place] for place in _PLACES[operator["op_name"]])
        source = makers.get(weights)
        if source is not None and source["op_name"] == "DEQUANTIZE":
            weights = source["inputs"][0]
        if weights in makers or weights in given:
            continue  # a product of what was computed
        kind, other = types.get(weights, ""), types.get(values, "")
        yield _named(kind, other)


def _named(kind: str, other: str) -> str:
    """Return the kind of an operator by the types of its weights and of the values that it takes."""
    if kind in (other, "fp32"):
        return kind
    return f"{kind}-{other}" if other == "int16" else f"{kind}-weights"


def _type(item: Any) -> str:
    name = str(np.dtype(item["dtype"]).name)
    return _TYPES.get(name, name)
