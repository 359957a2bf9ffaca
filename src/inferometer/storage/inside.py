"""Files that a run's records name, which may be a stranger's: none leads out of the run."""

from __future__ import annotations

from pathlib import Path

from inferometer.errors import StoreError


def inside(folder: Path, name: str) -> Path:
    """Return where ``name``, relative to a folder, lies; StoreError where that is outside of it, by itself or by a link on the way."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise StoreError(f"{folder}: its records name a file outside of it, {name}; nothing of it is taken")
    return target
