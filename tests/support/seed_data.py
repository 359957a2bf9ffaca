"""Where the report's published data lies; tests that want it skip where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def seed() -> Path:
    """Return the seed directory (INFEROMETER_SEED, or shared/seed beside the checkout) or skip."""
    given = os.environ.get("INFEROMETER_SEED")
    candidates = (
        [Path(given)] if given else [parent / "shared/seed" for parent in Path(__file__).resolve().parents]
    )
    for path in candidates:
        if (path / "throughput.csv").exists():
            return path
    pytest.skip("the report's published data is not here: set INFEROMETER_SEED")
