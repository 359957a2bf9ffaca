"""Environment `onnxrt`: what an ONNX file takes and which files it consists of.

Request: file (path), shapes (symbolic dimension -> size).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import onnxfile


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return input specs and the names of external weight files."""
    path = Path(request["file"])
    external = onnxfile.external_files(onnxfile.read(str(path)), path.parent)
    return {
        "inputs": onnxfile.input_specs(onnxfile.session(str(path)), request["shapes"]),
        "external": external,
    }
