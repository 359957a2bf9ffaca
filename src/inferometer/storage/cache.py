"""Where built things live between runs: environments, models, compiled code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

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


def open_log(path: Path) -> BinaryIO:
    """Open a log to append to, in a folder made if need be; OSError if it is a link, which may lead anywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o644), "ab")


def _users_own() -> str:
    try:
        return platformdirs.user_cache_dir("inferometer")
    except RuntimeError as error:  # neither HOME nor the user database says where
        raise StoreError(
            "this user has no home folder; set INFEROMETER_CACHE to a folder for the cache"
        ) from error
