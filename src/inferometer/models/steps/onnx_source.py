"""Environment `onnxrt`: the user's own ONNX model as it is measured, with data and reference outputs.

Request: file (path), external (its weight files beside it), shapes, batch_axes, ranges, seed, inputs (.npz or None), out
(directory: model.onnx and its weight files, inputs.npz, reference.npz, check.npz and what `checks` writes), more (.npz of
rows for checks only, or None). The reference is ONNX Runtime on the CPU with graph optimisations off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import checks, onnx_moving, onnx_taking, onnxfile, tensors
from inferometer.models.steps.onnx_taken import Taken


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs, what was changed, and versions; the files lie in ``out``."""
    import numpy as np
    import onnxruntime

    out, file = Path(request["out"]), onnxfile.read(request["file"])
    taken = onnx_taking.take(onnxfile.session(request["file"]), file, request)
    path = taken.write(request["file"], out, request["external"])
    loaded = onnxfile.session(path)
    sizes, specs = onnxfile.table_sizes(file), taken.specs
    asked = {**request, "ranges": taken.without_constants(request["ranges"])}
    arrays = _rows(taken, asked, sizes)
    batch = tensors.batch_of(specs)
    names = [item.name for item in loaded.get_outputs()]
    outputs = onnxfile.outputs(loaded, arrays, batch)
    again = onnxfile.outputs(
        loaded, arrays, batch
    )  # a model that differs from itself (random nodes) cannot be judged
    tensors.write_rows(out, arrays, outputs, again)
    made = checks.Reference(
        arrays, outputs, onnxfile.computing(loaded, batch), batch,
        checks.more_of(asked, specs, sizes), _ways(path, batch),
    )  # fmt: skip
    return {
        "checks": made.write(out),
        "stored": onnxfile.stored_precision(file),
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, names, batch),
        "ragged": taken.ragged,
        "notes": taken.notes(),
        "versions": {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
    }


def _rows(taken: Taken, request: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    if not request["inputs"]:
        return checks.rows_of(request, taken.specs, sizes)
    return tensors.check(request["inputs"], taken.specs, taken.arranged(tensors.load(request["inputs"])))


def _ways(path: str, batch: int | None) -> dict[str, checks.Compute]:
    """Return other ways to the reference: optimised, and with weights and inputs moved."""

    def moving(bits: int) -> checks.Compute:
        def compute(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
            session = onnxfile.session(path, onnx_moving.moved(path, bits))
            return onnxfile.computing(session, batch)(checks.moved_rows(arrays, bits), chunk)

        return compute

    def optimised(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
        return onnxfile.computing(onnxfile.session(path, optimised=True), batch)(arrays, chunk)

    return {"optimised": optimised, **{kind: moving(bits) for kind, bits in checks.BITS.items()}}
