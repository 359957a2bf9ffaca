"""Which runs a list of paths means: run directories, and folders with run directories below them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inferometer.errors import StoreError
from inferometer.store import RUN_FILE, StoredRun, read_run

MAX_DEPTH = 3


def find_runs(path: Path | str, depth: int = MAX_DEPTH) -> tuple[Path, ...]:
    """Return ``path`` if it is a run directory, else every run directory below it, sorted."""
    path = Path(path)
    if path.name == RUN_FILE:
        path = path.parent
    if (path / RUN_FILE).exists():
        return (path,)
    if not path.is_dir() or depth == 0:
        return ()
    children = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    return tuple(run for child in children for run in find_runs(child, depth - 1))


def read_runs(paths: Sequence[Path | str]) -> tuple[StoredRun, ...]:
    """Read every run that ``paths`` mean, each once; StoreError if a path holds none."""
    found: dict[Path, Path] = {}
    for path in paths:
        runs = find_runs(path)
        if not runs:
            raise StoreError(
                f"{path} is no run directory and has none below it"
                if Path(path).exists()
                else f"{path} does not exist"
            )
        for run in runs:
            found.setdefault(run.resolve(), run)
    return tuple(read_run(run) for run in found.values())
