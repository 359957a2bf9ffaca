"""Environment `onnxrt`: what an ONNX file takes, how large it is, and which files it consists of.

Request: file (path), shapes, batch_axes, ranges, seed, inputs as in `onnx_source`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import onnx_size, onnx_source, onnx_taking, onnxfile, tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return input specs, `parameters`, `macs`, the file's own precision and the names of external weight files."""
    path = Path(request["file"])
    model = onnxfile.read(str(path))
    external = onnxfile.external_files(model, path)
    taken = onnx_taking.take(onnxfile.session(str(path)), model, request)
    asked = {**request, "ranges": taken.without_constants(request["ranges"])}
    onnx_source.rows_of(taken, asked, onnxfile.table_sizes(model))  # which raises where they do not fit
    size = onnx_size.size(model, taken.own_shapes(), tensors.batch_of(taken.specs))
    return {"inputs": taken.specs, "external": external, **size, **onnxfile.stored(model)}
