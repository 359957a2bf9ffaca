"""Environment `onnxrt`: what an ONNX file takes and which files it consists of.

Request: file (path), shapes, batch_axes, ranges, seed, inputs as in `onnx_source`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import onnx_taking, onnxfile


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return input specs and the names of external weight files."""
    path = Path(request["file"])
    file = onnxfile.read(str(path))
    external = onnxfile.external_files(file, path.parent)
    taken = onnx_taking.take(onnxfile.session(str(path)), file, request)
    return {"inputs": taken.specs, "external": external}
