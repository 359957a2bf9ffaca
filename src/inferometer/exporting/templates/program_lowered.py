"""An exported program as a plain module in a lower precision: a part of the templates for torch."""

from __future__ import annotations

from typing import Any

from inferometer.worker.backends.parts.torch_program import module_of


def plain(torch: Any, program: Any, dtype: Any) -> Any:
    """Return a program as a module of plain arguments, without the export's checks, weights in ``dtype``."""
    return module_of(torch, program, torch.device("cpu"), dtype)
