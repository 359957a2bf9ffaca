"""Shared test set-up: parts that a machine may lack skip locally and fail in CI."""

from __future__ import annotations

import os

import pytest


def missing(reason: str) -> None:
    """Skip the calling test because a part is missing here; in CI that is a failure, since CI installs everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have every part: {reason}")
    pytest.skip(reason)
