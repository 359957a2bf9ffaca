"""Renames that a power cut does not undo."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace_durably(temporary: Path, target: Path) -> None:
    """Give a file or folder, whose content is on disk, its name, for good; OSError if it cannot be renamed."""
    temporary.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk, as far as its file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
