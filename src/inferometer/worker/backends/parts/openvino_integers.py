"""In which precision OpenVINO's heavy operators really run, read from the graph that it executes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from inferometer.worker.backends.parts.integers import Integers
from inferometer.worker.precisions import WEIGHTS

_HEAVY = ("Convolution", "GroupConvolution", "Deconvolution", "FullyConnected", "MatMul")
_COMPRESSED, _FLOATS = ("i8", "u8"), ("f32", "bf16", "f16")


def look(compiled: Any) -> Integers:
    """Return how many operators that multiply matrices run in each precision, by OpenVINO's names: u8, f32, bf16.

    Of floats with weights that were compressed, it names the weights' type: those are `WEIGHTS`.
    """
    heavy = [node for node in compiled.get_runtime_model().get_ops() if _told(node, "layerType") in _HEAVY]
    return Integers(Counter(map(_kind, heavy)))


def _kind(node: Any) -> str:
    runs_in = _told(node, "runtimePrecision")
    values = _told(node.input_value(0).get_node(), "outputPrecisions")
    return WEIGHTS if runs_in in _COMPRESSED and values in _FLOATS else runs_in


def _told(node: Any, what: str) -> str:
    return str(node.get_rt_info()[what].value)
