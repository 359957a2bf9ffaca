"""In which types a flatbuffer's heavy operators compute: LiteRT runs the types that are written in the file."""

from __future__ import annotations

from collections import Counter
from typing import Any

from inferometer.worker.backends.parts.integers import Integers
from inferometer.worker.precisions import WEIGHTS

_HEAVY = ("BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def look(interpreter: Any) -> Integers:
    """Return how many operators that multiply matrices take each type, by numpy's names; empty where this version does not tell."""
    tell = getattr(interpreter, "_get_ops_details", None)
    if tell is None:
        return Integers(Counter())
    kinds = {item["index"]: item["dtype"].__name__ for item in interpreter.get_tensor_details()}
    heavy = (operator for operator in tell() if operator["op_name"] in _HEAVY)
    found = (_coarsest([kinds.get(index, "") for index in operator["inputs"]]) for operator in heavy)
    return Integers(Counter(found))


def _coarsest(kinds: list[str]) -> str:
    """Return the type of the values that an operator takes: of its data, not of its biases or shapes; floats with integer weights are quantised batch by batch."""
    if "float32" in kinds and {"int8", "uint8"} & set(kinds):
        return WEIGHTS
    return next((kind for kind in ("float32", "float16", "int16", "int8", "uint8") if kind in kinds), "other")
