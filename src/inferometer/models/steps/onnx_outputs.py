"""Environment `onnxrt`: run a converted ONNX file on the rows, to check the conversion.

Request as in `models.conversions`, of the file that was made.
"""

from __future__ import annotations

from typing import Any

from inferometer.models.steps import onnxfile, tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the file's specs; its outputs lie in ``out``/check.npz."""
    import onnxruntime

    loaded = onnxfile.session(request["model"])
    specs = onnxfile.input_specs(loaded)
    arrays = dict(zip((spec["name"] for spec in specs), tensors.rows_of(request), strict=True))
    outputs = onnxfile.outputs(loaded, arrays, tensors.batch_of(specs))
    names = [item.name for item in loaded.get_outputs()]
    tensors.write_check(request["out"], outputs)
    return {
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, names, tensors.batch_of(specs)),
        "versions": {"onnxruntime": onnxruntime.__version__},
    }
