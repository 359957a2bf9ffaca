"""Environment `onnxrt`: the user's own ONNX model as it is measured, with data and reference outputs.

Request: file (path), external (its weight files beside it), shapes, batch_axes, ranges, seed, inputs (.npz or None), out
(directory: model.onnx and its weight files, inputs.npz, reference.npz, check.npz and what `checks` writes), more (.npz of
rows for checks only, or None). The reference is ONNX Runtime on the CPU with graph optimisations off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import (
    checks,
    drawn,
    given,
    onnx_branches,
    onnx_reference,
    onnx_taking,
    onnxfile,
    tensors,
)
from inferometer.models.steps.onnx_taken import Taken


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs, what was changed, and versions; the files lie in ``out``."""
    out, file = Path(request["out"]), onnxfile.read(request["file"])
    taken = onnx_taking.take(onnxfile.session(request["file"]), file, request)
    path = taken.write(request["file"], out, request["external"])
    sizes, specs = onnxfile.table_sizes(file), taken.specs
    asked = {**request, "ranges": taken.without_constants(request["ranges"])}
    rows = rows_of(taken, asked, sizes)
    tensors.write_npz(str(out / "inputs.npz"), rows)
    settled = onnx_branches.settle(path, specs, rows)
    return {
        **onnx_reference.write(path, specs, rows, checks.more_of(asked, specs, sizes), out),
        "drawn": drawn.words(asked, specs, sizes),
        **onnxfile.stored(file),
        "inputs": specs,
        "ragged": taken.ragged,
        "notes": [*taken.notes(), *onnx_branches.told(settled)],
    }


def rows_of(taken: Taken, request: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    """Return the user's own rows, arranged and checked, or generated ones."""
    if not request["inputs"]:
        return checks.rows_of(request, taken.specs, sizes)
    own = given.load(request["inputs"], list(taken.inputs))
    return tensors.check(request["inputs"], taken.specs, taken.arranged(own))
