"""Environment `torch`: an exported program as an ONNX file.

Request as in `models.conversions`; `onnx_outputs` runs what is made.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from inferometer.models.steps import torch_quantised

OPSET = 20
LARGEST_INLINE_BYTES = 1_500_000_000  # protobuf's limit is 2 GiB


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the versions; the file lies in ``out``/model.onnx, very large weights beside it."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import onnx
    import onnxscript
    import torch

    target = Path(request["out"]) / "model.onnx"
    torch_quantised.register()
    program = torch.export.load(request["model"])
    try:
        converted = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=[spec["name"] for spec in request["specs"]],
            output_names=[spec["name"] for spec in request["outputs"]],
            verbose=False,
        )
    except Exception as error:
        raise ValueError(f"torch.onnx cannot convert it: {_cause(error)}") from error
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


def _cause(error: BaseException) -> str:
    """Return the operator at which torch.onnx stopped, where one of its chain of errors names it, and why in one line."""
    at = ""
    while True:
        text = " ".join(str(error).split())
        if found := re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", text):
            return f"it has no operator {found[1]}"
        if found := re.search(r"target=torch\.ops\.([\w.]+)\]", text):
            at = f"operator {found[1]}: "
        if error.__cause__ is None:
            return f"{at}{type(error).__name__}: {text[:200]}"
        error = error.__cause__
