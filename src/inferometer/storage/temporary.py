"""A temporary folder for each child process, which is gone when the child is, however that ended.

Layout: ``<root>/<name>/`` is a child's; ``<root>/<name>.lock`` is held by the process that made it, so that the next one
tells a folder in use from what a killed process left, and removes that.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path

from filelock import FileLock

from inferometer.errors import StoreError
from inferometer.storage.cache import cache_folder

FOLDER = "tmp"  # of a run or of the cache
COMPILE_FOLDER = "compile-cache"
SHARDS_FOLDER = "dataset-shards"  # the user's data set
HELD_MEANWHILE = (FOLDER, COMPILE_FOLDER, SHARDS_FOLDER)  # while a run is measured
# A socket's path may have 103 bytes (macOS; Linux: 107), and multiprocessing and torch append up to 34 for theirs.
_LONGEST_BYTES = 64
_NAME_BYTES = 4  # random; written in hexadecimal
_PAUSES_S = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)  # until the last process that still writes has gone
_NO_LOCK = (OSError, NotImplementedError)  # taken by another, or a file system that has none


class TemporaryFolder:
    """A folder of one child's own; use as a context manager, which removes it with all that is in it."""

    def __init__(self, own: Path | None = None) -> None:
        """Make it in the folder ``own``; in the cache where there is none, or its path is too long for a socket's; in the
        system's temporary folder where the cache's is too. OSError if none of them can be written.
        """
        roots = [root.absolute() for root in (own, _in_cache()) if root is not None]
        for root in (*roots, _in_system()):
            remove_left(root)
        self.path, self._lock = _make_first([root for root in roots if _is_short(root)])

    def variables(self) -> dict[str, str]:
        """Return the environment variables that make a child use it."""
        return {"TMPDIR": str(self.path)}

    def remove(self) -> None:
        """Remove the folder, and the one that it lies in if nothing else does."""
        _remove(self.path, self._lock)

    def __enter__(self) -> TemporaryFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def remove_left(root: Path) -> None:
    """Remove the temporary folders that killed processes left below ``root``, but none that is in use."""
    with contextlib.suppress(OSError):
        for folder in [path for path in root.iterdir() if path.is_dir()] if _is_private(root) else ():
            with contextlib.suppress(*_NO_LOCK):
                lock = _lock_of(folder)
                lock.acquire(timeout=0)
                _remove(folder, lock)


def _make_first(roots: list[Path]) -> tuple[Path, FileLock]:
    for root in roots:
        with contextlib.suppress(*_NO_LOCK):
            return _make(root)
    shared = _in_system()
    with contextlib.suppress(*_NO_LOCK):
        shared.mkdir(mode=0o700, exist_ok=True)
        if _is_private(shared):
            return _make(shared)
    return _make(Path(tempfile.mkdtemp(prefix="inferometer-")))  # another user has taken the name


def _make(root: Path) -> tuple[Path, FileLock]:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = root / secrets.token_hex(_NAME_BYTES)
    lock = _lock_of(folder)
    lock.acquire(timeout=0)  # before there is a folder, so that nobody sees one without its lock
    try:
        folder.mkdir(mode=0o700)
    except OSError:
        _remove(folder, lock)
        raise
    return folder, lock


def _lock_of(folder: Path) -> FileLock:
    return FileLock(f"{folder}.lock", thread_local=False)


def _remove(folder: Path, lock: FileLock) -> None:
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
    with contextlib.suppress(OSError):
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
    with contextlib.suppress(OSError):  # it holds others' folders
        folder.parent.rmdir()


def _is_short(root: Path) -> bool:
    return len(os.fsencode(root)) + 1 + 2 * _NAME_BYTES <= _LONGEST_BYTES


def _in_cache() -> Path | None:
    try:
        return cache_folder() / FOLDER
    except StoreError:
        return None


def _in_system() -> Path:
    return Path(tempfile.gettempdir()) / f"inferometer-{os.getuid()}"


def _is_private(root: Path) -> bool:
    """Return whether ``root`` is a folder that nobody else can have put anything into."""
    found = root.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
