"""Folders that are built once, whole or not at all, whichever process asks first.

Layout: ``<target>.lock`` is held while ``<target>.partial-<pid>`` is filled, which is then renamed to ``<target>``: a reader
never sees half of one, and two processes never build the same.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from inferometer.storage.durable import replace_durably

_PARTIAL = ".partial-"  # between a folder's name and the process that builds it
_EVERY_PARTIAL = ".part*-*"  # those of version 0.1 too


def build_once(
    target: Path, make: Callable[[Path], None], is_whole: Callable[[], bool], mode: int = 0o777
) -> None:
    """Build the folder ``target`` unless it ``is_whole``; waits for another process that builds it.

    ``make`` fills an empty folder of this ``mode`` (less the umask) beside. What it raises passes through, and nothing of
    it stays; OSError if the folder cannot be written. A whole one is only looked at, so its cache may be read-only.
    """
    if is_whole():
        return
    with lock_of(target):
        if is_whole():
            return
        for left in target.parent.glob(
            f"{target.name}{_EVERY_PARTIAL}"
        ):  # by killed builds: the lock is ours
            shutil.rmtree(left, ignore_errors=True)
        partial = target.with_name(f"{target.name}{_PARTIAL}{os.getpid()}")
        try:
            partial.mkdir(mode)
            make(partial)
            _discard(target)  # it is damaged, or its interpreter has gone
            replace_durably(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def mark_used(folder: Path) -> None:
    """Keep in a built folder's time of change that it was asked for now, where it may be written."""
    with contextlib.suppress(OSError):
        os.utime(folder)


def lock_of(target: Path) -> FileLock:
    """Return the lock that is held by whoever builds or removes ``target``."""
    return FileLock(f"{target}.lock")


def is_partial(folder: Path) -> bool:
    """Return whether a folder is one that is being built or removed."""
    return _PARTIAL in folder.name


def remove_built(target: Path) -> None:
    """Delete a built folder at one stroke, as a reader sees it; waits for a build of it to end."""
    with lock_of(target):
        _discard(target)


def remove_partial(root: Path) -> list[Path]:
    """Delete what killed builds left in ``root``, but nothing that is being built; return the folders."""
    removed = []
    for partial in sorted(root.glob(f"*{_PARTIAL}*")):
        target = partial.with_name(partial.name.partition(_PARTIAL)[0])
        with contextlib.suppress(Timeout), lock_of(target).acquire(timeout=0):
            shutil.rmtree(partial)
            removed.append(partial)
    return removed


def _discard(target: Path) -> None:
    if target.exists():
        aside = target.with_name(f"{target.name}{_PARTIAL}{os.getpid()}-old")
        target.rename(aside)
        shutil.rmtree(aside)
