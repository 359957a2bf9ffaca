"""Measure which inference framework, precision and batch size serve a model best on this hardware.

Public names are loaded on first use, so that `import inferometer` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from inferometer.version import __version__

if TYPE_CHECKING:
    from inferometer.api import Result, load, resume, run
    from inferometer.errors import InferometerError

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
    raise AttributeError(f"module 'inferometer' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
