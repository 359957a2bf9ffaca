"""What the files of a cached folder were when it was made, and whether they still are.

A seal is a file's size, its times of change and the SHA-256 of its content. Where size and times are as they were, the content is
believed; where only the times differ (a copied cache), it is read again. A bit that turned on the disk shows in neither: that is
found by reading everything (``thorough``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 1 << 20


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, of a directory's files by name and content."""
    digest = hashlib.sha256()
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(f"{file.relative_to(path).as_posix()}\n".encode())
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def seals_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the seal of every file in a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {**_looks(path), "sha256": hash_file(path)} for path in files
    }


def flaw_of(folder: Path, seals: Mapping[str, Mapping[str, Any]], *, thorough: bool = False) -> str:
    """Return the first file that is not as it was sealed, in words; "" if all are."""
    for name, seal in seals.items():
        try:
            looks = _looks(folder / name)
            if looks["bytes"] != seal["bytes"]:
                return f"{name} has {looks['bytes']} bytes instead of {seal['bytes']}"
            known = all(looks[time] == seal.get(time) for time in ("mtime_ns", "ctime_ns"))
            if (thorough or not known) and hash_file(folder / name) != seal["sha256"]:
                return f"{name} has another content than was written"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror or error})"
    return ""


def _looks(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns, "ctime_ns": found.st_ctime_ns}
