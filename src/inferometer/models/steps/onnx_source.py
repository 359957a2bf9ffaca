"""Environment `onnxrt`: data and reference outputs for the user's own ONNX model.

Request: file (path, its external data beside it), shapes, ranges, seed, inputs (.npz or None), out (directory:
inputs.npz, reference.npz, check.npz and what `checks` writes), more (.npz of rows for checks only, or None). The reference is ONNX Runtime on the CPU with graph optimisations off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import checks, onnxfile, tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs and versions; data and reference lie in ``out``."""
    import numpy as np
    import onnxruntime

    out = Path(request["out"])
    loaded = onnxfile.session(request["file"])
    specs = onnxfile.input_specs(loaded, request["shapes"])
    file = onnxfile.read(request["file"])
    sizes = onnxfile.table_sizes(file)
    arrays = checks.rows_of(request, specs, sizes)
    batch = tensors.batch_of(specs)
    names = [item.name for item in loaded.get_outputs()]
    outputs = onnxfile.outputs(loaded, arrays, batch)
    again = onnxfile.outputs(
        loaded, arrays, batch
    )  # a model that differs from itself (random nodes) cannot be judged
    tensors.write_rows(out, arrays, outputs, again)
    made = checks.Reference(
        arrays, outputs, onnxfile.computing(loaded, batch), batch,
        checks.more_of(request, specs, sizes), _ways(request["file"], batch),
    )  # fmt: skip
    return {
        "checks": made.write(out),
        "stored": onnxfile.stored_precision(file),
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, names, batch),
        "versions": {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
    }


def _ways(path: str, batch: int | None) -> dict[str, checks.Compute]:
    """Return other ways to the reference: optimised, and with weights and inputs moved."""

    def moving(bits: int) -> checks.Compute:
        def compute(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
            session = onnxfile.session(path, onnxfile.moved(path, bits))
            return onnxfile.computing(session, batch)(checks.moved_rows(arrays, bits), chunk)

        return compute

    def optimised(arrays: dict[str, Any], chunk: int | None) -> list[Any]:
        return onnxfile.computing(onnxfile.session(path, optimised=True), batch)(arrays, chunk)

    return {"optimised": optimised, **{kind: moving(bits) for kind, bits in checks.BITS.items()}}
