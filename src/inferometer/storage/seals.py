"""What the files of a cached folder were when it was made, and whether they still are.

A seal is a file's size, its times of change and the SHA-256 of its content. Where size and times are as they were, the content is
believed; where only the times differ (a copied cache), it is read again. A bit that turned on the disk shows in neither: that is
found by reading everything (``thorough``).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 1 << 20


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, of a directory's files by name and content, those behind links to folders too."""
    digest = hashlib.sha256()
    if not path.is_dir():
        _add(digest, path)
        return digest.hexdigest()
    files, again = _inside(path)
    for file in sorted([*files, *again]):
        digest.update(f"{file.relative_to(path).as_posix()}\n".encode())
        if file in again:
            digest.update(f"-> {again[file].relative_to(path).as_posix()}\n".encode())
        else:
            _add(digest, file)
    return digest.hexdigest()


def _add(digest: Any, file: Path) -> None:
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK_BYTES):
            digest.update(block)


def _inside(folder: Path) -> tuple[list[Path], dict[Path, Path]]:
    """Return the files in a folder, links followed as models' loaders do, and by link what leads where another way has led."""
    files: list[Path] = []
    again: dict[Path, Path] = {}
    known = {folder.resolve(): folder}
    for place, folders, names in os.walk(folder, followlinks=True):
        files += [file for file in map(Path(place).joinpath, names) if file.is_file()]
        for inner in sorted(map(Path(place).joinpath, folders), key=lambda path: (path.is_symlink(), path)):
            first = known.setdefault(inner.resolve(), inner)
            if first != inner:  # a circle, or a second way
                again[inner] = first
        folders[:] = sorted(name for name in folders if Path(place, name) not in again)
    return files, again


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
