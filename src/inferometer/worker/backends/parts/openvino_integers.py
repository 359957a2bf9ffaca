"""In which precision OpenVINO's heavy operators really run, read from the graph that it executes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from inferometer.worker.backends.parts.integers import Integers

_HEAVY = ("Convolution", "GroupConvolution", "Deconvolution", "FullyConnected", "MatMul")


def look(compiled: Any) -> Integers:
    """Return how many operators that multiply matrices run in each precision, by OpenVINO's names: u8, f32, bf16."""
    infos = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    heavy = (str(info["runtimePrecision"].value) for info in infos if info["layerType"].value in _HEAVY)
    return Integers(Counter(heavy))
