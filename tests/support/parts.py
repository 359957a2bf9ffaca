"""Parts that a machine may lack: their tests skip locally and fail in CI.

Import from here rather than from `conftest`, a name that folders below share.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import pytest


def missing(reason: str) -> None:
    """Skip the calling test because a part is missing here; in CI that is a failure, since CI installs everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have every part: {reason}")
    pytest.skip(reason)


def needed(module: str) -> Any:
    """Return a module that a file's tests drive; without it they are all skipped here, and fail in CI."""
    return importlib.import_module(module) if os.environ.get("CI") == "true" else pytest.importorskip(module)
