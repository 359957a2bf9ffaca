"""Environment `onnxrt`: run a converted ONNX file on the rows, to check the conversion.

Request: file, inputs (.npz, source layout), layout ("NCHW": transpose 4-D inputs), out (directory: check.npz).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.models.steps import onnxfile, tensors


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the file's specs; its outputs lie in ``out``/check.npz."""
    import numpy as np
    import onnxruntime

    loaded = onnxfile.session(request["file"])
    specs = onnxfile.input_specs(loaded, {})
    with np.load(request["inputs"], allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if request["layout"] == "NCHW":
        arrays = {name: tensors.to_channels_first(array) for name, array in arrays.items()}
    outputs = onnxfile.outputs(loaded, arrays, tensors.batch_of(specs))
    names = [item.name for item in loaded.get_outputs()]
    check = {f"output_{index}": array for index, array in enumerate(outputs)}
    tensors.write_npz(str(Path(request["out"]) / "check.npz"), check)
    return {
        "inputs": specs,
        "outputs": tensors.output_specs(outputs, names, tensors.batch_of(specs)),
        "versions": {"onnxruntime": onnxruntime.__version__},
    }
