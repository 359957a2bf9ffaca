"""What fleets leave in the cache of a node: parts of runs, files of the user's, and pieces of files; and how they may go."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from filelock import FileLock, Timeout

from inferometer.errors import StoreError, UsageError
from inferometer.fleet.agent import REQUEST
from inferometer.fleet.goods import GIVEN, INCOMING, given_good
from inferometer.storage.build import remove_built
from inferometer.storage.cache import cache_folder
from inferometer.storage.find import FLEET_FILE
from inferometer.storage.kept import Kept, kept_at, kept_in
from inferometer.storage.run_directory import LOCK_FILE, alone_in

_BEGINNING_S = (
    600.0  # longer than a part has a file before its run is locked, and than a piece of a file takes
)


def parts() -> list[Kept]:
    """Return what this machine has measured of fleets' runs, a folder each: FLEET/NODE."""
    return [part for fleet in sorted((cache_folder() / "fleet").glob("*")) for part in kept_in(fleet)]


def files() -> list[Kept]:
    """Return the user's files that were sent here, each in a folder that has its key as name."""
    return kept_in(cache_folder() / GIVEN)


def incoming() -> list[Kept]:
    """Return the files that have not come whole."""
    return [kept_at(path) for path in sorted((cache_folder() / INCOMING).glob("*")) if path.is_file()]


def flaw_of(file: Kept) -> str:
    """Return why a file is not what was sent, reading all of it; "" if it is."""
    try:
        keys = {given_good(path).key for path in file.path.iterdir()}
    except (OSError, UsageError) as error:
        return f"it cannot be read ({getattr(error, 'strerror', None) or error})"
    return "" if file.path.name in keys else "its content is not what was sent"


def remove_part(part: Kept) -> None:
    """Delete a part; StoreError while it is measured."""
    _check_rests(part)
    run = part.path / "run"
    with alone_in(run) if run.is_dir() else contextlib.nullcontext():
        (part.path / FLEET_FILE).unlink(
            missing_ok=True
        )  # first: a part that is half removed is none to go on with
        shutil.rmtree(part.path)
    with contextlib.suppress(OSError):  # it holds other parts
        part.path.parent.rmdir()


def remove_file(file: Kept) -> None:
    """Delete a file of the user's; StoreError while a part that is measured here names it."""
    _check_rests(file)
    for request in cache_folder().glob(f"fleet/*/*/{REQUEST}"):
        part = request.parent
        if file.path.name in request.read_text(errors="replace") and _is_measured(part):
            raise StoreError(f"{part.parent.name}/{part.name} is being measured with it; wait for it")
    remove_built(file.path)


def remove_incoming(piece: Kept) -> None:
    """Delete what came of a file; StoreError while more may come."""
    _check_rests(piece)
    piece.path.unlink()


def _check_rests(kept: Kept) -> None:
    """Raise StoreError for what may belong to a part that is about to begin."""
    if time.time() - kept.used_at < _BEGINNING_S:
        raise StoreError(f"it was used less than {_BEGINNING_S / 60:.0f} minutes ago; wait that long")


def _is_measured(part: Path) -> bool:
    lock = part / "run" / LOCK_FILE
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True
