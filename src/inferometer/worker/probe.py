"""What an interpreter holds, told without importing any of it."""

from __future__ import annotations

import importlib.util
import platform
from importlib import metadata
from typing import Any


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return which of ``modules`` are missing, the interpreter's version and its distributions' versions."""
    missing = [name for name in request["modules"] if importlib.util.find_spec(name) is None]
    versions = {
        dist.metadata["Name"]: dist.version for dist in metadata.distributions() if dist.metadata["Name"]
    }
    return {"missing": missing, "python": platform.python_version(), "versions": versions}
