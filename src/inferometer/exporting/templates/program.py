"""An exported program as a plain module, on any device and in any precision: a part of the templates for torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inferometer.exporting.templates.shared import DEVICE
from inferometer.worker.backends.parts.torch_program import module_of


def loaded(torch: Any, path: Path, dtype: Any) -> Any:
    """Return a program as a module of plain arguments, without the export's checks, weights in ``dtype``."""
    return module_of(torch, torch.export.load(path), torch.device(DEVICE), dtype)
