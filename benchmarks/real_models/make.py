"""Makes a file of another kind from a real one, by the tools of the framework that it is for; runs in its environment.

    python make.py fp16|qdq|keras|torchscript SOURCE TARGET

`fp16` and `qdq` are ONNX Runtime's own converters; `qdq` is calibrated on seeded normal rows, so its accuracy says nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def fp16(source: str, target: str) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source)), target)


def qdq(source: str, target: str) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = _rows(source)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.rows, None)

    # weights of seven bits: sums of two products in 16 bits cannot overflow on processors without VNNI
    quantize_static(
        source,
        target,
        Rows(),
        quant_format=QuantFormat.QDQ,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        per_channel=True,
        reduce_range=True,
    )


def _rows(source: str) -> Iterator[dict[str, Any]]:
    """Return eight seeded rows of the model's only input, whose open dimensions are its batch."""
    import numpy as np
    import onnxruntime

    taken = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"]).get_inputs()[0]
    random = np.random.default_rng(0)
    for _ in range(8):
        shape = [size if isinstance(size, int) else 1 for size in taken.shape]
        yield {taken.name: random.normal(size=shape).astype(np.float32)}


def keras(source: str, target: str) -> None:
    import keras as package

    package.saving.load_model(source, compile=False).save(target)


def torchscript(source: str, target: str) -> None:
    """Trace EfficientNet-Lite0 with the weights of ``source``; factories.py lies beside its package."""
    import torch

    sys.path.insert(0, str(Path(source).parents[2]))
    from factories import efficientnet_lite0

    module, example = efficientnet_lite0()
    module.load_state_dict(torch.load(source, weights_only=True))
    torch.jit.trace(module.eval(), example).save(target)


if __name__ == "__main__":
    kind, given, made = sys.argv[1:]
    {"fp16": fp16, "qdq": qdq, "keras": keras, "torchscript": torchscript}[kind](given, made)
