"""Which runs a list of paths means: run directories, and folders with run directories below them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from inferometer.errors import StoreError
from inferometer.storage.run_directory import RUN_FILE, StoredRun, read_run

MAX_DEPTH = 3
Notice = Callable[[str], None]  # takes a line for the user


def find_runs(
    path: Path | str, depth: int = MAX_DEPTH, *, notice: Notice = lambda text: None
) -> tuple[Path, ...]:
    """Return ``path`` if it is a run directory, else every run directory below it, sorted.

    A folder that cannot be read is left out; ``notice`` is told.
    """
    path = Path(path)
    if path.name == RUN_FILE:
        path = path.parent
    try:
        if (path / RUN_FILE).exists():
            return (path,)
        if not path.is_dir() or depth == 0:
            return ()
        children = sorted(
            child for child in path.iterdir() if child.is_dir() and not child.name.startswith(".")
        )
    except OSError as error:
        notice(f"{path} cannot be read and is left out: {error.strerror or error}")
        return ()
    return tuple(run for child in children for run in find_runs(child, depth - 1, notice=notice))


def read_runs(paths: Sequence[Path | str], *, notice: Notice = lambda text: None) -> tuple[StoredRun, ...]:
    """Read every run that ``paths`` mean, each once; StoreError if a path holds none. ``notice``: see `find_runs`."""
    return tuple(read_run(run) for run in run_paths(paths, notice=notice))


def run_paths(paths: Sequence[Path | str], *, notice: Notice = lambda text: None) -> tuple[Path, ...]:
    """Return every run directory that ``paths`` mean, each once; StoreError if a path holds none. ``notice``: see `find_runs`."""
    found: dict[Path, Path] = {}
    for path in paths:
        unread: list[str] = []
        runs = find_runs(path, notice=unread.append)
        for text in unread:
            notice(text)
        if not runs:
            raise StoreError(_none_there(path, unread))
        for run in runs:
            found.setdefault(run.resolve(), run)
    return tuple(found.values())


def _none_there(path: Path | str, unread: Sequence[str]) -> str:
    if unread:
        return f"{path} has no run directory that can be read"
    return (
        f"{path} is no run directory and has none below it"
        if Path(path).exists()
        else f"{path} does not exist"
    )
