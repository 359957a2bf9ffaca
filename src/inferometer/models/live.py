"""A model that lives in the caller's process, as a file that the project's environments read.

No code of the caller's leaves the process: a PyTorch module is exported by the caller's own torch, a Keras model saved by the
caller's own Keras, neither of which the core imports.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.errors import UsageError
from inferometer.models.artifact_cache import hash_file
from inferometer.models.steps import torch_exporting
from inferometer.models.steps.tensors import write_npz
from inferometer.models.steps.torch_modules import Built, with_examples


def saved(model: Any, example_inputs: Any, folder: Path) -> Path:
    """Return the file below ``folder`` that a torch.nn.Module or a Keras model was written to, the same for equal content.

    ``example_inputs``: what a module takes: a tensor, a sequence of tensors, or a dictionary of them by name, the batch
    first. UsageError for any other object, and for a module that torch.export refuses.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if _is(model, "torch", "nn", "Module"):
            written = _exported(model, example_inputs, Path(scratch))
        elif _is(model, "keras", "Model"):
            written = Path(scratch) / f"{model.name}.keras"
            model.save(written)
        else:
            raise UsageError(
                f"cannot measure a {type(model).__name__}; give a torch.nn.Module, a Keras model, a file or a name"
            )
        target = folder / hash_file(written)[:16] / written.name
        target.parent.mkdir(exist_ok=True)
        return written.replace(target)


def saved_rows(inputs: Any, folder: Path) -> Path:
    """Return the file below ``folder`` that arrays by input, or one array, were written to, the same for equal content."""
    several = isinstance(inputs, Mapping)
    arrays = {name: _array(name, value) for name, value in (inputs if several else {"": inputs}).items()}
    if not arrays:
        raise UsageError("inputs are empty; give an array for each input of the model, or leave them out")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        written = Path(scratch) / f"inputs.{'npz' if several else 'npy'}"
        if several:
            write_npz(str(written), arrays)
        else:
            np.save(written, arrays[""])
        target = folder / hash_file(written)[:16] / written.name
        target.parent.mkdir(exist_ok=True)
        return written.replace(target)


def _array(name: str, value: Any) -> Any:
    told = f"inputs: '{name}'" if name else "inputs:"
    try:
        array = np.ascontiguousarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # torch's tensors on a GPU, or with a gradient
        raise UsageError(f"{told} is no array of numbers: {' '.join(str(error).split())[:200]}") from error
    if array.dtype.kind not in "fiub":
        raise UsageError(f"{told} a {type(value).__name__} of {array.dtype} is no array of numbers")
    return array


def _is(model: Any, package: str, *names: str) -> bool:
    """Return whether an object is of a class of a package that the caller has imported."""
    kind: Any = sys.modules.get(package)
    for name in names:
        kind = getattr(kind, name, None)
    return isinstance(kind, type) and isinstance(model, kind)


def _exported(module: Any, example_inputs: Any, folder: Path) -> Path:
    torch = sys.modules["torch"]
    if example_inputs is None:
        raise UsageError(
            "a PyTorch module does not say what it takes: give example_inputs=tensor, with the batch first"
        )
    target = folder / f"{type(module).__name__}.pt2"
    try:
        built = with_examples(torch, copy.deepcopy(module).cpu(), _on_cpu(torch, example_inputs))
        torch.export.save(_program(torch, built), target)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return target


def _program(torch: Any, built: Built) -> Any:
    """Return the exported program, for any batch; for batches as large as the examples' where that is refused."""
    flat = torch_exporting.flat(torch, built.module, built.keywords or None)
    rows = [example.detach() for example in built.examples]
    try:
        return torch_exporting.export(torch, flat, rows, None)
    except ValueError:
        return torch_exporting.export(torch, flat, rows, len(rows[0]))


def _on_cpu(torch: Any, inputs: Any) -> Any:
    if isinstance(inputs, torch.Tensor):
        return inputs.cpu()
    if isinstance(inputs, dict):
        return {name: _on_cpu(torch, value) for name, value in inputs.items()}
    return tuple(_on_cpu(torch, value) for value in inputs) if isinstance(inputs, (tuple, list)) else inputs
