"""The user's own exported programs and TorchScript files as modules that take tensors one by one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.models.steps import tensors
from inferometer.models.steps.torch_modules import Built


def exported(torch: Any, path: Path, shapes: Mapping[str, int]) -> Built:
    """Return an exported program (`.pt2`) with its inputs; ValueError (one line) if it is none."""
    try:
        program = torch.export.load(path)
    except Exception as error:
        raise ValueError(f"{path.name} is no exported program: {_line(error)}") from error
    tree, names = program.call_spec.in_spec, program.graph_signature.user_inputs
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    specs, dimensions = [], []
    for name in names:
        value = values.get(name)
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"input '{name}' of {path.name} is no tensor: inferometer feeds tensors only")
        specs.append({"name": name, "dtype": str(value.dtype).removeprefix("torch.")})
        dimensions.append([size if isinstance(size, int) else None for size in value.shape])
    module = program.module()

    class Unflattened(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.program = module

        def forward(self, *inputs: Any) -> Any:
            arguments, keywords = torch.utils._pytree.tree_unflatten(inputs, tree)
            return self.program(*arguments, **keywords)

    return Built(Unflattened(), tensors.bind(specs, dimensions, shapes))


def script(torch: Any, path: Path, inputs: str | None) -> Built:
    """Return a TorchScript file, converted; ``inputs``: .npz that shows what it takes, which the file does not say."""
    loaded = _load_script(torch, path)
    names = [item.name for item in loaded.forward.schema.arguments[1:]]
    if not inputs:
        raise ValueError(
            f"{path.name} does not say how large its inputs are: give --input FILE.npz with arrays {', '.join(names)}"
        )
    with np.load(inputs, allow_pickle=False) as file:
        absent = [name for name in names if name not in file.files]
        if absent:
            raise ValueError(
                f"{inputs} lacks {', '.join(absent)}; the script's inputs are {', '.join(names)}"
            )
        examples = tuple(torch.from_numpy(np.array(file[name][:2])) for name in names)
    from torch._export.converter import TS2EPConverter

    try:
        module = TS2EPConverter(loaded, examples, {}).convert().module(check_guards=False)
    except Exception as error:
        raise ValueError(f"torch cannot convert the script to an exported program: {_line(error)}") from error
    specs = [
        {"name": name, "shape": [None, *value.shape[1:]], "dtype": str(value.dtype).removeprefix("torch.")}
        for name, value in zip(names, examples)
    ]
    return Built(module, specs, examples=examples)


def _load_script(torch: Any, path: Path) -> Any:
    try:
        return torch.jit.load(path, map_location="cpu").eval()
    except Exception as error:
        raise ValueError(f"{path.name} cannot be loaded as TorchScript: {_line(error)}") from error


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
