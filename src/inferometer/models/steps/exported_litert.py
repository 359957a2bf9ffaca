"""Environment `litert-torch`: a torch exported program as a LiteRT flatbuffer, fp32, by litert-torch.

Request as in `models.conversions`; `litert_outputs` runs what is made. litert-torch has no way for a batch that is free (its
operators of shapes stop at a size that is a symbol), so that the program is converted at two sizes and the batch opened after.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from inferometer.models.steps import litert_batch, tensors, torch_exporting


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the product's specs and the versions; the flatbuffer lies in ``out``/model.tflite."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["JAX_PLATFORMS"] = "cpu"
    import flatbuffers
    import torch
    from ai_edge_litert import schema_py_generated

    specs = request["specs"]
    batch = tensors.batch_of(specs)
    module = torch_exporting.flat(torch, torch.export.load(request["model"]).module())
    arrays = tensors.rows_of(request)
    made = [_converted(torch, module, arrays, size) for size in ((batch,) if batch else litert_batch.SIZES)]
    flatbuffer = made[0] if batch else litert_batch.free(schema_py_generated, flatbuffers, *made)
    (Path(request["out"]) / "model.tflite").write_bytes(flatbuffer)
    return {
        "inputs": [{**spec, "name": f"args_{place}"} for place, spec in enumerate(specs)],
        "outputs": [{**spec, "name": f"output_{place}"} for place, spec in enumerate(request["outputs"])],
        "versions": {"torch": torch.__version__, "litert-torch": metadata.version("litert-torch")},
    }


def _converted(torch: Any, module: Any, arrays: list[Any], rows: int) -> bytes:
    """Return the flatbuffer for so many rows; integers of 64 bits stay such, as the model's inputs are."""
    import litert_torch

    given = tuple(torch.from_numpy(torch_exporting.rows(array, rows)) for array in arrays)
    try:
        with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            return bytes(litert_torch.convert(module, given, enable_x64=True).model_content())
    except Exception as error:
        raise ValueError(f"litert-torch cannot convert it: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """Return the operator that it lacks, or at which it stopped, where it names one, and its error's first line."""
    text = str(error)
    if found := re.search(r"Lowering not found: ([\w.]+)", text):
        return f"it has no operator {found[1]}"
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    found = re.search(r"While executing .*target=torch\.ops\.([\w.]+)\]", text)
    return f"{f'operator {found[1]}: ' if found else ''}{type(error).__name__}: {lines[0][:200]}"
