"""Files and renames that a power cut does not undo."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def written(target: Path, temporary: Path | None = None) -> Iterator[BinaryIO]:
    """Yield a file that becomes ``target`` whole or not at all, and stays; OSError if it cannot be written, of which nothing is left.

    ``temporary``: where it lies until then, by default ``target`` with the suffix .tmp.
    """
    partial = temporary or target.with_suffix(".tmp")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        replace_durably(partial, target)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


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
