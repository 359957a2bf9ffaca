"""Measure which inference framework, precision and batch size serve a model best on this hardware.

Public names are loaded on first use, so that `import inferometer` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inferometer.api import Result, load, resume, run
    from inferometer.errors import InferometerError

__version__ = "0.1.0"

_LOCATIONS = {
    "InferometerError": "inferometer.errors",
    "Result": "inferometer.api",
    "load": "inferometer.api",
    "resume": "inferometer.api",
    "run": "inferometer.api",
}

__all__ = ["InferometerError", "Result", "__version__", "load", "resume", "run"]


def __getattr__(name: str) -> Any:
    if name in _LOCATIONS:
        return getattr(importlib.import_module(_LOCATIONS[name]), name)
    try:
        return importlib.import_module(f"inferometer.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"inferometer.{name}":
            raise
    raise AttributeError(f"module 'inferometer' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
