"""Converts the files of onnx_operator_files.py and prints how far each answers from ONNX Runtime; in the torch-models environment.

`python onnx2torch_script.py PACKAGE FOLDER`: of the package inferometer, which is not installed there. Prints {NAME: error or
refusal}; the module is run as it is and as an exported program.
"""

import io
import json
import sys
import types
from pathlib import Path

import numpy as np
import torch


def steps(package):
    for name, path in (("inferometer", package), ("inferometer.models", package / "models")):
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        sys.modules[name] = module
    from inferometer.models.steps import onnx_exported, torch_exporting

    return onnx_exported._converted, torch_exporting


def error(found, wanted):
    """Return the largest error over the largest value, infinity where shape or type differ or one lacks a value."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return float("inf")
    one, other = found.astype("float64"), wanted.astype("float64")
    return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-9))


def answers(module, inputs):
    with torch.no_grad():
        found = module(*inputs)
    return [item.numpy() for item in (found if isinstance(found, (tuple, list)) else [found])]


def told(converted, torch_exporting, path):
    try:
        module = torch_exporting.flat(torch, converted(torch, str(path), []))
    except ValueError as refusal:
        return str(refusal)
    with np.load(path.with_suffix(".npz")) as file:
        arrays = {name: file[name] for name in file.files}
    inputs = tuple(
        torch.from_numpy(array) for name, array in arrays.items() if not name.startswith("output ")
    )
    wanted = [array for name, array in arrays.items() if name.startswith("output ")]
    try:
        free = (
            ({0: torch.export.Dim("batch", min=1)},) * len(inputs) if path.stem.startswith("free") else None
        )
        program = torch.export.export(module, inputs, dynamic_shapes=free and (free,), strict=False)
        torch.export.save(program, io.BytesIO())
        exported = program.module()
    except Exception as refusal:
        return f"torch refuses it: {' '.join(str(refusal).split())[:300]}"
    found = [*answers(module, inputs), *answers(exported, inputs)]
    if len(found) != 2 * len(wanted):
        return f"{len(found)} outputs, not {len(wanted)} twice"
    return max(error(one, other) for one, other in zip(found, wanted * 2, strict=True))


def main(package, folder):
    converted, exporting = steps(package)

    print(json.dumps({path.stem: told(converted, exporting, path) for path in sorted(folder.glob("*.onnx"))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
