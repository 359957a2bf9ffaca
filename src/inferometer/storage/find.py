"""Which runs a list of paths means: run directories, and folders with run directories below them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from inferometer.errors import InferometerError, StoreError, UsageError
from inferometer.storage.run_directory import RUN_FILE, StoredRun, read_run

MAX_DEPTH = 3
# of a fleet's folder: what it is known by, its nodes' runs, and the same merged
FLEET_FILE, NODES_FOLDER, MERGED_FOLDER = "fleet.json", "nodes", "merged"
Notice = Callable[[str], None]  # takes a line for the user


def find_runs(
    path: Path | str, depth: int = MAX_DEPTH, *, notice: Notice = lambda text: None
) -> tuple[Path, ...]:
    """Return ``path`` if it is a run directory, else every run directory below it, sorted.

    ``depth``: how many levels of folders may lie above a run; a fleet's own count as none. A folder that cannot be read is
    left out; ``notice`` is told.
    """
    path = Path(path)
    if path.name == RUN_FILE:
        path = path.parent
    try:
        if (path / RUN_FILE).exists():
            return (path,)
        is_fleet = (path / FLEET_FILE).exists()
        if not path.is_dir() or (depth == 0 and not is_fleet):
            return ()
        children = sorted(
            child for child in path.iterdir() if child.is_dir() and not child.name.startswith(".")
        )
        if is_fleet:  # the merged view holds the nodes' runs already
            merged = path / MERGED_FOLDER
            children = [merged if merged in children else path / NODES_FOLDER]
    except OSError as error:
        notice(f"{path} cannot be read and is left out: {error.strerror or error}")
        return ()
    below = max(depth, 1) if is_fleet else depth - 1
    return tuple(run for child in children for run in find_runs(child, below, notice=notice))


class FoundRuns(NamedTuple):
    """Run directories, each once, and which of them were named themselves, not a folder above them."""

    paths: tuple[Path, ...]
    named: frozenset[Path]


def read_runs(paths: Sequence[Path | str], *, notice: Notice = lambda text: None) -> tuple[StoredRun, ...]:
    """Read every run that ``paths`` mean, each once; UsageError if a path holds none, StoreError if none can be read.

    A damaged run is left out where a folder above it was given, as is a folder that cannot be read; ``notice`` is told.
    """
    return read_found(locate_runs(paths, notice=notice), notice=notice)


def locate_runs(paths: Sequence[Path | str], *, notice: Notice = lambda text: None) -> FoundRuns:
    """Return every run directory that ``paths`` mean; UsageError if a path holds none, StoreError if it holds what cannot be read. ``notice``: see `find_runs`."""
    found: dict[Path, Path] = {}
    named: set[Path] = set()
    for path in paths:
        unread: list[str] = []
        runs = find_runs(path, notice=unread.append)
        for text in unread:
            notice(text)
        if not runs:
            raise _none_there(path, unread)
        for run in runs:
            found.setdefault(run.resolve(), run)
        named |= {run.resolve() for run in runs if run in (Path(path), Path(path).parent)}
    return FoundRuns(tuple(found.values()), frozenset(found[where] for where in named))


def read_found(
    found: FoundRuns, *, notice: Notice = lambda text: None, read: Callable[[Path], StoredRun] = read_run
) -> tuple[StoredRun, ...]:
    """Read runs; StoreError if one that was named is damaged, or all are. ``notice`` is told which was left out."""
    sound, damage = [], []
    for run in found.paths:
        try:
            sound.append(read(run))
        except StoreError as error:
            if run in found.named:
                raise
            damage.append(error)
            notice(f"left out: {error}")
    if damage and not sound:
        raise damage[0]
    return tuple(sound)


def _none_there(path: Path | str, unread: Sequence[str]) -> InferometerError:
    if unread:
        return StoreError(f"{path} has no run directory that can be read")
    if not Path(path).exists():
        return UsageError(f"{path} does not exist; give a run directory, or a folder of them")
    return UsageError(f"{path} is no run directory and has none below it")
