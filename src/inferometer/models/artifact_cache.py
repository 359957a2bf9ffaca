"""A cache of what steps make, addressed by everything that went in.

Layout: ``<root>/<key>/`` holds a step's files and entry.json; it is made by `storage.build.build_once`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inferometer.errors import ModelError
from inferometer.storage.build import build_once

ENTRY = "entry.json"
_BLOCK_BYTES = 1 << 20


def key_of(parts: dict[str, Any]) -> str:
    """Return the key of an entry: a SHA-256 over its ingredients (JSON values)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


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


class ArtifactCache:
    """Entries below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(root, error) from error

    def get(
        self, parts: dict[str, Any], make: Callable[[Path], dict[str, Any]]
    ) -> tuple[Path, dict[str, Any]]:
        """Return the entry made of ``parts``: its directory and what ``make`` returned (JSON values).

        ``make`` is called, under a lock, with an empty directory to fill, only if there is no such entry; what it
        raises passes through and leaves nothing behind.
        """
        target = self.root / key_of(parts)

        def fill(folder: Path) -> None:
            content = json.dumps({"made": make(folder), "parts": parts}, indent=1, default=str)
            (folder / ENTRY).write_text(content, encoding="utf-8")
            _flush(folder)

        try:
            build_once(target, fill, lambda: _read(target) is not None, mode=0o700)
        except OSError as error:
            raise _cannot_write(self.root, error) from error
        found = _read(target)
        assert found is not None, "a step returns a dictionary of JSON values"
        return target, found


def _read(target: Path) -> dict[str, Any] | None:
    try:
        made = json.loads((target / ENTRY).read_text(encoding="utf-8"))["made"]
    except (OSError, ValueError, KeyError):
        return None
    return made if isinstance(made, dict) else None


def _flush(folder: Path) -> None:
    """Bring every file to disk before the rename makes it visible: a power cut must not leave an entry of zeros."""
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _cannot_write(path: Path, error: OSError) -> ModelError:
    return ModelError(
        f"cannot write the model cache {path}: {error.strerror or error}; free space or set INFEROMETER_CACHE"
    )
