"""Where built things live between runs: environments, models, compiled code."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from inferometer.errors import StoreError


def cache_folder(*parts: str) -> Path:
    """Return a folder of the user's cache (INFEROMETER_CACHE replaces its root), made if need be."""
    folder = Path(os.environ.get("INFEROMETER_CACHE") or _users_own(), *parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot write the cache {folder}: {error.strerror}; set INFEROMETER_CACHE to another folder"
        ) from error
    return folder


def _users_own() -> str:
    try:
        return platformdirs.user_cache_dir("inferometer")
    except RuntimeError as error:  # neither HOME nor the user database says where
        raise StoreError(
            "this user has no home folder; set INFEROMETER_CACHE to a folder for the cache"
        ) from error
