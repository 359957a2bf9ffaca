"""Where built things live between runs: environments, models, compiled code."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from inferometer.errors import StoreError


def cache_folder(*parts: str) -> Path:
    """Return a folder of the user's cache (INFEROMETER_CACHE replaces its root), made if need be."""
    root = os.environ.get("INFEROMETER_CACHE") or platformdirs.user_cache_dir("inferometer")
    folder = Path(root, *parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot write the cache {folder}: {error.strerror}; set INFEROMETER_CACHE to another folder"
        ) from error
    return folder
