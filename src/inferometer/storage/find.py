"""Which runs a list of paths means: run directories, and folders with run directories below them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
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
    """Read every run that ``paths`` mean, each once; StoreError if a path holds none that can be read.

    A damaged run is left out where a folder above it was given, as is a folder that cannot be read; ``notice`` is told.
    """
    found: dict[Path, Path] = {}
    named: set[Path] = set()
    for path in paths:
        unread: list[str] = []
        runs = find_runs(path, notice=unread.append)
        for text in unread:
            notice(text)
        if not runs:
            raise StoreError(_none_there(path, unread))
        for run in runs:
            found.setdefault(run.resolve(), run)
        named |= {run.resolve() for run in runs if run in (Path(path), Path(path).parent)}
    return tuple(_read_sound(found, named, notice))


def _read_sound(found: Mapping[Path, Path], named: Container[Path], notice: Notice) -> Iterator[StoredRun]:
    damage: list[StoreError] = []
    for where, run in found.items():
        try:
            yield read_run(run)
        except StoreError as error:
            if where in named:
                raise
            damage.append(error)
            notice(f"left out: {error}")
    if len(damage) == len(found):
        raise damage[0]


def _none_there(path: Path | str, unread: Sequence[str]) -> str:
    if unread:
        return f"{path} has no run directory that can be read"
    return (
        f"{path} is no run directory and has none below it"
        if Path(path).exists()
        else f"{path} does not exist"
    )
