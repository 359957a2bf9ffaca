"""Environment `torch`: an exported program as an ONNX file.

Request as in `models.conversions`; `onnx_outputs` runs what is made.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

OPSET = 20
LARGEST_INLINE_BYTES = 1_500_000_000  # protobuf's limit is 2 GiB


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the versions; the file lies in ``out``/model.onnx, very large weights beside it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import onnx
    import onnxscript
    import torch

    target = Path(request["out"]) / "model.onnx"
    program = torch.export.load(request["model"])
    converted = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=OPSET,
        input_names=[spec["name"] for spec in request["specs"]],
        output_names=[spec["name"] for spec in request["outputs"]],
        verbose=False,
    )
    inline = Path(request["model"]).stat().st_size < LARGEST_INLINE_BYTES
    converted.save(target, external_data=not inline)
    return {
        "versions": {
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxscript": onnxscript.__version__,
        },
        "opset": OPSET,
    }
