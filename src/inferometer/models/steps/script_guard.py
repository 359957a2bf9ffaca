"""TorchScript files of strangers: what their code calls, found before any of it runs (`__setstate__` runs on loading)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_OPERATOR = re.compile(r"\bops\s*\.\s*(\w+)\s*\.\s*(\w+)")
_KNOWN = {"aten", "prim", "prims", "quantized", "mkldnn_prepacked", "torchvision"}
_OUTSIDE = re.compile(r"\b(save|from_file|_print|rpc_\w+|(?:Ignored)?PythonOp)\b")


def check(torch: Any, path: Path, trust: bool) -> None:
    """Raise ValueError (one line) for a custom operator, and without ``trust`` for code that touches files or the network."""
    try:  # as torch.jit.load reads, since two readers may see two things in one archive
        archive = torch._C.PyTorchFileReader(str(path))
        names = archive.get_all_records()
        code = "\n".join(archive.get_record(name).decode("utf-8") for name in names if name.endswith(".py"))
    except (RuntimeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path.name} is no TorchScript file: {' '.join(str(error).split())[:200]}"
        ) from error
    for space, name in _OPERATOR.findall(code):
        if space not in _KNOWN:
            raise ValueError(
                f"{path.name} needs the custom operator {space}::{name}, which PyTorch's own installation lacks"
            )
    if any(space == "torchvision" for space, _ in _OPERATOR.findall(code)):
        import torchvision  # noqa: F401  (registers its operators)
    if trust:
        return
    if "model.json" in names:
        raise ValueError(f"{path.name} was saved before PyTorch 1.4; give --trust-model if you trust it")
    if found := _OUTSIDE.search(code):
        raise ValueError(
            f"{path.name} has code that reaches beyond its tensors ({found[1]}); give --trust-model if you trust it"
        )
