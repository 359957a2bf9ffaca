"""Files of the user's that the cache keeps: brought by a fleet or a bundle, or written for a model given in Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from inferometer.storage.build import is_partial

SENT, BUNDLED = "fleet-files", "bundled"  # folders of the cache: what a fleet sent, what a bundle brought


@dataclass(frozen=True)
class Kept:
    """A file or folder of the cache as it lies there."""

    path: Path
    size_bytes: int
    used_at: float  # seconds since the epoch

    @property
    def holds(self) -> str:
        """Return the names of what a folder has in it."""
        return ", ".join(sorted(path.name for path in self.path.iterdir()))


def kept_in(root: Path, *, reading_counts: bool = False) -> list[Kept]:
    """Return the folders below one, without those that are being made.

    ``reading_counts``: whether a file that was read was used, which file systems tell to the day; else what was written.
    """
    folders = sorted(root.iterdir()) if root.is_dir() else []
    found = [path for path in folders if path.is_dir() and not is_partial(path)]
    return [kept_at(path, reading_counts=reading_counts) for path in found]


def kept_at(path: Path, *, reading_counts: bool = False) -> Kept:
    """Return what a file or folder takes, also one that others write into meanwhile."""
    own = path.stat()
    found = [each for each in map(_looks, path.rglob("*")) if each] if path.is_dir() else [own]
    times = [own.st_mtime, *(each.st_mtime for each in found)]
    times += [each.st_atime for each in found] if reading_counts else []
    return Kept(path, sum(each.st_size for each in found), max(times))


def _looks(path: Path) -> os.stat_result | None:
    """Return what a file is, None for a folder and for what has just gone."""
    try:
        return path.lstat() if not path.is_dir() else None
    except OSError:
        return None
