"""A quantised program as a plain module, and what lets Inductor run it in integers: a part of the templates for torch."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from inferometer.exporting.templates.shared import DEVICE
from inferometer.worker.backends.parts.torch_program import module_of

INDUCTOR = True  # it is to know the patterns of quantised programs
_OPERATORS = ("torch.ao.quantization.fx._decomposed", "torchao.quantization.pt2e.quantize_pt2e")
_PATTERNS = "torchao.quantization.pt2e.quantizer.x86_inductor_quantizer"


def loaded(torch: Any, path: Path, dtype: Any) -> Any:
    """Return a program as a module of plain arguments; its operators and patterns are registered by imports."""
    own = _OPERATORS if DEVICE == "cpu" else _OPERATORS[:1]  # on a GPU it runs in float
    for name in (*own, _PATTERNS) if INDUCTOR else own:
        importlib.import_module(name)
    torch._inductor.config.freezing = INDUCTOR  # constants to fold weights by, before Dynamo traces
    return module_of(torch, torch.export.load(path), torch.device(DEVICE), dtype)
