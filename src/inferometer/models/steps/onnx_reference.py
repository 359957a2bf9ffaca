"""What an ONNX file answers to rows, computed plainly: by ONNX Runtime on the CPU with graph optimisations off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inferometer.models.steps import checks, onnx_moving, onnxfile, tensors


def write(
    path: str, specs: Sequence[tensors.Spec], rows: checks.Rows, more: Callable[[int], checks.Rows], out: Path
) -> dict[str, Any]:
    """Write reference.npz, check.npz and what `checks` writes into ``out``; return checks, outputs and versions."""
    import numpy as np
    import onnxruntime

    loaded, batch = onnxfile.session(path), tensors.batch_of(specs)
    names = [item.name for item in loaded.get_outputs()]
    outputs = onnxfile.outputs(loaded, rows, batch)
    again = onnxfile.outputs(
        loaded, rows, batch
    )  # a model that differs from itself (random nodes) cannot be judged
    tensors.write_check(out, again)
    made = checks.Reference(rows, outputs, onnxfile.computing(loaded, batch), batch, more, _ways(path, batch))
    return {
        "checks": made.write(out),
        "outputs": tensors.output_specs(outputs, names, batch),
        "versions": {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
    }


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
