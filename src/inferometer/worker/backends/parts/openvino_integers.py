"""In which precision OpenVINO's heavy operators really run, read from the graph that it executes."""

from __future__ import annotations

from collections import Counter
from typing import Any

_HEAVY = ("Convolution", "GroupConvolution", "Deconvolution", "FullyConnected", "MatMul")
_INTEGERS = ("i8", "u8", "i4", "u4")


def precisions(compiled: Any) -> Counter[str]:
    """Return how many operators that multiply matrices run in each precision, by OpenVINO's names: u8, f32, bf16."""
    infos = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    return Counter(str(info["runtimePrecision"].value) for info in infos if info["layerType"].value in _HEAVY)


def integers(found: Counter[str]) -> int:
    """Return how many of them run in integers."""
    return sum(count for name, count in found.items() if name in _INTEGERS)
