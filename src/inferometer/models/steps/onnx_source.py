"""Environment `onnxrt`: data and reference outputs for the user's own ONNX model.

Request: file (path, its external data beside it), shapes, ranges, seed, inputs (.npz or None), out (directory:
inputs.npz, reference.npz, check.npz). The reference is ONNX Runtime on the CPU with graph optimisations off.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import onnxfile, tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return specs and versions; data and reference lie in ``out``."""
    import numpy as np
    import onnxruntime

    out = Path(request["out"])
    loaded = onnxfile.session(request["file"])
    specs = onnxfile.input_specs(loaded, request["shapes"])
    if request["inputs"]:
        arrays = tensors.read_npz(request["inputs"], specs)
    else:
        sizes = onnxfile.table_sizes(onnxfile.read(request["file"]))
        arrays = tensors.generate(specs, request["ranges"], request["seed"], sizes)
    batch = tensors.batch_of(specs)
    names = [item.name for item in loaded.get_outputs()]
    outputs = onnxfile.outputs(loaded, arrays, batch)
    again = onnxfile.outputs(
        loaded, arrays, batch
    )  # a model that differs from itself (random nodes) cannot be judged
    tensors.write_npz(str(out / "inputs.npz"), arrays)
    for file, found in (("reference.npz", outputs), ("check.npz", again)):
        tensors.write_npz(str(out / file), {f"output_{index}": array for index, array in enumerate(found)})
    return {
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, names, batch),
        "versions": {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
    }
