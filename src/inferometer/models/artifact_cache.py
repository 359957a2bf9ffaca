"""A cache of what steps make, addressed by everything that went in.

Layout: ``<root>/<key>/`` holds a step's files and entry.json, which has their seals (`storage.seals`) and its own; it is made by
`storage.build.build_once`. What is not as it was sealed is made anew. The folder's time of change is when it was last asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.errors import ModelError, to_write_again
from inferometer.storage.build import build_once, is_partial, mark_used, remove_built, remove_partial
from inferometer.storage.seals import flaw_of, hash_file, seals_of

ENTRY = "entry.json"
_SEALED = ("made", "parts", "files")  # what the entry's own seal is over


def key_of(parts: dict[str, Any]) -> str:
    """Return the key of an entry: a SHA-256 over its ingredients (JSON values)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


class ArtifactCache:
    """Entries below one folder."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda text: None) -> None:
        """``say`` is told of an entry that is damaged."""
        self.root = root
        self.asked: dict[Path, None] = {}  # the entries that were got, in order
        self._say = say
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
            if (target / ENTRY).exists():
                self._say(
                    f"what step {parts.get('step', '')} left in the cache is damaged: {_flaw(target)}; it is made anew"
                )
            content = {"made": make(folder), "parts": parts, "files": seals_of(folder)}
            plain = json.loads(json.dumps(content, default=str))
            (folder / ENTRY).write_text(
                json.dumps({**plain, "seal": _seal(plain)}, indent=1), encoding="utf-8"
            )
            _flush(folder)

        try:
            build_once(target, fill, lambda: not _flaw(target), mode=0o700)
        except OSError as error:
            raise _cannot_write(self.root, error) from error
        mark_used(target)
        self.asked[target] = None
        return target, dict(_content(target)["made"])

    def last_facts(self, facts: dict[str, Any]) -> dict[str, Any] | None:
        """Return all facts of the entry made of ``facts``, and of others besides, that was asked for or came last; None for none."""
        for entry in reversed(entries(self.root)):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                known = dict(_content(entry.folder)["parts"]["facts"])
                if facts.items() <= known.items():
                    return known
        return None


@dataclass(frozen=True)
class Entry:
    """An entry of the cache as it lies there."""

    folder: Path
    step: str
    size_bytes: int
    used_at: float  # seconds since the epoch


def entries(root: Path) -> list[Entry]:
    """Return the entries below a folder, whole or damaged, the one that was asked for last at the end."""
    folders = (
        [path for path in root.iterdir() if path.is_dir() and not is_partial(path)] if root.is_dir() else []
    )
    found = [Entry(path, _step(path), _size(path), path.stat().st_mtime) for path in folders]
    return sorted(found, key=lambda entry: entry.used_at)


def verify(folder: Path) -> str:
    """Return why an entry is not what was made, reading all of it; "" if it is."""
    return _flaw(folder, thorough=True)


def remove(folder: Path) -> None:
    """Delete an entry; waits for one that is being made."""
    remove_built(folder)


def read_entry(target: Path) -> dict[str, Any] | None:
    """Return what the step that made an entry answered; None where that is not to be read, or not whole."""
    return None if _flaw(target) else dict(_content(target)["made"])


def _flaw(target: Path, *, thorough: bool = False) -> str:
    try:
        content = _content(target)
        if not isinstance(content["made"], dict):
            return f"{ENTRY} is no entry"
        if "seal" not in content:  # made before there were any
            return ""
        if content["seal"] != _seal(content):
            return f"{ENTRY} has another content than was written"
        return flaw_of(target, content["files"], thorough=thorough)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{ENTRY} cannot be read ({type(error).__name__})"


def _content(target: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((target / ENTRY).read_text(encoding="utf-8"))
    return content


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(
        json.dumps({name: content[name] for name in _SEALED}, sort_keys=True).encode()
    ).hexdigest()


def _step(folder: Path) -> str:
    try:
        return str(_content(folder)["parts"]["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return "damaged"


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


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
    remedy = to_write_again(error, "set INFEROMETER_CACHE to another folder")
    return ModelError(f"cannot write the model cache {path}: {error.strerror or error}; {remedy}")


__all__ = [
    "ENTRY",
    "ArtifactCache",
    "Entry",
    "entries",
    "hash_file",
    "key_of",
    "read_entry",
    "remove",
    "remove_partial",
    "verify",
]
