"""What of a quantised ONNX file runs in 8-bit integers: the operators left after ONNX Runtime's optimisation."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.worker.backends.parts.integers import Integers

_HEAVY = (
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "FusedConv",
    "FusedGemm",
    "FusedMatMul",
    "NhwcConv",
    "Attention",
)
_INTEGER = (
    "QLinearConv", "QGemm", "QLinearMatMul", "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention", "QLinearConvTranspose",
)  # fmt: skip


@dataclass(frozen=True)
class Operators:
    """The operators that multiply matrices, by name: those in integers, and those left in floats."""

    integer: Counter[str]
    float: Counter[str]

    @property
    def integers(self) -> Integers:
        """Return them by type."""
        return Integers(Counter(int8=self.integer.total(), float32=self.float.total()))

    def facts(self) -> dict[str, Any]:
        """Return both by operator."""
        return {"integer": dict(self.integer), "float": dict(self.float)}


def place(cache: Path) -> Path:
    """Return where a session is to write its model once optimised, a file of this process."""
    cache.mkdir(parents=True, exist_ok=True)
    return cache / f"optimised-{os.getpid()}.onnx"


def look(path: Path) -> Operators:
    """Return the operators of the model that ONNX Runtime wrote to ``path`` once optimised, and delete it."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    path.unlink()
    kinds = Counter(node.op_type for node in model.graph.node)
    return Operators(
        Counter({kind: kinds[kind] for kind in _INTEGER if kinds[kind]}),
        Counter({kind: kinds[kind] for kind in _HEAVY if kinds[kind]}),
    )
